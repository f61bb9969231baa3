"""What an operator allows: the limits of the account, and of each plugin.

Laws: frozen integers (micro-USD, ppm, microseconds UTC); read from pp.toml and grants elsewhere, where their
defaults are too. A Policy has no field that switches a check off.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from pp_host.model import SECOND


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
    fee_rate, fee_exponent: for markets whose source states none; ppm, and 0..4; the exponent of the public schedule
    order_ttl:        microseconds after which an order is refused by the venue; no setting
    """

    max_order: int
    max_market: int
    max_exposure: int
    max_positions: int
    max_daily_loss: int
    max_drawdown_ppm: int
    max_snapshot_age: int
    max_spread: int
    min_price: int
    max_price: int
    sizing: Literal["kelly", "fixed"]
    kelly_fraction_ppm: int
    fixed_amount: int
    fee_rate: int
    fee_exponent: int = 1
    order_ttl: int = 30 * SECOND


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
