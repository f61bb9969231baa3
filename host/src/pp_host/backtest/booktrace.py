"""What the recorded books of one market, or of a whole tape, show.

Laws: spreads are micro-USD per share, shares of a whole parts per million. A spread is that of a book with somebody on
both sides; each such book counts once, however long it stood.
"""

from __future__ import annotations

from collections import Counter

from msgspec import Struct

from pp_host.backtest.book import Book
from pp_host.backtest.gaps import Gap, Gaps
from pp_host.model import PPM


class BookCoverage(Struct, frozen=True):
    """Recorded books.

    one_sided:     books with nobody on one side, or on both
    levels:        the most on one side of a book
    steps, share:  steps at which one was recorded; the same in parts per million of the tape's steps
    spread_median: half of the two-sided books have this spread or less, `spread_90` nine in ten; None without any
    gaps:          the largest distances between those steps, longest first
    """

    yes_books: int
    no_books: int
    one_sided: int
    levels: int
    steps: int
    share: int
    spread_median: int | None
    spread_90: int | None
    gaps: list[Gap]


class BookTrace:
    """What some books have shown so far, taken in the order of time."""

    __slots__ = ("_books", "_gaps", "_levels", "_spreads")

    def __init__(self) -> None:
        self._books = [0, 0]
        self._gaps = Gaps()
        self._levels = 0
        self._spreads: Counter[int] = Counter()

    def take(self, at: int, side: int, book: Book) -> None:
        self._books[side] += 1
        self._gaps.step(at)
        self._levels = max(self._levels, len(book.bids), len(book.asks))
        if (spread := book.spread) is not None:
            self._spreads[spread] += 1

    def told(self, steps: int) -> BookCoverage | None:
        """None without a book; `steps` are the tape's."""
        yes, no = self._books
        if not yes + no:
            return None
        return BookCoverage(
            yes_books=yes,
            no_books=no,
            one_sided=yes + no - self._spreads.total(),
            levels=self._levels,
            steps=self._gaps.steps,
            share=self._gaps.steps * PPM // steps,
            spread_median=at_most(self._spreads, 500_000),
            spread_90=at_most(self._spreads, 900_000),
            gaps=self._gaps.told(),
        )


def at_most(counted: Counter[int], ppm: int) -> int | None:
    """The smallest value that this share of all is not above (nearest rank); None of nothing."""
    left = -(-counted.total() * ppm // PPM)
    for value in sorted(counted):
        left -= counted[value]
        if left <= 0:
            return value
    return None
