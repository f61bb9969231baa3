"""What is on a tape: how much, when, and where nothing is.

Laws: everything is counted from the points that `pp run --tape` would play, and only read. Times are microseconds UTC,
prices micro-USD per share, shares of a whole parts per million. A market's price at a step is a point of either
outcome at that very moment; nothing is carried forward.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import nlargest
from itertools import pairwise
from pathlib import Path
from statistics import median_low
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

from pp_host.backtest.folder import TapeFolder
from pp_host.backtest.market import Market
from pp_host.backtest.timeline import Timeline
from pp_host.errors import OperatorError
from pp_host.model import MICRO, PPM

if TYPE_CHECKING:
    from pp_host.backtest.recording import Survey

MOST_GAPS = 5
MOST_LINES = 60  # above it a picture has a line per event instead of one per market


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


class Coverage(Struct, frozen=True):
    """A whole tape.

    markets:    rows of the markets' file; `priced` of them have a price, `outcomes` of those a recorded outcome
    usual_step: the median distance between steps, the lower of two; None with a single step
    gaps:       the largest distances between steps, longest first
    by_market:  the priced markets by id, or the one that was asked for
    """

    digest: str
    markets: int
    priced: int
    outcomes: int
    points: int
    steps: int
    first: int
    last: int
    usual_step: int | None
    gaps: list[Gap]
    by_market: list[MarketCoverage]


class Covered(NamedTuple):
    coverage: Coverage
    timeline: Timeline


def cover(folder: Path, market: str = "", columns: int = 1) -> Covered:
    """Walk a tape twice; all its markets, or the one named. Raises OperatorError as `pp run --tape` does.

    columns: how many stretches of time the timeline has at most
    """
    read = TapeFolder.read(folder)
    survey = read.prices.survey()
    shown = [_index(read, market)] if market else sorted(survey.priced)
    line_of = dict(zip(shown, _lines([read.markets[index] for index in shown]), strict=True))
    timeline = Timeline(survey.moments, columns, line_of.values())
    traces = {index: _Trace() for index in survey.priced.union(shown)}
    for at, slot, price in read.prices.points():
        index = slot // 2
        if traces[index].take(at, slot % 2, price) and index in line_of:
            timeline.mark(line_of[index], at)
    by_market = [traces[index].told(read.markets[index], len(survey.moments)) for index in shown]
    return Covered(_whole(read, survey, sum(sum(t.points) for t in traces.values()), by_market), timeline)


def _whole(read: TapeFolder, survey: Survey, points: int, by_market: list[MarketCoverage]) -> Coverage:
    distances = [later - earlier for earlier, later in pairwise(survey.moments)]
    return Coverage(
        digest=read.digest,
        markets=len(read.markets),
        priced=len(survey.priced),
        outcomes=sum(read.markets[index].yes_payout is not None for index in survey.priced),
        points=points,
        steps=len(survey.moments),
        first=survey.moments[0],
        last=survey.moments[-1],
        usual_step=median_low(distances) if distances else None,
        gaps=largest_gaps(survey.moments),
        by_market=by_market,
    )


def largest_gaps(moments: Sequence[int]) -> list[Gap]:
    """The longest distances between moments that follow each other; of equal ones the earlier first."""
    longest = nlargest(MOST_GAPS, pairwise(moments), key=lambda pair: (pair[1] - pair[0], -pair[0]))
    return [Gap(start, end, end - start) for start, end in longest]


def _index(read: TapeFolder, market: str) -> int:
    for index, known in enumerate(read.markets):
        if known.id == market:
            return index
    raise OperatorError(
        f"{read.path}: no market {market}", hint=f"pp data show {read.path} lists the markets with a price"
    )


def _lines(markets: Sequence[Market]) -> list[str]:
    """The timeline's line of each market: its own, or its event's when there are many."""
    by_event = len(markets) > MOST_LINES
    return [(by_event and market.event) or market.id for market in markets]


class _Trace:
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
