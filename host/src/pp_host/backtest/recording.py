"""What a tape's two files say: the markets, and the price points in the order of time.

Laws: of a market only what the tape needs is read, and of a price only time, market, outcome and price: a
column that is never decoded cannot be shown too early. Nulls mean unknown. Contradictions (an unknown market
or outcome, time that runs backwards, two prices for one moment) are refused before anything is played.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pp_host.backtest import cells
from pp_host.backtest.columnfile import ColumnFile, Kind
from pp_host.backtest.market import Market, side_names, sides
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


class Survey(NamedTuple):
    """What one walk over all points found: the distinct times, and which markets (indices) have a price."""

    moments: array[int]
    priced: frozenset[int]


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


class PriceFile:
    """prices.parquet as points, read anew by each walk."""

    def __init__(self, path: Path, data: bytes, markets: Sequence[Market]) -> None:
        self._file = ColumnFile(path, data, PRICE_KINDS)
        self._markets = markets
        self._index = {market.id: index for index, market in enumerate(markets)}
        self._slots = _slots(markets)

    def points(self) -> Iterator[Point]:
        """Every row in the file's order. Raises OperatorError at a cell that cannot be."""
        for batch in self._file.batches():
            times = batch.cells("ts", cells.moment)
            markets = batch.cells("market_id", self._known)
            outcomes = batch.cells("outcome", cells.name)
            prices = batch.cells("price", cells.price)
            slots = [self._slots.get(pair, -1) for pair in zip(markets, outcomes, strict=True)]
            if -1 in slots:
                row = slots.index(-1)
                market = self._markets[markets[row]]
                what = f"market {cells.shown(market.id)} has no outcome {cells.shown(outcomes[row])}"
                hint = f"its outcomes are {cells.shown(market.yes_name)} and {cells.shown(market.no_name)}"
                raise self._file.fault("outcome", batch.first + row, what, hint=hint)
            yield from zip(times, slots, prices, strict=True)

    def survey(self) -> Survey:
        """Walk all points once. Raises OperatorError when time falls or a moment prices an outcome twice."""
        moments = array("q")
        newest = [-1] * (2 * len(self._markets))
        now = -1
        for row, (at, slot, _) in enumerate(self.points()):
            if at < now:
                raise self._file.fault("ts", row, "earlier than the row before", hint="sort the file by ts")
            if newest[slot] == at:
                what = f"a second price for market {cells.shown(self._markets[slot // 2].id)} at this time"
                raise self._file.fault("outcome", row, what, hint="keep one price per ts, market and outcome")
            if at > now:
                moments.append(at)
            now = newest[slot] = at
        if not moments:
            raise self._file.fault("ts", None, "no rows", hint="a tape needs at least one price")
        return Survey(moments, frozenset(slot // 2 for slot, at in enumerate(newest) if at >= 0))

    def _known(self, name: str | None) -> int:
        if name not in self._index:
            raise OperatorError(f"{cells.shown(name)} is not in markets.parquet", hint="add its row there")
        return self._index[name]


def _slots(markets: Sequence[Market]) -> dict[tuple[int, str], int]:
    return {
        (index, name): 2 * index + side
        for index, market in enumerate(markets)
        for name, side in sides(market.yes_name, market.no_name).items()
    }
