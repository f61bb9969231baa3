"""What an operator allows: the limits of the account, and of each plugin.

Laws: frozen integers (micro-USD, ppm, microseconds UTC); read from pp.toml and grants elsewhere. A Policy has
no field that switches a check off. Defaults are for a small paper account and err on the side of refusing.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from pp_host.model import MICRO

SECOND = 1_000_000


class Policy(Struct, frozen=True, kw_only=True):
    """The account's limits.

    max_order, max_market, max_exposure: micro-USD at worst cost, fee included, open orders counted
    max_positions:    markets in which money may be at work at once
    max_daily_loss:   micro-USD below the day's opening equity at which buying stops
    max_drawdown_ppm: fall from the highest equity at which buying stops
    max_snapshot_age: microseconds a quote may lie in the past (or, by a skewed clock, in the future)
    max_spread:       micro-USD between bid and ask, and how far an order may walk from the best price
    min_price, max_price: micro-USD per share between which a position may be opened
    sizing:           "kelly" takes kelly_fraction_ppm of the Kelly stake, "fixed" spends fixed_amount
    order_ttl:        microseconds after which an order is refused by the venue
    fee_rate, fee_exponent: for markets whose source states none; ppm, and 0..4
    """

    max_order: int = 50 * MICRO
    max_market: int = 100 * MICRO
    max_exposure: int = 500 * MICRO
    max_positions: int = 50
    max_daily_loss: int = 100 * MICRO
    max_drawdown_ppm: int = 250_000
    max_snapshot_age: int = 120 * SECOND
    max_spread: int = 150_000
    min_price: int = 10_000
    max_price: int = 990_000
    sizing: Literal["kelly", "fixed"] = "kelly"
    kelly_fraction_ppm: int = 250_000
    fixed_amount: int = 10 * MICRO
    order_ttl: int = 30 * SECOND
    fee_rate: int = 70_000
    fee_exponent: int = 1


class Budget(Struct, frozen=True, kw_only=True):
    """One plugin's own bounds, micro-USD; None is no bound of its own, the account's still hold.

    order: one order's worst cost; day: all orders' cost in one UTC day; exposure: open positions and orders.
    markets, venues: those it may open positions in.
    """

    order: int | None = None
    day: int | None = None
    exposure: int | None = None
    orders_per_minute: int | None = None
    markets: frozenset[str] | None = None
    venues: frozenset[str] | None = None
