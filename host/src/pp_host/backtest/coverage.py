"""What is on a tape: how much, when, and where nothing is.

Laws: everything is counted from the points and books that `pp run --tape` would play, and only read. Times are
microseconds UTC.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median_low
from typing import NamedTuple

from msgspec import Struct

from pp_host.backtest.booktrace import BookCoverage, BookTrace
from pp_host.backtest.folder import TapeFolder
from pp_host.backtest.gaps import Gap, Gaps
from pp_host.backtest.market import Market
from pp_host.backtest.survey import TapeSurvey
from pp_host.backtest.timeline import Timeline
from pp_host.backtest.trace import MarketCoverage, Trace
from pp_host.errors import OperatorError

MOST_LINES = 60  # above it a picture has a line per event instead of one per market


class Coverage(Struct, frozen=True):
    """A whole tape.

    markets:    rows of the markets' file; `priced` of them have a price or a book, `booked` a book; `outcomes` of the
                priced ones have a recorded outcome
    usual_step: the median distance between steps, the lower of two; None with a single step
    gaps:       the largest distances between steps, longest first
    books:      what all recorded books show; None without any
    by_market:  the priced markets by id, or the one that was asked for
    """

    digest: str
    markets: int
    priced: int
    booked: int
    outcomes: int
    points: int
    steps: int
    first: int
    last: int
    usual_step: int | None
    gaps: list[Gap]
    books: BookCoverage | None
    by_market: list[MarketCoverage]


class Covered(NamedTuple):
    """timeline: when each market was priced or booked; booked: when each that has books was booked"""

    coverage: Coverage
    timeline: Timeline
    booked: Timeline


def cover(folder: Path, market: str = "", columns: int = 1) -> Covered:
    """Walk a tape twice; all its markets, or the one named. Raises OperatorError as `pp run --tape` does.

    columns: how many stretches of time the timelines have at most
    """
    read = TapeFolder.read(folder)
    survey = read.survey()
    moments = survey.whole.moments
    shown = [_index(read, market)] if market else sorted(survey.whole.markets)
    lines = dict(zip(shown, _lines([read.markets[index] for index in shown]), strict=True))
    booked = {index: line for index, line in lines.items() if index in survey.books.markets}
    covered = Timeline(moments, columns, lines.values()), Timeline(moments, columns, booked.values())
    traces = {index: Trace() for index in survey.whole.markets.union(shown)}
    books = BookTrace()
    for at, slot, stated in read.statements():
        index = slot // 2
        traces[index].take(at, slot % 2, stated)
        if index in lines:
            covered[0].mark(lines[index], at)
        if not isinstance(stated, int):
            books.take(at, slot % 2, stated)
            if index in booked:
                covered[1].mark(booked[index], at)
    by_market = [traces[index].told(read.markets[index], len(moments)) for index in shown]
    points = sum(sum(trace.points) for trace in traces.values())
    return Covered(_whole(read, survey, points, books, by_market), *covered)


def _whole(
    read: TapeFolder, survey: TapeSurvey, points: int, books: BookTrace, by_market: list[MarketCoverage]
) -> Coverage:
    moments = survey.whole.moments
    distances = [later - earlier for earlier, later in pairwise(moments)]
    return Coverage(
        digest=read.digest,
        markets=len(read.markets),
        priced=len(survey.whole.markets),
        booked=len(survey.books.markets),
        outcomes=sum(read.markets[index].yes_payout is not None for index in survey.whole.markets),
        points=points,
        steps=len(moments),
        first=moments[0],
        last=moments[-1],
        usual_step=median_low(distances) if distances else None,
        gaps=_largest(moments),
        books=books.told(len(moments)),
        by_market=by_market,
    )


def _largest(moments: Sequence[int]) -> list[Gap]:
    gaps = Gaps()
    for at in moments:
        gaps.step(at)
    return gaps.told()


def _index(read: TapeFolder, market: str) -> int:
    for index, known in enumerate(read.markets):
        if known.id == market:
            return index
    raise OperatorError(
        f"{read.path}: no market {market}", hint=f"pp data show {read.path} lists its markets"
    )


def _lines(markets: Sequence[Market]) -> list[str]:
    """The timeline's line of each market: its own, or its event's when there are many."""
    by_event = len(markets) > MOST_LINES
    return [(by_event and market.event) or market.id for market in markets]
