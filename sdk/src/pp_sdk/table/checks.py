"""What makes a block a valid market table.

Laws: `check` accepts exactly the blocks that `build` can write, so accepted bytes have one meaning and one
spelling. Work is done on whole columns (`lanes`); Python objects are made only where a rule needs them.
A broken rule raises TableError naming the column. The order of INT_COLUMNS carries three of the checks:
columns that cannot be null come first, then the four prices, then their four sizes.
"""

from __future__ import annotations

from array import array
from functools import lru_cache
from itertools import compress, count, pairwise
from typing import Final

from pp_sdk.table import lanes
from pp_sdk.table.layout import (
    INT_COLUMNS,
    INT_INDEX,
    MOST,
    MOST_LEVELS,
    NULLABLE,
    RESOLVED,
    SIDES,
    TEXT_COLUMNS,
    Sections,
    Side,
    TableError,
    bitmap_bytes,
)

PRICES: Final = INT_INDEX[SIDES[0].name]
SIZES: Final = INT_INDEX[SIDES[0].size]


def check(sections: Sections) -> None:
    """Refuse (TableError) unless the sections are the one spelling of a valid table."""
    check_texts(sections)
    cells = lanes.load(sections.ints)
    valid = valid_flags(sections)
    check_cells(cells, valid, sections.rows)
    check_books(sections, valid)
    check_quotes(cells, sections.rows)
    check_payouts(sections, valid)


def valid_flags(sections: Sections) -> bytes:
    """Every nullable column's bitmap as one byte, 0 or 1, per row, one column after the other."""
    rows, width = sections.rows, 8 * bitmap_bytes(sections.rows)
    bits = int.from_bytes(sections.bitmaps, "little")
    if not rows:
        return b""
    digits = lanes.bit_flags(bits, width * len(NULLABLE))
    valid = b"".join([digits[start : start + rows] for start in range(0, len(digits), width)])
    if valid.count(1) != bits.bit_count():
        raise TableError("validity bits beyond the last row")
    return valid


