"""What a tape's third file says: order books, as they were recorded, in the order of time.

Laws: a book is the rows of one outcome at one time, one after the other, level by level from the best; it is whole or
refused. What cannot be (a crossed book, a size without a price, a level that is not worse than the one before it) is
refused with file, column and row. At most one batch of rows and one book are in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pp_host.backtest import cells
from pp_host.backtest.book import Book
from pp_host.backtest.columnfile import ColumnFile, Kind
from pp_host.backtest.recording import Slots
from pp_host.backtest.survey import Survey
from pp_host.errors import OperatorError

BOOK_KINDS = {
    "ts": Kind.TIME,
    "market_id": Kind.TEXT,
    "outcome": Kind.TEXT,
    "level": Kind.COUNT,
    "bid": Kind.NUMBER,
    "bid_size": Kind.NUMBER,
    "ask": Kind.NUMBER,
    "ask_size": Kind.NUMBER,
}


class _Row(NamedTuple):
    """One level of one book, 0 where nobody is; `row` is its number in the file."""

    row: int
    at: int
    slot: int
    level: int
    bid: int
    bid_size: int
    ask: int
    ask_size: int


class BookFile:
    """books.parquet, read anew by each walk."""

    def __init__(self, path: Path, data: bytes, slots: Slots) -> None:
        self._file = ColumnFile(path, data, BOOK_KINDS)
        self._slots = slots

    def books(self) -> Iterator[tuple[int, int, Book]]:
        """Every book in the file's order: microseconds UTC, slot, book. Raises OperatorError."""
        return ((rows[0].at, rows[0].slot, _book(rows)) for rows in self._grouped())

    def survey(self) -> Survey:
        """Walk all books once. Raises OperatorError when they contradict each other."""
        stated = (rows[0][:3] for rows in self._grouped())
        return self._slots.survey(self._file, stated, "book")

    def _grouped(self) -> Iterator[list[_Row]]:
        """The rows of one book after the other, each as it must be."""
        book: list[_Row] = []
        for row in self._rows():
            if row.level == 0:
                if book:
                    yield book
                self._check_best(row)
                book = [row]
            else:
                self._check_deeper(row, book)
                book.append(row)
        if book:
            yield book

    def _rows(self) -> Iterator[_Row]:
        for batch in self._file.batches():
            yield from map(
                _Row,
                range(batch.first, batch.first + len(batch)),
                batch.cells("ts", cells.moment),
                self._slots.read(self._file, batch),
                batch.cells("level", cells.level),
                batch.cells("bid", cells.quoted_price),
                batch.cells("bid_size", cells.size),
                batch.cells("ask", cells.quoted_price),
                batch.cells("ask_size", cells.size),
            )

    def _check_best(self, row: _Row) -> None:
        self._check_sides(row)
        if row.bid and row.ask and row.bid >= row.ask:
            what = f"crossed: bid {row.bid} micro-USD, ask {row.ask}"
            raise self._fault("bid", row, what, "a book's best bid is below its best ask")

    def _check_deeper(self, row: _Row, book: list[_Row]) -> None:
        if not book or (row.at, row.slot, row.level) != (book[0].at, book[0].slot, len(book)):
            what = f"level {row.level} does not follow level {row.level - 1} of its book"
            raise self._fault("level", row, what, "the levels of a book are rows one after the other, from 0")
        self._check_sides(row)
        if not (row.bid or row.ask):
            raise self._fault("level", row, "nobody is at this level", "leave the row out")
        above = book[-1]
        if row.bid and row.bid >= above.bid:
            what = f"{row.bid} micro-USD is not below {above.bid or 'nobody'}, the level before it"
            raise self._fault("bid", row, what, "bids fall from level to level")
        if row.ask and (row.ask <= above.ask or not above.ask):
            what = f"{row.ask} micro-USD is not above {above.ask or 'nobody'}, the level before it"
            raise self._fault("ask", row, what, "asks rise from level to level")

    def _check_sides(self, row: _Row) -> None:
        """A price has its size, and a size its price."""
        for side, price, size in (("bid", row.bid, row.bid_size), ("ask", row.ask, row.ask_size)):
            if (price == 0) is not (size == 0):
                column, what = (
                    (side, "a size without a price") if size else (f"{side}_size", "a price without a size")
                )
                raise self._fault(
                    column, row, what, "a side has both, or is null in both where nobody is there"
                )

    def _fault(self, column: str, row: _Row, what: str, hint: str) -> OperatorError:
        return self._file.fault(column, row.row, what, hint=hint)


def _book(rows: list[_Row]) -> Book:
    return Book(
        tuple((row.bid, row.bid_size) for row in rows if row.bid),
        tuple((row.ask, row.ask_size) for row in rows if row.ask),
    )
