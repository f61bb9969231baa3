"""What an import keeps of rows: the points of a price file, or the levels of a book file, until they are written.

Laws: each kind counts what it keeps and leaves out, and finds its own contradictions once all rows are there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from pp_host.backtest.bookrows import BookRows
from pp_host.backtest.draft import drafted_file
from pp_host.backtest.folder import BOOKS, PRICES
from pp_host.backtest.foreign import Rows
from pp_host.backtest.ladder import Rung, ladders
from pp_host.backtest.pile import Pile
from pp_host.backtest.pricerows import PriceRows
from pp_host.backtest.tapewriter import Names, write_books, write_prices
from pp_host.errors import OperatorError

Place = Callable[
    [int], tuple[Path, int]
]  # of a row that was counted through all files: its file, its number there


class Kept(NamedTuple):
    """Of some rows: points and books kept, points and levels left out as null, prices and sizes that lost digits."""

    points: int
    books: int
    dropped: int
    rounded: int


class PointPile:
    """24 bytes a point."""

    noun = "price"

    def __init__(self, rows: PriceRows) -> None:
        self._rows = rows
        self._pile = Pile({"at": "q", "slot": "i", "price": "i", "row": "q"})
        self.columns = rows.columns

    def __len__(self) -> int:
        return len(self._pile)

    def take(self, rows: Rows, before: int) -> Kept:
        """All points; `before` is how many rows came before those of this file. Raises OperatorError."""
        kept = dropped = rounded = 0
        for point in self._rows.points(rows):
            if point.price is None:
                dropped += 1
                continue
            self._pile.add(point.time, point.slot, point.price, before + point.row)
            kept += 1
            rounded += point.rounded
        return Kept(kept, 0, dropped, rounded)

    def write(self, folder: Path, ranks: Sequence[int], names: Names, place: Place) -> None:
        """prices.parquet. Raises OperatorError when two points contradict."""
        points = self._pile.sort(ranks)
        if (twice := points.twice()) is not None:
            raise second(self.noun, place, *twice)
        with drafted_file(folder / PRICES) as file:
            write_prices(file, points, names)


class BookPile:
    """45 bytes a level."""

    noun = "book"

    def __init__(self, rows: BookRows) -> None:
        self._rows = rows
        codes = {
            "at": "q",
            "slot": "i",
            "level": "b",
            "bid": "i",
            "bid_size": "q",
            "ask": "i",
            "ask_size": "q",
        }
        self._pile = Pile({"row": "q"} | codes)
        self.columns = rows.columns

    def __len__(self) -> int:
        return len(self._pile)

    def take(self, rows: Rows, before: int) -> Kept:
        """All levels but those below the best at which nobody is. Raises OperatorError."""
        books = dropped = rounded = 0
        for rung, lost in self._rows.levels(rows):
            if rung.level and not (rung.bid or rung.ask):
                dropped += 1
                continue
            self._pile.add(before + rung.row, *rung[1:])
            books += rung.level == 0
            rounded += lost
        return Kept(0, books, dropped, rounded)

    def write(self, folder: Path, ranks: Sequence[int], names: Names, place: Place) -> None:
        """books.parquet, and prices.parquet without a row. Raises OperatorError when levels make no books."""
        levels = self._pile.sort(ranks)

        def fault(column: str, row: int, what: str, hint: str) -> OperatorError:
            path, number = place(row)
            return OperatorError(
                f"{path}: column {self._rows.column(column)}, row {number}: {what}", hint=hint
            )

        before = (-1, -1, -1)
        for best, *_ in ladders((Rung(*cells) for cells in levels.tuples(*Rung._fields)), fault):
            if best[1:3] == before[1:]:
                raise second(self.noun, place, before[0], best.row)
            before = best[:3]
        with drafted_file(folder / PRICES) as file:
            write_prices(file, None, names)
        with drafted_file(folder / BOOKS) as file:
            write_books(file, levels, names)


def second(noun: str, place: Place, first: int, row: int) -> OperatorError:
    """Two statements of one outcome at one time."""
    (earlier, before), (later, number) = place(first), place(row)
    what = f"a second {noun} of one outcome at one time; the first is row {before} of {earlier}"
    return OperatorError(
        f"{later}: row {number}: {what}", hint=f"keep one {noun} per time, market and outcome"
    )
