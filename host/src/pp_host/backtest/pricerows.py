"""Rows of a stranger's price file become points, as the mapping file says where each part of one is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

from pp_host.backtest.figures import micros, middle, price_reader
from pp_host.backtest.foreign import Rows
from pp_host.backtest.importmap import ImportMap, PriceFrom
from pp_host.backtest.rowkeys import RowKeys, Side

Prices = Sequence[Decimal | None]


class RowPoint(NamedTuple):
    """time: milliseconds UTC; slot: 2 x the market's index, plus 1 for NO; price: micro-USD, None for null."""

    row: int
    time: int
    slot: int
    price: int | None
    rounded: bool


class PriceRows:
    """What one mapping file makes of rows that hold prices."""

    def __init__(self, mapping: ImportMap, keys: RowKeys) -> None:
        self._map = mapping.price
        self._keys = keys
        self._price = price_reader(mapping.price.scale)

    @property
    def columns(self) -> list[str]:
        """What has to be read of a file, each column once."""
        price = self._map
        named = [*self._keys.columns, price.column, price.yes, price.no, price.bid, price.ask]
        return list(dict.fromkeys(column for column in named if column is not None))

    def points(self, rows: Rows) -> Iterator[RowPoint]:
        """Every price of these rows, nulls among them, in the rows' order. Raises OperatorError."""
        keys = self._keys.read(rows)
        for sides, prices in self._priced(rows):
            exact = {price: _micros(price) for price in set(prices)}
            for row, (key, side, price) in enumerate(zip(keys, sides, prices, strict=True)):
                slot = self._keys.slot(rows, row, key, side)
                yield RowPoint(rows.first + row, key.time, slot, *exact[price])

    def _priced(self, rows: Rows) -> Iterator[tuple[Sequence[Side], Prices]]:
        """The side and the price of each row, once or, where a row carries both outcomes, twice."""
        price = self._map
        if price.yes is not None and price.no is not None:
            yield [0] * rows.count, rows.read(price.yes, self._price)
            yield [1] * rows.count, rows.read(price.no, self._price)
        else:
            yield self._keys.sides(rows), self._single(rows, price)

    def _single(self, rows: Rows, price: PriceFrom) -> Prices:
        if price.bid is None or price.ask is None:
            return self._keys.cells(rows, "price", price, self._price)
        bids, asks = rows.read(price.bid, self._price), rows.read(price.ask, self._price)
        middles: list[Decimal | None] = []
        for row, (bid, ask) in enumerate(zip(bids, asks, strict=True)):
            if bid is not None and ask is not None and bid > ask:
                raise rows.fault(price.bid, row, f"{bid} above the ask {ask}", hint="such a book cannot be")
            middles.append(None if bid is None or ask is None else middle(bid, ask))
        return middles


def _micros(price: Decimal | None) -> tuple[int | None, bool]:
    """Micro-USD, and whether digits were lost."""
    if price is None:
        return None, False
    whole = micros(price)
    return whole, price != Decimal(whole).scaleb(-6)
