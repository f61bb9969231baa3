"""How much: the levels of the book an order may take, its size before any limit, and the limits that lower
it.

Laws: pure; every bound is what is left, in micro-USD, and holds for the worst case an order may cost. Sales
are bound by what is held and by the book alone. No purchase lets the account come to MOST, not even if every
share pays 1 USD: shares, payouts and equity stay numbers that an entry and the wire can hold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pp_sdk.table.layout import MOST

from pp_host.core import sizing
from pp_host.core.case import LOT, Case, Check
from pp_host.fees import unit_cost, unit_proceeds
from pp_host.figures import decimal, dollars, shares
from pp_host.model import MICRO, Denied, Reason


def limit_price(case: Case) -> Denied | None:
    """Establishes the levels an order may take: on the tick, within the wish's limit, the band, and
    max_spread of the best."""
    book = case.market.book(case.outcome, "ask" if case.buying else "bid")
    asked, best, tick = case.wish.decision.limit_price, book[0][0], case.market.tick
    if best % tick:
        text = f"the book's best price {dollars(best)} is no multiple of the tick {dollars(tick)}"
        return Denied(Reason.LIMIT_PRICE, text)
    if asked is not None and (asked < best if case.buying else asked > best):
        return Denied(Reason.LIMIT_PRICE, f"limit {dollars(asked)}, the book starts at {dollars(best)}")
    low, high = _reach(case, best)
    case.levels = _cumulative([level for level in book if low <= level[0] <= high and not level[0] % tick])
    return None


def _reach(case: Case, best: int) -> tuple[int, int]:
    """The prices an order may come to, when the book starts at `best`."""
    asked, reach = case.wish.decision.limit_price, case.policy.max_spread
    if case.buying:
        return best, min(best + reach, case.policy.max_price, MICRO if asked is None else asked)
    return max(best - reach, 0 if asked is None else asked), best


def _cumulative(levels: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    depth = 0
    return tuple((price, depth := depth + size) for price, size in levels)


def fee(case: Case) -> Denied | None:
    """A sale takes no level whose price brings no more than its fee."""
    if case.buying:
        return None
    best = case.levels[0][0]
    case.levels = tuple(
        level for level in case.levels if unit_proceeds(level[0], case.fee_rate, case.fee_exponent) > 0
    )
    if not case.levels:
        return Denied(Reason.FEE, f"takes all of the best price {dollars(best)}")
    return None


def size(case: Case) -> Denied | None:
    """A purchase's size before any limit. Levels whose price leaves no edge are not taken."""
    if not case.buying:
        return None
    probability = sizing.ppm(case.wish.decision.probability)
    assert probability is not None
    costs = [unit_cost(price, case.fee_rate, case.fee_exponent) for price, _ in case.levels]
    case.levels = tuple(level for level, cost in zip(case.levels, costs, strict=True) if cost < probability)
    if not case.levels:
        cost = dollars(int(costs[0]))  # a fraction, rounded down: still not below the probability
        return Denied(Reason.NO_EDGE, f"probability {decimal(probability)}, cost at least {cost} with fee")
    held = case.ledger.stake(case.plugin, case.market.id, case.outcome)
    equity = case.observed.equity
    stake = sizing.target(case.policy, probability=probability, cost=costs[0], equity=equity, held=held)
    case.shares = case.shares_for(stake)
    if stake <= 0:
        return Denied(Reason.ENOUGH_HELD, f"stake {dollars(stake + held)}, held {dollars(held)}")
    if case.shares <= 0:
        return Denied(Reason.MIN_SIZE, f"stake {dollars(stake)}, less than {shares(LOT)} cost")
    return None


def cap(reason: Reason, room: Callable[[Case], int | None]) -> Check:
    """A check that lets a purchase spend at most `room` micro-USD; None is no bound."""

    def lower(case: Case) -> Denied | None:
        left = room(case) if case.buying else None
        if left is None:
            return None
        if left <= 0:
            return Denied(reason, "nothing left")
        return case.lower(case.shares_for(left), reason, f"{dollars(left)} left")

    return lower


def depth(case: Case) -> Denied | None:
    there, bound = case.levels[-1][1], "within the limit price"
    if case.buying:
        countable = MOST - 1 - case.ledger.most_worth()
        if countable < there:
            there, bound = countable, "more can be counted"
        there -= there % LOT
    return case.lower(there, Reason.DEPTH, f"{shares(there)} {bound}")


def max_spend(case: Case) -> int | None:
    return case.wish.decision.max_spend


def budget_order(case: Case) -> int | None:
    return case.budget.order if case.budget else 0


def budget_day(case: Case) -> int | None:
    if case.budget is None or case.budget.day is None:
        return None
    return case.budget.day - case.ledger.spent(case.plugin, case.now)


def budget_exposure(case: Case) -> int | None:
    if case.budget is None or case.budget.exposure is None:
        return None
    return case.budget.exposure - case.ledger.plugin_exposure(case.plugin)


def max_order(case: Case) -> int:
    return case.policy.max_order


def max_market(case: Case) -> int:
    return case.policy.max_market - case.ledger.market_exposure(case.market.id)


def max_exposure(case: Case) -> int:
    return case.policy.max_exposure - case.ledger.balance.exposure


def cash(case: Case) -> int:
    return case.ledger.balance.cash
