"""The judge: every wish passes one ordered table of checks, and orders are made nowhere else.

Laws: pure; integers and exact fractions, rounded against us. A check either denies, lowers what may be
bought, or passes; nothing raises a size and nothing skips the table. Limits that guard against losing more
(the selection, budgets, caps, price band, loss, drawdown, rate, advisers) bind purchases; a sale of what a plugin holds
needs an open market, a fresh quote, a spread that is no trap, somebody to buy, the market's smallest size, and
to bring more than its fee. Whatever is not known counts as the
worst it could be.
"""

from __future__ import annotations

import hashlib

import msgspec
from msgspec.structs import replace
from pp_sdk.types import Shrink, Veto

from pp_host import figures
from pp_host.core import caps, checks
from pp_host.core.case import LOT, Case, Check
from pp_host.core.ledger import Ledger
from pp_host.core.policy import Budget, Policy
from pp_host.fees import worst_cost
from pp_host.model import Approved, Denied, Observed, Order, Reason, Reduced, TradingState, Verdict, Wish
from pp_host.ports import Opinion


def judge(
    wish: Wish,
    observed: Observed,
    ledger: Ledger,
    policy: Policy,
    budget: Budget | None,
    state: TradingState,
    *,
    run: str,
    now: int,
) -> Verdict:
    """What becomes of a wish at `now`. `budget` None: this plugin may not trade at all."""
    case = Case(
        wish=wish, observed=observed, ledger=ledger, policy=policy, budget=budget, state=state, now=now
    )
    for check in CHECKS:
        if (denied := check(case)) is not None:
            return denied
    order = _order(case, run)
    return Reduced(order, *case.cut) if case.cut else Approved(order)


def tighten(verdict: Approved | Reduced, opinion: Opinion, min_size: int) -> Verdict:
    """The verdict after a risk plugin has spoken: the same, smaller, or none. Silence is a veto."""
    order, who = verdict.order, opinion.plugin.id
    match opinion.advice:
        case None:
            return Denied(Reason.ADVISER_SILENT, who)
        case Veto(reason=reason):
            return Denied(Reason.ADVISER, f"{who}: {reason}")
        case Shrink(shares=shares, reason=reason) if shares < order.shares:
            lots = shares - shares % LOT
            if lots < max(1, min_size):
                return Denied(Reason.ADVISER, f"{who}: {figures.shares(shares)}: {reason}")
            return Reduced(_smaller(order, lots), Reason.ADVISER, f"{who}: {reason}")
    return verdict


def order_id(account: str, run: str, plugin: str, decision: int) -> str:
    """The same decision always gets the same id, so that sending twice is sending once."""
    return hashlib.sha256(msgspec.json.encode(["pp/order/v1", account, run, plugin, decision])).hexdigest()[
        :32
    ]


def _order(case: Case, run: str) -> Order:
    plugin, account = case.plugin, case.ledger.account
    return Order(
        id=order_id(account, run, plugin, case.wish.seq),
        account=account,
        plugin=plugin,
        market=case.market.id,
        outcome=case.outcome,
        side=case.wish.decision.side,
        shares=case.shares,
        limit_price=case.limit(case.shares),
        tick=case.market.tick,
        fee_rate=case.fee_rate,
        fee_exponent=case.fee_exponent,
        reserve=case.cost(case.shares) if case.buying else 0,
        expires_at=case.now + case.policy.order_ttl,
    )


def _smaller(order: Order, shares: int) -> Order:
    reserve = worst_cost(shares, order.limit_price, order.fee_rate, order.fee_exponent)
    return replace(order, shares=shares, reserve=reserve)


CHECKS: tuple[
    Check, ...
] = (  # the order is the argument: cheap and absolute first, then what lowers, then what stops
    checks.trading_state,
    checks.plugin_granted,
    checks.numbers,
    checks.known_market,
    checks.known_outcome,
    checks.price_on_tick,
    checks.market_granted,
    checks.selected,
    checks.something_held,
    checks.market_open,
    checks.fresh,
    checks.quoted,
    checks.spread,
    checks.price_band,
    caps.limit_price,
    caps.fee,
    caps.size,
    caps.cap(Reason.MAX_SPEND, caps.max_spend),
    caps.cap(Reason.BUDGET_ORDER, caps.budget_order),
    caps.cap(Reason.BUDGET_DAY, caps.budget_day),
    caps.cap(Reason.BUDGET_EXPOSURE, caps.budget_exposure),
    caps.cap(Reason.MAX_ORDER, caps.max_order),
    caps.cap(Reason.MAX_MARKET, caps.max_market),
    caps.cap(Reason.MAX_EXPOSURE, caps.max_exposure),
    caps.cap(Reason.CASH, caps.cash),
    caps.depth,
    checks.proceeds,
    checks.budget_rate,
    checks.max_positions,
    checks.daily_loss,
    checks.drawdown,
    checks.min_size,
)