def check_cells(cells: int, valid: bytes, rows: int) -> None:
    """Ranges, and nulls spelled 0."""
    total = rows * len(INT_COLUMNS)
    if wrong := lanes.negative(cells, total) or lanes.above(cells, _slack(rows), total):
        column = INT_COLUMNS[lanes.first(wrong) // rows]
        raise TableError(f"{column.name}: outside {column.low}..{column.high}")
    filled = lanes.flags(lanes.nonzero(cells, total), total)
    if 0 in filled[rows : 2 * rows]:
        raise TableError("tick: must not be 0")
    known = int.from_bytes(valid, "little")
    if int.from_bytes(filled[PRICES * rows :], "little") | known != known:
        raise TableError("a null cell does not hold 0")
    if filled[PRICES * rows : SIZES * rows] != valid[: 4 * rows]:
        raise TableError("a price must not be 0")
    if valid[: 4 * rows] != valid[4 * rows : 8 * rows]:
        raise TableError("a size must be null exactly where its price is")


def check_books(sections: Sections, valid: bytes) -> None:
    """Levels in range, best first, and the best ones equal to the price and size columns."""
    rows, levels = sections.rows, len(sections.level_prices)
    quoted = valid[: 4 * rows]
    best = sections.ints[PRICES * rows : SIZES * rows]
    most = sections.ints[SIZES * rows : (SIZES + len(SIDES)) * rows]
    if levels == quoted.count(1) == len(quoted) and sections.level_offsets == _ramp(levels + 1):
        same = sections.level_prices == best and sections.level_sizes == most  # one level on every side
    else:
        prices = _check_levels(sections, quoted)
        starts: list[int] = sections.level_offsets.tolist()
        firsts = list(compress(starts, quoted))
        for index, side in enumerate(SIDES if len(firsts) != levels else ()):
            _check_order(side, starts[index * rows : (index + 1) * rows + 1], prices)
        same = list(map(sections.level_prices.__getitem__, firsts)) == list(
            compress(best.tolist(), quoted)
        ) and (list(map(sections.level_sizes.__getitem__, firsts)) == list(compress(most.tolist(), quoted)))
    if not same:
        raise TableError("levels: a price or size column differs from its first level")


def _check_levels(sections: Sections, quoted: bytes) -> int:
    """Ranges of the level arrays, and levels exactly where a price is not null. Returns the prices' lanes."""
    levels = len(sections.level_prices)
    prices, sizes = lanes.load(sections.level_prices), lanes.load(sections.level_sizes)
    if (
        lanes.negative(prices | sizes, levels)
        or lanes.above(prices, lanes.fill(lanes.TOP - 1 - 999_999, levels), levels)
        or lanes.above(sizes, lanes.fill(lanes.TOP - 1 - MOST, levels), levels)
        or lanes.nonzero(prices, levels) != lanes.fill(lanes.TOP, levels)
    ):
        raise TableError("levels: price or size outside its range")
    if lanes.flags(lanes.nonzero(_depths(sections), len(quoted)), len(quoted)) != quoted:
        raise TableError("levels: a side must have levels exactly where its price is not null")
    return prices


def _depths(sections: Sections) -> int:
    """How many levels each side of each row has."""
    sides, levels = len(SIDES) * sections.rows, len(sections.level_prices)
    offsets = lanes.load(sections.level_offsets)
    starts, ends = lanes.part(offsets, 0, sides), offsets >> lanes.BITS
    if (
        sections.level_offsets[0]
        or sections.level_offsets[sides] != levels
        or lanes.negative(offsets, sides + 1)
        or lanes.less(ends, starts, sides)
    ):
        raise TableError(f"levels: offsets must rise from 0 to {levels}")
    depths = lanes.difference(ends, starts, sides)
    if lanes.above(depths, lanes.fill(lanes.TOP - 1 - MOST_LEVELS, sides), sides):
        raise TableError(f"levels: more than {MOST_LEVELS} on one side")
    return depths


def _check_order(side: Side, starts: list[int], prices: int) -> None:
    """Best first, strictly: a step in the wrong direction may only happen where a row's book begins."""
    steps = starts[-1] - starts[0] - 1
    if steps < 1:
        return
    earlier, later = lanes.part(prices, starts[0], steps), lanes.part(prices, starts[0] + 1, steps)
    right = lanes.less(later, earlier, steps) if side.descending else lanes.less(earlier, later, steps)
    wrong = lanes.flags(right ^ lanes.fill(lanes.TOP, steps), steps)
    if not set(starts).issuperset(compress(count(starts[0] + 1), wrong)):
        raise TableError(f"{side.name}: levels are not ordered best first")


def check_quotes(cells: int, rows: int) -> None:
    """No book is locked or crossed."""
    for outcome in (0, 2):
        bids = lanes.part(cells, (PRICES + outcome) * rows, rows)
        asks = lanes.part(cells, (PRICES + outcome + 1) * rows, rows)
        crossed = lanes.less(asks, bids + lanes.fill(1, rows), rows) & lanes.nonzero(asks, rows)
        if crossed:
            raise TableError(f"{SIDES[outcome].name}: not below {SIDES[outcome + 1].name}")


def check_payouts(sections: Sections, valid: bytes) -> None:
    """Only a resolved market has paid out."""
    at = NULLABLE.index("yes_payout") * sections.rows
    paid = valid[at : at + sections.rows]
    if 1 in paid and any(status != RESOLVED for status in compress(sections.column("status"), paid)):
        raise TableError("yes_payout: set on a market that is not resolved")


def check_texts(sections: Sections) -> None:
    """UTF-8, every string stored once and numbered in the order of its first use, lengths, unique ids."""
    parts = sections.refs, sections.string_offsets, sections.text
    _check_strings(sections.rows, *map(bytes, parts))


@lru_cache(maxsize=8)  # prices move, names stay: a source's next snapshot mostly has the very same texts
def _check_strings(rows: int, refs_bytes: bytes, bounds_bytes: bytes, text: bytes) -> None:
    bounds = array("q", bounds_bytes).tolist()
    if bounds[0] != 0 or bounds[-1] != len(text) or bounds != sorted(bounds):
        raise TableError("strings: offsets must rise from 0 to the end of the text")
    words = [text[start:end] for start, end in pairwise(bounds)]
    distinct = set(words)
    if len(distinct) != len(words):
        raise TableError("strings: a string is stored twice")
    if not text.isascii():
        _check_utf8(words)
    refs = array("q", refs_bytes).tolist()
    if list(dict.fromkeys(refs)) != list(range(len(words))):
        raise TableError("strings: not numbered in the order of their first use")
    if (
        rows and refs[rows - 1] != rows - 1
    ):  # ids come first, so the last one's number tells how many there are
        raise TableError("id: not unique")
    if b"" in distinct and words.index(b"") < rows:
        raise TableError("id: empty")
    _check_lengths(refs, words, rows)


def _check_lengths(refs: list[int], words: list[bytes], rows: int) -> None:
    longest = max(map(len, words), default=0)
    for index, column in enumerate(TEXT_COLUMNS):
        own = refs[index * rows : (index + 1) * rows] if longest > column.most else ()
        if any(len(words[ref]) > column.most for ref in own):
            raise TableError(f"{column.name}: longer than {column.most} bytes of UTF-8")


def _check_utf8(words: list[bytes]) -> None:
    try:
        for word in words:
            word.decode()
    except UnicodeDecodeError as error:
        raise TableError("strings: not UTF-8") from error


@lru_cache(maxsize=4)
def _slack(rows: int) -> int:
    """Per cell of INT_COLUMNS, what is left between its upper bound and 2**63 - 1."""
    slacks = ((lanes.TOP - 1 - column.high).to_bytes(8, "little") * rows for column in INT_COLUMNS)
    return int.from_bytes(b"".join(slacks), "little")


@lru_cache(maxsize=4)
def _ramp(count: int) -> array[int]:
    """0, 1, 2 ..."""
    return array("q", range(count))
