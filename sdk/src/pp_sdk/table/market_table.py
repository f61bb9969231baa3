"""MarketTable: one immutable snapshot of markets, read as rows or as columns.

Laws: the bytes are the table; nothing is copied out of them before somebody asks. A view handed out keeps the
block alive, and nothing else does: a table refers to nothing that refers to it, so that its megabyte is given back at
once and not when the garbage collector comes by. Values follow the rules in `checks` because `decode` refuses
everything else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

from pp_sdk.table import lanes
from pp_sdk.table.checks import check
from pp_sdk.table.layout import BITMAP_INDEX, SIDE_INDEX, TEXT_INDEX, Sections, bitmap_bytes, split
from pp_sdk.table.row import Levels, Row


class _Cells(dict[str, list[Any]]):
    """Columns as Python lists, each made when a row first reads it."""

    def __init__(self, sections: Sections) -> None:
        super().__init__()
        self._sections = sections

    def __missing__(self, name: str) -> list[Any]:
        cells = self[name] = _values(self._sections, name)
        return cells


class MarketTable:
    """Markets at one moment. Iterating gives rows; `column` gives int64 views without copying."""

    __slots__ = ("_cells", "_digest", "_index", "_sections")

    def __init__(self, sections: Sections) -> None:
        self._sections = sections
        self._cells = _Cells(sections)
        self._digest: str | None = None
        self._index: dict[str, int] | None = None

    @classmethod
    def decode(cls, block: bytes | memoryview) -> MarketTable:
        """Validate a block somebody else made. Raises TableError."""
        sections = split(block)
        check(sections)
        return cls(sections)

    @classmethod
    def trusted(cls, block: bytes | memoryview) -> MarketTable:
        """A block whose values were validated before: built here, or handed over by the host."""
        return cls(split(block))

    @property
    def block(self) -> memoryview:
        """The whole table, read-only."""
        return self._sections.block

    @property
    def digest(self) -> str:
        """sha256 of the block, hex: equal tables and only those have equal digests."""
        if self._digest is None:
            self._digest = hashlib.sha256(self.block).hexdigest()
        return self._digest

    def __len__(self) -> int:
        return self._sections.rows

    def __iter__(self) -> Iterator[Row]:
        return (Row(self, self._cells, index) for index in range(self._sections.rows))

    def __getitem__(self, index: int) -> Row:
        return Row(self, self._cells, range(self._sections.rows)[index])

    def get(self, market: str) -> Row | None:
        """The row with this id, or None."""
        index = self._rows.get(market)
        return None if index is None else self[index]

    def rows_of(self, markets: Iterable[str]) -> list[int]:
        """Indices of the rows with these ids, ascending; an id that is not here has none."""
        rows = self._rows
        return sorted({rows[market] for market in markets if market in rows})

    @property
    def _rows(self) -> dict[str, int]:
        if self._index is None:
            self._index = {name: index for index, name in enumerate(self._cells["id"])}
        return self._index

    def column(self, name: str) -> memoryview:
        """An int64 column without copying, read-only; null cells hold 0. `numpy.asarray` takes it."""
        return self._sections.column(name)

    def valid(self, name: str) -> memoryview:
        """A column's validity bitmap: bit i % 8 of byte i // 8 is set where row i is not null."""
        if name in BITMAP_INDEX:
            return self._sections.bitmap(name)
        rows = len(self.column(name))
        return memoryview(((1 << rows) - 1).to_bytes(bitmap_bytes(rows), "little"))

    def text(self, name: str, index: int) -> str:
        """One text cell."""
        value: str = self._cells[name][index]
        return value

    def levels(self, side: str, index: int) -> Levels:
        """One side of one row's book, e.g. "yes_bid", best first."""
        sections = self._sections
        cut = SIDE_INDEX[side] * sections.rows + index
        start, end = sections.level_offsets[cut], sections.level_offsets[cut + 1]
        return tuple(zip(sections.level_prices[start:end], sections.level_sizes[start:end], strict=True))

    def cells(self, name: str) -> list[Any]:
        """A column as Python values: str, int, or None where null."""
        return _values(self._sections, name)


def _values(sections: Sections, name: str) -> list[Any]:
    if name in TEXT_INDEX:
        return _texts(sections, name)
    values: list[Any] = sections.column(name).tolist()
    if name not in BITMAP_INDEX:
        return values
    bits = int.from_bytes(sections.bitmap(name), "little")
    return [
        value if valid else None
        for value, valid in zip(values, lanes.bit_flags(bits, len(values)), strict=True)
    ]


def _texts(sections: Sections, name: str) -> list[str]:
    start = TEXT_INDEX[name] * sections.rows
    bounds, text = sections.string_offsets, sections.text
    return [
        str(text[bounds[ref] : bounds[ref + 1]], "utf-8")
        for ref in sections.refs[start : start + sections.rows]
    ]
