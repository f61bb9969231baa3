"""What can be bought of each market at this moment, one share at a time, fee included.

Laws: reads columns, not rows. What the host would refuse on sight is no leg, because a set with a hole in it is a bet:
a price outside the band or off its tick, a spread too wide, a quote too old, a market that has ended. Money is
micro-USD, sizes micro-shares; what a share costs is an exact fraction, by the host's own formula.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from pp_sdk import MICRO, NO, OPEN, YES, MarketTable

SIDES = ("yes_bid", "yes_ask", "yes_ask_size", "no_bid", "no_ask", "no_ask_size")


class Terms(NamedTuple):
    """What the operator says of fees and of quotes: ppm, 0..4, micro-USD, micro-USD, micro-USD, microseconds."""

    fee_rate: int
    fee_exponent: int
    lowest: int
    highest: int
    most_spread: int
    most_age: int


class Leg(NamedTuple):
    """One outcome at its best ask, of which `size` are offered; `cost` is one share's, fee included."""

    market: str
    outcome: str
    ask: int
    size: int
    min_size: int
    cost: Fraction


class Market(NamedTuple):
    """A market of the table and what of it can be bought."""

    id: str
    event: str
    yes: Leg | None
    no: Leg | None


@lru_cache(maxsize=4096)  # a table repeats few prices
def cost(ask: int, rate: int, exponent: int) -> Fraction:
    """Micro-USD for one share at `ask`: price + rate x (p(1 - p))^exponent."""
    return ask + Fraction(rate * (ask * (MICRO - ask)) ** exponent, (MICRO * MICRO) ** exponent)


def on_sale(markets: MarketTable, now: int, terms: Terms) -> Iterator[Market]:
    """Every market of the table in its order, with the legs that can be had at `now`."""
    rates = [terms.fee_rate if rate is None else rate for rate in markets.cells("fee_rate")]
    exponents = [terms.fee_exponent if power is None else power for power in markets.cells("fee_exponent")]
    names = zip(markets.cells("id"), markets.cells("event"), _live(markets, now, terms), strict=True)
    orders = zip(rates, exponents, markets.column("tick"), markets.column("min_size"), strict=True)
    quotes = zip(*(markets.column(name) for name in SIDES), strict=True)
    for (name, event, live), order, quote in zip(names, orders, quotes, strict=True):
        yes = _leg(name, YES, quote[:3], order, terms) if live else None
        no = _leg(name, NO, quote[3:], order, terms) if live else None
        yield Market(name, event, yes, no)


def _live(markets: MarketTable, now: int, terms: Terms) -> list[bool]:
    """Which rows are open, not past their end, and quoted lately; a null time is 0 in its column."""
    columns = (markets.column(name) for name in ("status", "ends_at", "quoted_at"))
    return [
        status == OPEN and not 0 < ends_at <= now and abs(now - quoted_at) <= terms.most_age
        for status, ends_at, quoted_at in zip(*columns, strict=True)
    ]


def _leg(
    market: str, outcome: str, quote: tuple[int, ...], order: tuple[int, int, int, int], terms: Terms
) -> Leg | None:
    """`quote` is bid, ask and the ask's size, 0 where a side is empty; `order` fee rate, exponent, tick, least size."""
    bid, ask, size = quote
    rate, exponent, tick, min_size = order
    if not terms.lowest <= ask <= terms.highest or ask - bid > terms.most_spread or ask % tick or not size:
        return None
    return Leg(market, outcome, ask, size, min_size, cost(ask, rate, exponent))
