"""What a tape's third file says: order books, as they were recorded, in the order of time.

Laws: only the columns of a book are read. Whatever cannot be is refused with file, column and row; what a book must be
is the ladder's to say. At most one batch of rows and one book are in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pp_host.backtest import cells
from pp_host.backtest.book import Book
from pp_host.backtest.columnfile import ColumnFile, Kind
from pp_host.backtest.ladder import Rung, book, ladders
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


class BookFile:
    """books.parquet, read anew by each walk."""

    def __init__(self, path: Path, data: bytes, slots: Slots) -> None:
        self._file = ColumnFile(path, data, BOOK_KINDS)
        self._slots = slots

    def books(self) -> Iterator[tuple[int, int, Book]]:
        """Every book in the file's order: microseconds UTC, slot, book. Raises OperatorError."""
        for ladder in ladders(self._rungs(), self._fault):
            yield ladder[0].at, ladder[0].slot, book(ladder)

    def survey(self) -> Survey:
        """Walk all books once. Raises OperatorError when they contradict each other."""
        stated = ((best.row, best.at, best.slot) for best, *_ in ladders(self._rungs(), self._fault))
        return self._slots.survey(self._file, stated, "book")

    def _rungs(self) -> Iterator[Rung]:
        for batch in self._file.batches():
            yield from map(
                Rung,
                range(batch.first, batch.first + len(batch)),
                batch.cells("ts", cells.moment),
                self._slots.read(self._file, batch),
                batch.cells("level", cells.level),
                batch.cells("bid", cells.quoted_price),
                batch.cells("bid_size", cells.size),
                batch.cells("ask", cells.quoted_price),
                batch.cells("ask_size", cells.size),
            )

    def _fault(self, column: str, row: int, what: str, hint: str) -> OperatorError:
        return self._file.fault(column, row, what, hint=hint)
