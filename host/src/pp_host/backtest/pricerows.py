"""Rows of a stranger's price file become points, as the mapping file says where each part of one is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple, TypeVar

from pp_host.backtest import cells
from pp_host.backtest.catalogue import Catalogue
from pp_host.backtest.figures import micros, middle, price_reader, time_reader
from pp_host.backtest.foreign import Rows
from pp_host.backtest.importmap import ImportMap, OutcomeFrom, PriceFrom, TextFrom
from pp_host.errors import OperatorError

T = TypeVar("T")

Side = str | int  # an outcome's name, or 0 for YES and 1 for NO
Prices = Sequence[Decimal | None]


class RowPoint(NamedTuple):
    """time: milliseconds UTC; slot: 2 x the market's index, plus 1 for NO; price: micro-USD, None for null."""

    row: int
    time: int
    slot: int
    price: int | None
    rounded: bool


class PriceRows:
    """What one mapping file makes of rows; `path` is that file, for its errors."""

    def __init__(self, mapping: ImportMap, path: Path, catalogue: Catalogue) -> None:
        self._map = mapping
        self._path = path
        self._catalogue = catalogue
        self._time = time_reader(mapping.time.unit, round_up=mapping.time.round_up)
        self._price = price_reader(mapping.price.scale)
        self._side = _side_reader(mapping.outcome)

    @property
    def columns(self) -> list[str]:
        """What has to be read of a file, each column once."""
        price = self._map.price
        single = [
            source.column for source in (self._map.time, self._map.market, self._map.outcome, price) if source
        ]
        named = [*single, price.yes, price.no, price.bid, price.ask, *self._catalogue.columns]
        return list(dict.fromkeys(column for column in named if column is not None))

    def points(self, rows: Rows) -> Iterator[RowPoint]:
        """Every price of these rows, nulls among them, in the rows' order. Raises OperatorError."""
        times = self._cells(rows, "time", self._map.time, self._time)
        names = self._cells(rows, "market", self._map.market, cells.name)
        self._catalogue.hear(rows, names)
        known = self._cells(rows, "market", self._map.market, lambda name: self._catalogue.market(name or ""))
        for sides, prices in self._priced(rows):
            exact = {price: _micros(price) for price in set(prices)}
            for row, (time, market, side, price) in enumerate(zip(times, known, sides, prices, strict=True)):
                which = side if isinstance(side, int) else market.sides.get(side)
                if which is None:
                    raise self._unknown(rows, row, names[row], str(side), market.sides)
                yield RowPoint(rows.first + row, time, 2 * market.index + which, *exact[price])

    def _priced(self, rows: Rows) -> Iterator[tuple[Sequence[Side], Prices]]:
        """The side and the price of each row, once or, where a row carries both outcomes, twice."""
        price, outcome = self._map.price, self._map.outcome
        if price.yes is not None and price.no is not None:
            yield [0] * rows.count, rows.read(price.yes, self._price)
            yield [1] * rows.count, rows.read(price.no, self._price)
        elif outcome is not None:
            yield self._cells(rows, "outcome", outcome, self._side), self._single(rows, price)

    def _single(self, rows: Rows, price: PriceFrom) -> Prices:
        if price.bid is None or price.ask is None:
            return self._cells(rows, "price", price, self._price)
        bids, asks = rows.read(price.bid, self._price), rows.read(price.ask, self._price)
        middles: list[Decimal | None] = []
        for row, (bid, ask) in enumerate(zip(bids, asks, strict=True)):
            if bid is not None and ask is not None and bid > ask:
                raise rows.fault(price.bid, row, f"{bid} above the ask {ask}", hint="such a book cannot be")
            middles.append(None if bid is None or ask is None else middle(bid, ask))
        return middles

    def _cells(
        self, rows: Rows, key: str, source: TextFrom, convert: Callable[[str | None], T]
    ) -> Sequence[T]:
        """A column's cells, or the mapping file's own value for every row."""
        if source.column is not None:
            return rows.read(source.column, convert)
        try:
            return [convert(source.value)] * rows.count
        except OperatorError as bad:
            raise OperatorError(f"{self._path}: key {key}.value: {bad}", hint=bad.hint) from None

    def _unknown(self, rows: Rows, row: int, market: str, side: str, sides: dict[str, int]) -> OperatorError:
        what = f"market {cells.shown(market)} has no outcome {cells.shown(side)}"
        hint = (
            f"its outcomes are {', '.join(map(cells.shown, sides))}; outcome.yes and outcome.no name others"
        )
        column = self._map.outcome.column if self._map.outcome else None
        if column is None:
            return OperatorError(f"{self._path}: key outcome.value: {what}", hint=hint)
        return rows.fault(column, row, what, hint=hint)


def _micros(price: Decimal | None) -> tuple[int | None, bool]:
    """Micro-USD, and whether digits were lost."""
    if price is None:
        return None, False
    whole = micros(price)
    return whole, price != Decimal(whole).scaleb(-6)


def _side_reader(outcome: OutcomeFrom | None) -> Callable[[str | None], Side]:
    """Cells to sides where the mapping file spells them, else to names."""
    if outcome is None or outcome.yes is None or outcome.no is None:
        return cells.name
    spelled = {outcome.yes: 0, outcome.no: 1}

    def read(text: str | None) -> Side:
        if text not in spelled:
            hint = f"outcome.yes is {cells.shown(outcome.yes)}, outcome.no is {cells.shown(outcome.no)}"
            raise OperatorError(f"{cells.shown(text)} is neither outcome", hint=hint)
        return spelled[text]

    return read
