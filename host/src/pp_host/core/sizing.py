"""How much to stake on a probability.

Laws: integers and exact fractions, rounded down; the plugin's probability is used, never its confidence. The
growth optimal fraction of a bankroll on a share that costs c (fee included) and pays 1 with probability p is
    f = (p - c) / (1 - c)
(J. L. Kelly, "A New Interpretation of Information Rate", Bell System Technical Journal 35, 1956; a binary bet
at odds (1 - c) : c). The ask already holds the spread, and what the plugin has in the outcome counts towards
the stake.
"""

from __future__ import annotations

from fractions import Fraction

from pp_host.core.policy import Policy
from pp_host.model import MICRO, PPM


def target(policy: Policy, *, probability: int, cost: Fraction, equity: int, held: int) -> int:
    """Micro-USD to spend now, fee included; not above 0 when there is nothing to add.

    `probability` in ppm, `cost` in micro-USD per share with fee, `held` what is already staked on the
    outcome.
    """
    if policy.sizing == "fixed":
        return policy.fixed_amount
    return kelly(probability, cost, equity, policy.kelly_fraction_ppm) - held


def kelly(probability: int, cost: Fraction, equity: int, fraction_ppm: int) -> int:
    """The Kelly stake times the fraction; 0 without an edge, of a worthless account, or at a cost of 1
    USD."""
    if probability <= cost or cost >= MICRO:
        return 0
    return max(0, int(equity * (probability - cost) / (MICRO - cost) * fraction_ppm // PPM))


def ppm(value: float) -> int | None:
    """A probability in parts per million, to the nearest; None when it is no number between 0 and 1."""
    return round(value * PPM) if 0 <= value <= 1 else None
