"""What the points and books of one market show, walked once in the order of time.

Laws: times are microseconds UTC, prices micro-USD per share, shares of a whole parts per million. What is stated at a
step is a point or a book of either outcome at that very moment; nothing is carried forward.
"""

from __future__ import annotations

from msgspec import Struct

from pp_host.backtest.book import Book
from pp_host.backtest.booktrace import BookCoverage, BookTrace
from pp_host.backtest.gaps import Gap, Gaps
from pp_host.backtest.market import Market
from pp_host.model import MICRO, PPM


class MarketCoverage(Struct, frozen=True):
    """One market. None where there is nothing to tell.

    share:            of the tape's steps, those at which it has a price or a book, in parts per million
    contradiction:    the largest |yes + no - 1| at a step that prices both, and the first step where
    outcome:          what a YES share paid; None when no outcome is recorded
    books:            what its recorded books show
    """

    market: str
    event: str
    question: str
    yes_name: str
    no_name: str
    yes_points: int
    no_points: int
    steps: int
    share: int
    first: int | None
    last: int | None
    largest_gap: Gap | None
    yes_price: int | None
    no_price: int | None
    outcome: int | None
    contradiction: int | None
    contradiction_at: int | None
    books: BookCoverage | None


class Trace:
    """What has been stated of one market so far."""

    __slots__ = (
        "at",
        "books",
        "contradiction",
        "contradiction_at",
        "gaps",
        "points",
        "prices",
    )

    def __init__(self) -> None:
        self.points = [0, 0]
        self.prices: list[int | None] = [None, None]
        self.at = [-1, -1]
        self.books = BookTrace()
        self.gaps = Gaps()
        self.contradiction = self.contradiction_at = -1

    def take(self, at: int, side: int, stated: int | Book) -> None:
        """One point or book, in the order of time."""
        self.gaps.step(at)
        if isinstance(stated, int):
            self._price(at, side, stated)
        else:
            self.books.take(at, side, stated)

    def _price(self, at: int, side: int, price: int) -> None:
        self.points[side] += 1
        self.prices[side] = price
        self.at[side] = at
        other = self.prices[1 - side]
        if self.at[1 - side] == at and other is not None and abs(price + other - MICRO) > self.contradiction:
            self.contradiction = abs(price + other - MICRO)
            self.contradiction_at = at

    def told(self, market: Market, steps: int) -> MarketCoverage:
        return MarketCoverage(
            market=market.id,
            event=market.event,
            question=market.question,
            yes_name=market.yes_name,
            no_name=market.no_name,
            yes_points=self.points[0],
            no_points=self.points[1],
            steps=self.gaps.steps,
            share=self.gaps.steps * PPM // steps,
            first=_known(self.gaps.first),
            last=_known(self.gaps.newest),
            largest_gap=next(iter(self.gaps.told()), None),
            yes_price=self.prices[0],
            no_price=self.prices[1],
            outcome=market.yes_payout,
            contradiction=_known(self.contradiction),
            contradiction_at=_known(self.contradiction_at),
            books=self.books.told(steps),
        )


def _known(value: int) -> int | None:
    return None if value < 0 else value
