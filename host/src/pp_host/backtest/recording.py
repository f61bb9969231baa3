"""What a tape's first two files say: the markets, and the price points in the order of time.

Laws: of a market only what the tape needs is read, and of a price only time, market, outcome and price: a
column that is never decoded cannot be shown too early. Nulls mean unknown. Contradictions (an unknown market
or outcome, time that runs backwards, two prices for one moment) are refused before anything is played.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pp_host.backtest import cells
from pp_host.backtest.columnfile import Batch, ColumnFile, Kind
from pp_host.backtest.market import Market, side_names, sides
from pp_host.backtest.survey import Survey
from pp_host.errors import OperatorError

MARKET_CELLS: Mapping[str, tuple[Kind, Callable[[Any], Any]]] = {
    "market_id": (Kind.TEXT, cells.name),
    "event_id": (Kind.TEXT, cells.text("event")),
    "question": (Kind.TEXT, cells.text("question")),
    "outcome_0": (Kind.TEXT, cells.text("yes_name")),
    "outcome_1": (Kind.TEXT, cells.text("no_name")),
    "start_ts": (Kind.TIME, cells.moment_or_none),
    "nominal_end_ts": (Kind.TIME, cells.moment_or_none),
    "close_ts": (Kind.TIME, cells.moment_or_none),
    "resolved_ts": (Kind.TIME, cells.moment_or_none),
    "resolved_yes_price": (Kind.NUMBER, cells.price_or_none),
}
PRICE_KINDS = {"ts": Kind.TIME, "market_id": Kind.TEXT, "outcome": Kind.TEXT, "price": Kind.NUMBER}

Point = tuple[int, int, int]  # microseconds UTC, slot (2 x the market's index, plus 1 for NO), micro-USD


def read_markets(path: Path, data: bytes) -> tuple[Market, ...]:
    """All markets, ordered by id. Raises OperatorError."""
    file = ColumnFile(path, data, {column: kind for column, (kind, _) in MARKET_CELLS.items()})
    markets: dict[str, Market] = {}
    for batch in file.batches():
        columns = [batch.cells(column, convert) for column, (_, convert) in MARKET_CELLS.items()]
        for row, values in enumerate(zip(*columns, strict=True), batch.first):
            market = _market(*values)
            if market.id in markets:
                what = f"{cells.shown(market.id)} appears twice"
                raise file.fault("market_id", row, what, hint="keep one row per market")
            if market.yes_name == market.no_name:
                what = f"both outcomes are called {cells.shown(market.no_name)}"
                raise file.fault("outcome_1", row, what, hint="name them differently")
            markets[market.id] = market
    return tuple(markets[name] for name in sorted(markets))


def _market(name: str, event: str, question: str, first: str, second: str, *rest: int | None) -> Market:
    yes, no = side_names(first, second)
    return Market(name, event, question, yes, no, *rest)


class Slots:
    """Which outcome a row is about, as one number: 2 x the market's index, plus 1 for NO."""

    def __init__(self, markets: Sequence[Market]) -> None:
        self._markets = markets
        self._index = {market.id: index for index, market in enumerate(markets)}
        self._slots = {
            (index, name): 2 * index + side
            for index, market in enumerate(markets)
            for name, side in sides(market.yes_name, market.no_name).items()
        }

    def read(self, file: ColumnFile, batch: Batch) -> list[int]:
        """By the columns market_id and outcome. Raises OperatorError."""
        markets = batch.cells("market_id", self._known)
        outcomes = batch.cells("outcome", cells.name)
        slots = [self._slots.get(pair, -1) for pair in zip(markets, outcomes, strict=True)]
        if -1 in slots:
            row = slots.index(-1)
            market = self._markets[markets[row]]
            what = f"market {cells.shown(market.id)} has no outcome {cells.shown(outcomes[row])}"
            hint = f"its outcomes are {cells.shown(market.yes_name)} and {cells.shown(market.no_name)}"
            raise file.fault("outcome", batch.first + row, what, hint=hint)
        return slots

    def survey(self, file: ColumnFile, stated: Iterable[tuple[int, int, int]], noun: str) -> Survey:
        """Walk (row, time, slot) once. Raises OperatorError when time falls or a moment states an outcome twice."""
        moments = array("q")
        newest = [-1] * (2 * len(self._markets))
        now = -1
        for row, at, slot in stated:
            if at < now:
                raise file.fault("ts", row, "earlier than the row before", hint="sort the file by ts")
            if newest[slot] == at:
                what = f"a second {noun} for market {cells.shown(self._markets[slot // 2].id)} at this time"
                raise file.fault("outcome", row, what, hint=f"keep one {noun} per ts, market and outcome")
            if at > now:
                moments.append(at)
            now = newest[slot] = at
        return Survey(moments, frozenset(slot // 2 for slot, at in enumerate(newest) if at >= 0))

    def _known(self, name: str | None) -> int:
        if name not in self._index:
            raise OperatorError(f"{cells.shown(name)} is not in markets.parquet", hint="add its row there")
        return self._index[name]


class PriceFile:
    """prices.parquet as points, read anew by each walk."""

    def __init__(self, path: Path, data: bytes, slots: Slots) -> None:
        self._file = ColumnFile(path, data, PRICE_KINDS)
        self._slots = slots

    def points(self) -> Iterator[Point]:
        """Every row in the file's order. Raises OperatorError at a cell that cannot be."""
        for batch in self._file.batches():
            times = batch.cells("ts", cells.moment)
            slots = self._slots.read(self._file, batch)
            yield from zip(times, slots, batch.cells("price", cells.price), strict=True)

    def survey(self) -> Survey:
        """Walk all points once. Raises OperatorError when they contradict each other."""
        stated = ((row, at, slot) for row, (at, slot, _) in enumerate(self.points()))
        return self._slots.survey(self._file, stated, "price")

    def empty(self) -> OperatorError:
        """The error for a tape on which nothing is stated."""
        return self._file.fault("ts", None, "no rows", hint="a tape needs at least one price, or a book")
