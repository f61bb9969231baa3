"""From values to a block: rows for sources written by hand, columns for those that have them already.

Laws: there is one writer, `block_of`; `build` only sorts rows into columns. Both answer with a
table that went through the same checks as a stranger's.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain, compress

from pp_sdk.table.layout import (
    BITMAP_INDEX,
    HEADER,
    INT_COLUMNS,
    MAGIC,
    NULLABLE,
    SIDES,
    TEXT_COLUMNS,
    VERSION,
    Column,
    TableError,
    bitmap_bytes,
    section_bytes,
)
from pp_sdk.table.market_table import MarketTable
from pp_sdk.table.row import MarketRow


@dataclass(frozen=True, slots=True)
class Texts:
    """The text columns, encoded. Worth keeping while the set of markets stays the same."""

    rows: int
    strings: int
    refs: bytes
    bounds: bytes
    text: bytes

    @classmethod
    def of(cls, columns: Mapping[str, Sequence[str]]) -> Texts:
        """From one sequence per text column, all of one length."""
        rows = len(columns["id"])
        numbers: dict[str, int] = {}
        refs = array("q")
        for column in TEXT_COLUMNS:
            values = columns[column.name]
            if len(values) != rows:
                raise TableError(f"{column.name}: {len(values)} cells, expected {rows}")
            refs.extend([numbers.setdefault(value, len(numbers)) for value in values])
        words = _encode(numbers)
        bounds = array("q", accumulate(map(len, words), initial=0))
        return cls(rows, len(words), refs.tobytes(), bounds.tobytes(), b"".join(words))


@dataclass(frozen=True, slots=True)
class Books:
    """Levels in CSR form: row r of side s (as layout.SIDES) owns offsets[s * rows + r] up to the next one."""

    offsets: bytes
    prices: bytes
    sizes: bytes

    @classmethod
    def of(cls, sides: Iterable[Sequence[tuple[tuple[int, int], ...]]]) -> Books:
        """From four sequences (as layout.SIDES) with every row's levels."""
        books = list(chain.from_iterable(sides))
        offsets = _int64("levels", accumulate(map(len, books), initial=0))
        prices = _int64("levels", (price for book in books for price, _ in book))
        sizes = _int64("levels", (size for book in books for _, size in book))
        return cls(offsets, prices, sizes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """A table still in columns.

    ints:  int64 cells per column; absent nullable columns are null, status, tick and min_size are required;
           null cells must hold 0
    valid: bitmap per nullable column as MarketTable.valid gives it; absent means every given cell is valid
    books: absent where the best quotes are all there is: one level per quoted side is written from them
    """

    texts: Texts
    ints: Mapping[str, Sequence[int]]
    valid: Mapping[str, bytes] = field(default_factory=dict)
    books: Books | None = None

    def block(self) -> bytes:
        """The table's bytes: one copy per column, values unchecked."""
        ints = b"".join([self._cells(column) for column in INT_COLUMNS])
        bitmaps = b"".join([self._bitmap(name) for name in NULLABLE])
        return block_of(self.texts, ints, bitmaps, self.books or self._best_quotes())

    def _cells(self, column: Column) -> bytes:
        cells = self.ints.get(column.name)
        if cells is None:
            if not column.nullable:
                raise TableError(f"{column.name}: required")
            return bytes(8 * self.texts.rows)
        if len(cells) != self.texts.rows:
            raise TableError(f"{column.name}: {len(cells)} cells, expected {self.texts.rows}")
        return _int64(column.name, cells)

    def _bitmap(self, name: str) -> bytes:
        width = bitmap_bytes(self.texts.rows)
        if name not in self.ints:
            return bytes(width)
        bitmap = self.valid.get(name)
        if bitmap is None:
            return ((1 << self.texts.rows) - 1).to_bytes(width, "little")
        if len(bitmap) != width:
            raise TableError(f"{name}: bitmap of {len(bitmap)} bytes, expected {width}")
        return bitmap

    def _best_quotes(self) -> Books:
        depths, prices, sizes = array("q"), array("q"), array("q")
        none = array("q", bytes(8 * self.texts.rows))
        for side in SIDES:
            quotes = self.ints.get(side.name, none)
            amounts = self.ints.get(side.size, none)
            if len(quotes) != self.texts.rows or len(amounts) != self.texts.rows:
                raise TableError(f"{side.name}: {len(quotes)} cells, expected {self.texts.rows}")
            depths.extend([price != 0 for price in quotes])
            prices.extend(filter(None, quotes))
            sizes.extend(compress(amounts, quotes))
        offsets = array("q", accumulate(depths, initial=0))
        return Books(offsets.tobytes(), prices.tobytes(), sizes.tobytes())


def block_of(texts: Texts, ints: bytes, bitmaps: bytes, books: Books) -> bytes:
    """A table's bytes from its sections; `ints` and `bitmaps` hold one column after the other."""
    levels = len(books.prices) // 8
    body = section_bytes(texts.rows, levels, texts.strings, len(texts.text))
    counts = texts.rows, levels, texts.strings, len(texts.text)
    header = HEADER.pack(MAGIC, VERSION, HEADER.size + sum(body), *counts)
    return b"".join(
        (
            header,
            ints,
            bitmaps,
            books.offsets,
            books.prices,
            books.sizes,
            texts.refs,
            texts.bounds,
            texts.text,
        )
    )


def build_columns(columns: Columns) -> MarketTable:
    """A checked table from columns. Raises TableError. Who vouches for the values may skip the checks with
    `MarketTable.trusted(columns.block())`."""
    return MarketTable.decode(columns.block())


def build(rows: Iterable[MarketRow]) -> MarketTable:
    """A checked table from rows, in their order. Raises TableError."""
    markets = list(rows)
    texts = {column.name: [getattr(market, column.name) for market in markets] for column in TEXT_COLUMNS}
    sides = [[getattr(market, f"{side.name}s") for market in markets] for side in SIDES]
    values = {
        column.name: [getattr(market, column.name) for market in markets]
        for column in INT_COLUMNS
        if column.name in MarketRow.__struct_fields__
    }
    for side, books in zip(SIDES, sides, strict=True):
        values[side.name] = [book[0][0] if book else None for book in books]
        values[side.size] = [book[0][1] if book else None for book in books]
    valid = {name: pack_bits(value is not None for value in values[name]) for name in BITMAP_INDEX}
    ints = {name: [0 if value is None else value for value in cells] for name, cells in values.items()}
    return build_columns(Columns(texts=Texts.of(texts), ints=ints, valid=valid, books=Books.of(sides)))


def pack_bits(valid: Iterable[object]) -> bytes:
    """As MarketTable.valid gives it: row i is bit i % 8 of byte i // 8, filled up to whole int64s."""
    digits = "".join(["1" if flag else "0" for flag in valid])
    return int(digits[::-1] or "0", 2).to_bytes(bitmap_bytes(len(digits)), "little")


def _int64(name: str, values: Iterable[int]) -> bytes:
    if isinstance(values, (array, memoryview)) and memoryview(values).format == "q":
        return bytes(values)
    try:
        return array("q", values).tobytes()
    except (TypeError, OverflowError) as error:
        raise TableError(f"{name}: cells must be 64-bit integers") from error


def _encode(words: Iterable[str]) -> list[bytes]:
    try:
        return [word.encode() for word in words]
    except (AttributeError, UnicodeEncodeError) as error:
        raise TableError("text cells must be strings that UTF-8 can spell") from error
