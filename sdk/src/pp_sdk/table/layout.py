"""Where every byte of a market table lies.

Laws: a block is a pure function of its content (one content, one spelling), little-endian, and every array
in it starts on a multiple of eight bytes. This file knows offsets and column names, no rules about
values (`checks`) and no rows (`row`). The layout is written out byte by byte in docs/PROTOCOL.md.
"""

from __future__ import annotations

import sys
from array import array
from functools import lru_cache
from itertools import accumulate, pairwise
from struct import Struct
from typing import Final, NamedTuple

VERSION: Final = 1
MAGIC: Final = b"PPMT"
HEADER: Final = Struct("<4sIQQQQQ")  # magic, version, total bytes, rows, levels, strings, text bytes

OPEN, CLOSED, RESOLVED = 0, 1, 2
MOST: Final = 2**62  # amounts and times: far above anything real, and a sum of two still fits an int64
MOST_LEVELS: Final = 20  # per side of one book

if sys.byteorder != "little":  # memoryview casts are native; refusing beats silently swapped money
    raise ImportError("pp_sdk.table needs a little-endian machine")


class TableError(ValueError):
    """A block that is not a market table, or rows that cannot become one."""


class Column(NamedTuple):
    """One int64 column: cells lie in `low`..`high`; a null cell holds 0 and its bit is clear."""

    name: str
    nullable: bool
    low: int
    high: int


class TextColumn(NamedTuple):
    """One text column: at most `most` bytes of UTF-8 per cell."""

    name: str
    most: int


class Side(NamedTuple):
    """One side of one book: the columns that repeat its first level."""

    name: str
    size: str
    descending: bool


INT_COLUMNS: Final = (
    Column("status", False, OPEN, RESOLVED),
    Column("tick", False, 1, 500_000),
    Column("min_size", False, 0, MOST),
    Column("yes_bid", True, 1, 999_999),
    Column("yes_ask", True, 1, 999_999),
    Column("no_bid", True, 1, 999_999),
    Column("no_ask", True, 1, 999_999),
    Column("yes_bid_size", True, 0, MOST),
    Column("yes_ask_size", True, 0, MOST),
    Column("no_bid_size", True, 0, MOST),
    Column("no_ask_size", True, 0, MOST),
    Column("quoted_at", True, 0, MOST),
    Column("opened_at", True, 0, MOST),
    Column("ends_at", True, 0, MOST),
    Column("fee_rate", True, 0, 1_000_000),
    Column("fee_exponent", True, 0, 4),
    Column("volume", True, 0, MOST),
    Column("liquidity", True, 0, MOST),
    Column("yes_payout", True, 0, 1_000_000),
)
TEXT_COLUMNS: Final = (
    TextColumn("id", 255),
    TextColumn("event", 255),
    TextColumn("question", 2000),
    TextColumn("category", 255),
    TextColumn("yes_name", 255),
    TextColumn("no_name", 255),
    TextColumn("venue", 255),
)
SIDES: Final = (
    Side("yes_bid", "yes_bid_size", descending=True),
    Side("yes_ask", "yes_ask_size", descending=False),
    Side("no_bid", "no_bid_size", descending=True),
    Side("no_ask", "no_ask_size", descending=False),
)
INT_INDEX: Final = {column.name: index for index, column in enumerate(INT_COLUMNS)}
TEXT_INDEX: Final = {column.name: index for index, column in enumerate(TEXT_COLUMNS)}
SIDE_INDEX: Final = {side.name: index for index, side in enumerate(SIDES)}
NULLABLE: Final = tuple(column.name for column in INT_COLUMNS if column.nullable)
BITMAP_INDEX: Final = {name: index for index, name in enumerate(NULLABLE)}

_NO_CELLS: Final = memoryview(array("q")).toreadonly()


class Sections(NamedTuple):
    """A block cut into read-only views; `ints`, `refs` and the level arrays are int64."""

    block: memoryview
    rows: int
    ints: memoryview  # INT_COLUMNS, one after the other
    bitmaps: memoryview  # NULLABLE, one after the other, bytes
    level_offsets: memoryview  # 4 * rows + 1: side by side as SIDES, row by row within a side
    level_prices: memoryview
    level_sizes: memoryview
    refs: memoryview  # TEXT_COLUMNS, one after the other: indices into the strings
    string_offsets: memoryview  # strings + 1
    text: memoryview  # bytes

    def column(self, name: str) -> memoryview:
        start = INT_INDEX[name] * self.rows
        return self.ints[start : start + self.rows]

    def bitmap(self, name: str) -> memoryview:
        width = bitmap_bytes(self.rows)
        start = BITMAP_INDEX[name] * width
        return self.bitmaps[start : start + width]


def bitmap_bytes(rows: int) -> int:
    """A bitmap's length: one bit per row, least significant first, filled up with zeros to whole int64s."""
    return (rows + 63) // 64 * 8


def section_bytes(rows: int, levels: int, strings: int, text: int) -> tuple[int, ...]:
    """The length of every section after the header, in order."""
    return (
        8 * len(INT_COLUMNS) * rows,
        len(NULLABLE) * bitmap_bytes(rows),
        8 * (len(SIDES) * rows + 1),
        8 * levels,
        8 * levels,
        8 * len(TEXT_COLUMNS) * rows,
        8 * (strings + 1),
        text,
    )


@lru_cache(maxsize=64)
def section_ends(rows: int, levels: int, strings: int, text: int) -> tuple[int, ...]:
    """Where each section begins, and where the last one ends."""
    return tuple(accumulate(section_bytes(rows, levels, strings, text), initial=HEADER.size))


def split(block: bytes | memoryview) -> Sections:
    """Cut a block along its own header. Lengths are compared before anything else is looked at."""
    view = memoryview(block).toreadonly()
    if len(view) < HEADER.size:
        raise TableError(f"a table needs at least {HEADER.size} bytes, got {len(view)}")
    magic, version, total, rows, levels, strings, text = HEADER.unpack_from(view)
    if magic != MAGIC:
        raise TableError("not a market table: wrong magic")
    if version != VERSION:
        raise TableError(f"market table version {version}, expected {VERSION}")
    ends = section_ends(rows, levels, strings, text)
    if total != len(view) or total != ends[-1]:
        raise TableError(f"header tells {total} and {ends[-1]} bytes, block has {len(view)}")
    ints, bitmaps, offsets, prices, sizes, refs, bounds, words = (
        view[start:end] for start, end in pairwise(ends)
    )
    return Sections(
        view, rows, _int64(ints), bitmaps,
        _int64(offsets), _int64(prices), _int64(sizes), _int64(refs), _int64(bounds), words,
    )  # fmt: skip


def _int64(view: memoryview) -> memoryview:
    return view.cast("q") if len(view) else _NO_CELLS  # CPython cannot cast an empty view
