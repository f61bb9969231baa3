"""One wish under judgement: what is known about it so far, and what its size would cost.

Laws: a draft that lives only inside `risk.judge`; checks fill it in and may only lower `shares`. Costs are
the worst case: all shares at the price of the last level they need, fee and rounding included.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pp_sdk.table import Row

from pp_host.core.ledger import Ledger
from pp_host.core.policy import Budget, Policy
from pp_host.fees import affordable, worst_cost
from pp_host.model import Denied, Observed, Outcome, Reason, TradingState, Wish

LOT = 10_000  # micro-shares: venues take hundredths of a share


@dataclass(slots=True, kw_only=True)
class Case:
    """One wish under judgement; the later fields are filled in by the checks that establish them."""

    wish: Wish
    observed: Observed
    ledger: Ledger
    policy: Policy
    budget: Budget | None
    state: TradingState
    now: int
    row: Row | None = None
    outcome: Outcome = "yes"
    levels: tuple[tuple[int, int], ...] = ()  # (price, shares up to and including this price), best first
    fee_rate: int = 0
    fee_exponent: int = 0
    shares: int = 0
    cut: tuple[Reason, str] | None = None  # what lowered `shares` last, hence deepest

    @property
    def buying(self) -> bool:
        return self.wish.decision.side == "buy"

    @property
    def plugin(self) -> str:
        return self.wish.plugin.id

    @property
    def market(self) -> Row:
        assert self.row is not None
        return self.row

    def limit(self, shares: int) -> int:
        """The price at which `shares` are complete; the last level's for more than there is."""
        return next((price for price, depth in self.levels if depth >= shares), self.levels[-1][0])

    def cost(self, shares: int) -> int:
        return worst_cost(shares, self.limit(shares), self.fee_rate, self.fee_exponent)

    def shares_for(self, money: int) -> int:
        """The most whole lots that surely cost no more than `money`, as if the last level had no end."""
        depths = [depth for _, depth in self.levels[:-1]]
        sizes = [affordable(money, price, self.fee_rate, self.fee_exponent) for price, _ in self.levels]
        most = max(map(min, sizes, [*depths, sizes[-1]]))
        return most - most % LOT

    def lower(self, shares: int, reason: Reason, detail: str) -> Denied | None:
        """At most `shares`; the last one to lower cut deepest."""
        if shares <= 0:
            return Denied(reason, detail)
        if shares < self.shares:
            self.shares, self.cut = shares, (reason, detail)
        return None


Check = Callable[[Case], Denied | None]
