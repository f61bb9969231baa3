"""What the points of one market show, walked once in the order of time.

Laws: times are microseconds UTC, prices micro-USD per share, shares of a whole parts per million. A price at a step is
a point of either outcome at that very moment; nothing is carried forward.
"""

from __future__ import annotations

from msgspec import Struct

from pp_host.backtest.market import Market
from pp_host.model import MICRO, PPM


class Gap(Struct, frozen=True, rename={"start": "from", "end": "to"}):
    """A stretch between two steps that follow each other."""

    start: int
    end: int
    length: int


class MarketCoverage(Struct, frozen=True):
    """One market. None where there is nothing to tell.

    share:            of the tape's steps, those at which it has a price, in parts per million
    contradiction:    the largest |yes + no - 1| at a step that prices both, and the first step where
    outcome:          what a YES share paid; None when no outcome is recorded
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


class Trace:
    """What one market's points have shown so far."""

    __slots__ = ("at", "contradiction", "contradiction_at", "first", "gap", "points", "prices", "steps")

    def __init__(self) -> None:
        self.points = [0, 0]
        self.prices: list[int | None] = [None, None]
        self.at = [-1, -1]
        self.first = -1
        self.steps = 0
        self.gap: tuple[int, int] | None = None
        self.contradiction = self.contradiction_at = -1

    def take(self, at: int, side: int, price: int) -> bool:
        """One point, in the order of time; whether it is the market's first at its moment."""
        self.points[side] += 1
        self.prices[side] = price
        other = self.prices[1 - side]
        fresh = self.at[1 - side] != at
        if fresh:
            self._step(at)
        elif other is not None and abs(price + other - MICRO) > self.contradiction:
            self.contradiction = abs(price + other - MICRO)
            self.contradiction_at = at
        self.at[side] = at
        return fresh

    def _step(self, at: int) -> None:
        newest = max(self.at)
        self.steps += 1
        if newest < 0:
            self.first = at
        elif self.gap is None or at - newest > self.gap[1] - self.gap[0]:
            self.gap = newest, at

    def told(self, market: Market, steps: int) -> MarketCoverage:
        return MarketCoverage(
            market=market.id,
            event=market.event,
            question=market.question,
            yes_name=market.yes_name,
            no_name=market.no_name,
            yes_points=self.points[0],
            no_points=self.points[1],
            steps=self.steps,
            share=self.steps * PPM // steps,
            first=_known(self.first),
            last=_known(max(self.at)),
            largest_gap=Gap(*self.gap, self.gap[1] - self.gap[0]) if self.gap else None,
            yes_price=self.prices[0],
            no_price=self.prices[1],
            outcome=market.yes_payout,
            contradiction=_known(self.contradiction),
            contradiction_at=_known(self.contradiction_at),
        )


def _known(value: int) -> int | None:
    return None if value < 0 else value
