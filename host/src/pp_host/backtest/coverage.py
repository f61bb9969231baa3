"""What is on a tape: how much, when, and where nothing is.

Laws: everything is counted from the points that `pp run --tape` would play, and only read. Times are microseconds UTC.
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
from pp_host.backtest.trace import Gap, MarketCoverage, Trace
from pp_host.errors import OperatorError

if TYPE_CHECKING:
    from pp_host.backtest.recording import Survey

MOST_GAPS = 5
MOST_LINES = 60  # above it a picture has a line per event instead of one per market


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
    traces = {index: Trace() for index in survey.priced.union(shown)}
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
