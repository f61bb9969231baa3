"""Rows of a stranger's book file become levels, as the mapping file says where each part of one is.

Laws: a price is exact or refused, a size is rounded down: nothing is on offer that was not recorded. Nobody is where
the price is null or the size is 0; a price without a size, and the other way round, is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pp_host.backtest import cells
from pp_host.backtest.figures import level, quote_reader, shares
from pp_host.backtest.foreign import Rows
from pp_host.backtest.importmap import BOOK, ImportMap
from pp_host.backtest.ladder import Rung, check_sides, check_uncrossed
from pp_host.backtest.rowkeys import RowKeys
from pp_host.errors import OperatorError
from pp_host.model import MICRO


class RowLevel(NamedTuple):
    """rung: its time in milliseconds UTC, its row counted in the file; rounded: how many of its sizes lost digits"""

    rung: Rung
    rounded: int


class BookRows:
    """What one mapping file makes of rows that hold books."""

    def __init__(self, mapping: ImportMap, keys: RowKeys) -> None:
        price = mapping.price
        named = {key: getattr(price, key) for key in (*BOOK, "level")}
        self._named: dict[str, str] = {key: column for key, column in named.items() if column is not None}
        self._keys = keys
        self._price = quote_reader(price.scale)

    @property
    def columns(self) -> list[str]:
        """What has to be read of a file, each column once."""
        keys = [column for column in self._keys.columns if column is not None]
        return list(dict.fromkeys([*keys, *self._named.values()]))

    def column(self, key: str) -> str:
        """What a file calls a column of books.parquet."""
        return self._named.get(key, key)

    def levels(self, rows: Rows) -> Iterator[RowLevel]:
        """A level a row, empty ones among them, in the rows' order. Raises OperatorError."""
        named = self._named
        prices = [rows.read(named[side], self._price) for side in ("bid", "ask")]
        sizes = [rows.read(named[f"{side}_size"], shares) for side in ("bid", "ask")]
        levels = rows.read(named["level"], level) if "level" in named else [0] * rows.count
        columns = zip(self._keys.read(rows), self._keys.sides(rows), levels, *prices, *sizes, strict=True)
        for row, (key, side, place, bid, ask, bid_size, ask_size) in enumerate(columns):
            slot = self._keys.slot(rows, row, key, side)
            offers = *_side(bid, bid_size[0]), *_side(ask, ask_size[0])
            rung = Rung(rows.first + row, key.time, slot, place, *offers)
            self._check(rows, rung)
            yield RowLevel(rung, bid_size[1] + ask_size[1])

    def _check(self, rows: Rows, rung: Rung) -> None:
        def fault(key: str, row: int, what: str, hint: str) -> OperatorError:
            return rows.fault(self.column(key), row - rows.first, what, hint=hint)

        for side, price in (("bid", rung.bid), ("ask", rung.ask)):
            if price == MICRO:
                raise fault(side, rung.row, "1 dollar is not a price of a book", cells.QUOTE_HINT)
        check_sides(rung, fault)
        check_uncrossed(rung, fault)


def _side(price: int, size: int | None) -> tuple[int, int]:
    """Price and size, nobody where the size is 0; a size that is missing is seen by the check."""
    return (0, 0) if size == 0 else (price, size or 0)
