"""A recorded price point becomes a quote: one level a side, around the point and never inside it.

Laws: a recorded book is quoted as it is; what follows is of points alone. Rounding is outward (bid down, ask up), so
that nothing fills at the recorded price itself. A side that would leave [tick, 1 - tick] is absent. Prices are
micro-USD per share, sizes micro-shares.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct

from pp_host.backtest.book import Book, Levels
from pp_host.model import MICRO

NOBODY: Levels = ((0, 0),)


class TapeSettings(Struct, frozen=True, kw_only=True):
    """How points become books: [tape] of pp.toml, whose rules hold. Depth is micro-USD on each side, tick is
    micro-USD.
    """

    spread_ticks: int
    depth: int
    tick: int


class Quote(NamedTuple):
    """The best of both sides as four cells of the market table, which spells an absent side 0."""

    bid: int
    bid_size: int
    ask: int
    ask_size: int


NO_QUOTE = Quote(0, 0, 0, 0)


def best(book: Book) -> Quote:
    """What the first levels of a recorded book come to."""
    return Quote(*(book.bids or NOBODY)[0], *(book.asks or NOBODY)[0])


class Quotes(dict[int, Quote]):
    """Quotes by recorded price, each worked out once: a tape repeats few distinct prices."""

    def __init__(self, settings: TapeSettings) -> None:
        super().__init__()
        self._settings = settings

    def __missing__(self, price: int) -> Quote:
        tick = self._settings.tick
        margin = self._settings.spread_ticks * tick
        bid = price // tick * tick - margin
        ask = -(-price // tick) * tick + margin
        quote = self[price] = Quote(*self._side(bid), *self._side(ask))
        return quote

    def _side(self, price: int) -> tuple[int, int]:
        """Price and size of one side, or twice 0 outside the range."""
        if not self._settings.tick <= price <= MICRO - self._settings.tick:
            return 0, 0
        return price, self._settings.depth * MICRO // price
