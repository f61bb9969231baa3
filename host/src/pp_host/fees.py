"""What a trade costs: amounts and the taker's fee, exact and rounded against us.

Laws: pure integer arithmetic, shared by the core that reserves and the paper venue that charges, so that the
two cannot disagree. fee = shares x rate x (p(1 - p))^exponent, charged to takers in steps of 0.00001 USD. The
public schedule floors to that step; here it is rounded up, so that an order never costs more than was set
aside for it.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

from pp_sdk.table.layout import MOST_LEVELS

from pp_host.model import MICRO, PPM

FEE_STEP = 10  # micro-USD; the venue's quantum of 0.00001 USD
FILLS_MOST = MOST_LEVELS  # one per level of the deepest book a market table can hold
ROUNDING = FILLS_MOST * (1 + FEE_STEP)  # what rounding each of that many fills up can add, micro-USD


def fee(shares: int, price: int, rate: int, exponent: int) -> int:
    """Micro-USD for taking `shares` micro-shares at `price` micro-USD; `rate` in ppm, `exponent` 0..4."""
    scale = PPM * (MICRO * MICRO) ** exponent * FEE_STEP
    return _up(shares * rate * (price * (MICRO - price)) ** exponent, scale) * FEE_STEP


def paid(shares: int, price: int) -> int:
    """Micro-USD a purchase comes to, without fee, rounded up."""
    return _up(shares * price, MICRO)


def received(shares: int, price: int) -> int:
    """Micro-USD a sale comes to, before its fee, rounded down."""
    return shares * price // MICRO


@lru_cache(maxsize=4096)  # a book repeats few prices, and every limit asks again
def unit_cost(price: int, rate: int, exponent: int) -> Fraction:
    """Micro-USD that one share costs at `price`, fee included, without rounding. It rises with the price."""
    return price + Fraction(rate * (price * (MICRO - price)) ** exponent, (MICRO * MICRO) ** exponent)


def unit_proceeds(price: int, rate: int, exponent: int) -> Fraction:
    """Micro-USD that selling one share at `price` brings, fee taken off, without rounding. It rises with the price."""
    return 2 * price - unit_cost(price, rate, exponent)  # the price less what the fee adds to it


def worst_cost(shares: int, limit: int, rate: int, exponent: int) -> int:
    """The most that buying up to `shares` at up to `limit` can cost in up to FILLS_MOST fills, fees
    included."""
    cost = unit_cost(limit, rate, exponent)
    return _up(cost.numerator * shares, cost.denominator * MICRO) + ROUNDING


def affordable(money: int, limit: int, rate: int, exponent: int) -> int:
    """The most micro-shares whose `worst_cost` is within `money`; 0 when nothing is."""
    cost = unit_cost(limit, rate, exponent)
    return max(0, (money - ROUNDING) * MICRO * cost.denominator // cost.numerator)


def least_proceeds(shares: int, limit: int, rate: int, exponent: int) -> int:
    """The least that selling `shares` at `limit` or better brings in up to FILLS_MOST fills, fees taken off.

    Below 0 where the fees come to more than the amounts; what a share brings rises with its price.
    """
    brings = unit_proceeds(limit, rate, exponent)
    return brings.numerator * shares // (brings.denominator * MICRO) - ROUNDING


def _up(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)
