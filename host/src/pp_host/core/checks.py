"""The checks that pass or deny, in the order the judge's table uses them.

Laws: pure; each looks at one thing and names one reason. What is not known counts as the worst it could be.
"""

from __future__ import annotations

from math import isfinite

from pp_sdk.table import OPEN

from pp_host.core import sizing
from pp_host.core.case import Case
from pp_host.fees import least_proceeds
from pp_host.figures import dollars, moment, seconds, shares
from pp_host.model import MICRO, PPM, Denied, Reason, TradingState

# -- may it be judged at all ---------------------------------------------------------------------------------


def trading_state(case: Case) -> Denied | None:
    if case.state is TradingState.HALTED:
        return Denied(Reason.HALTED, "trading is halted")
    if case.state is TradingState.REDUCING and case.buying:
        return Denied(Reason.REDUCING, "only sales are allowed")
    return None


def plugin_granted(case: Case) -> Denied | None:
    if case.budget is None:
        return Denied(Reason.PLUGIN_NOT_GRANTED, f"{case.plugin} has no budget")
    return None


def numbers(case: Case) -> Denied | None:
    wish = case.wish.decision
    for name, value in (("probability", wish.probability), ("confidence", wish.confidence)):
        if not isfinite(value):
            return Denied(Reason.NOT_A_NUMBER, f"{name} {value!r}")
        if sizing.ppm(value) is None:
            return Denied(Reason.OUT_OF_RANGE, f"{name} {value!r}")
    if sizing.ppm(wish.probability) in (0, PPM):
        return Denied(Reason.OUT_OF_RANGE, f"probability {wish.probability!r}")
    if wish.limit_price is not None and not 0 < wish.limit_price < MICRO:
        return Denied(Reason.OUT_OF_RANGE, f"limit_price {dollars(wish.limit_price)}")
    if wish.max_spend is not None and wish.max_spend <= 0:
        return Denied(Reason.OUT_OF_RANGE, f"max_spend {dollars(wish.max_spend)}")
    return None


def known_market(case: Case) -> Denied | None:
    case.row = case.observed.markets.get(case.wish.decision.market)
    if case.row is None:
        return Denied(Reason.UNKNOWN_MARKET, case.wish.decision.market)
    row, policy = case.row, case.policy
    case.fee_rate = policy.fee_rate if row.fee_rate is None else row.fee_rate
    case.fee_exponent = policy.fee_exponent if row.fee_exponent is None else row.fee_exponent
    return None


def known_outcome(case: Case) -> Denied | None:
    match case.wish.decision.outcome:
        case "yes" | "no" as outcome:
            case.outcome = outcome
            return None
        case other:
            return Denied(Reason.UNKNOWN_OUTCOME, other)


def price_on_tick(case: Case) -> Denied | None:
    price = case.wish.decision.limit_price
    if price is not None and price % case.market.tick:
        text = f"limit_price {dollars(price)} is no multiple of the tick {dollars(case.market.tick)}"
        return Denied(Reason.OUT_OF_RANGE, text)
    return None


def market_granted(case: Case) -> Denied | None:
    if not case.buying or case.budget is None:
        return None
    markets, venues = case.budget.markets, case.budget.venues
    if markets is not None and case.market.id not in markets:
        return Denied(Reason.MARKET_NOT_GRANTED, case.market.id)
    if venues is not None and case.market.venue not in venues:
        return Denied(
            Reason.MARKET_NOT_GRANTED, f"{case.market.id} trades at {case.market.venue or 'no named venue'}"
        )
    return None


def selected(case: Case) -> Denied | None:
    selection = case.observed.selection
    if not case.buying or selection is None or case.market.id in selection.scores:
        return None
    return Denied(Reason.NOT_SELECTED, f"{case.market.id} is not among the {len(selection.scores)} selected")


def something_held(case: Case) -> Denied | None:
    if not case.buying:
        case.shares = case.ledger.sellable(case.plugin, case.market.id, case.outcome)
        if case.shares <= 0:
            return Denied(Reason.NOTHING_HELD, f"{case.market.id} {case.outcome}")
    return None


# -- is the market fit to trade ------------------------------------------------------------------------------


def market_open(case: Case) -> Denied | None:
    """A market that ended does not begin again, whatever its source says."""
    if case.market.status != OPEN:
        return Denied(Reason.MARKET_CLOSED, f"status {case.market.status}")
    if case.buying and case.market.id in case.ledger.settled:
        return Denied(Reason.MARKET_CLOSED, "was settled in this run")
    ends_at = case.market.ends_at
    if case.buying and ends_at is not None and case.now >= ends_at:
        return Denied(Reason.MARKET_CLOSED, f"ended {moment(ends_at)}")
    return None


def fresh(case: Case) -> Denied | None:
    quoted_at = case.market.quoted_at
    if quoted_at is None:
        return Denied(Reason.STALE, "no time of quote")
    age = case.now - quoted_at
    if abs(age) > case.policy.max_snapshot_age:
        text = f"quoted {seconds(abs(age))} {'ago' if age > 0 else 'ahead'}"
        return Denied(Reason.STALE, f"{text}, at most {seconds(case.policy.max_snapshot_age)}")
    return None


def quoted(case: Case) -> Denied | None:
    quote = case.market.quote(case.outcome)
    side = "ask" if case.buying else "bid"
    if (quote.ask if case.buying else quote.bid) is None:
        return Denied(Reason.NO_QUOTE, f"no {side}")
    return None


def spread(case: Case) -> Denied | None:
    """A missing side counts as worthless or as certain, the widest it could be."""
    quote = case.market.quote(case.outcome)
    gap = (MICRO if quote.ask is None else quote.ask) - (quote.bid or 0)
    if gap > case.policy.max_spread:
        return Denied(Reason.SPREAD, f"{dollars(gap)}, at most {dollars(case.policy.max_spread)}")
    return None


def price_band(case: Case) -> Denied | None:
    ask = case.market.quote(case.outcome).ask
    low, high = case.policy.min_price, case.policy.max_price
    if case.buying and ask is not None and not low <= ask <= high:
        return Denied(Reason.PRICE_BAND, f"{dollars(ask)}, outside {dollars(low)} to {dollars(high)}")
    return None


# -- and is now the time -------------------------------------------------------------------------------------


def budget_rate(case: Case) -> Denied | None:
    most = case.budget.orders_per_minute if case.budget else 0
    if case.buying and most is not None and case.ledger.sent(case.plugin, case.now) >= most:
        return Denied(Reason.BUDGET_RATE, f"{most} orders a minute")
    return None


def max_positions(case: Case) -> Denied | None:
    count = case.ledger.market_count()
    if case.buying and count >= case.policy.max_positions and not case.ledger.market_exposure(case.market.id):
        return Denied(Reason.MAX_POSITIONS, f"{count} markets")
    return None


def daily_loss(case: Case) -> Denied | None:
    loss = case.ledger.marks.day_start - case.observed.equity
    if case.buying and loss >= case.policy.max_daily_loss:
        text = f"{dollars(loss)} lost today, stops at {dollars(case.policy.max_daily_loss)}"
        return Denied(Reason.DAILY_LOSS, text)
    return None


def drawdown(case: Case) -> Denied | None:
    peak = case.ledger.marks.peak
    if case.buying and (peak - case.observed.equity) * PPM >= case.policy.max_drawdown_ppm * peak:
        return Denied(Reason.DRAWDOWN, f"equity {dollars(case.observed.equity)} of a peak of {dollars(peak)}")
    return None


def proceeds(case: Case) -> Denied | None:
    """A sale so small that rounding could make it cost money is none."""
    if case.buying:
        return None
    least = least_proceeds(case.shares, case.limit(case.shares), case.fee_rate, case.fee_exponent)
    if least <= 0:
        return Denied(Reason.FEE, f"{shares(case.shares)} may bring {dollars(least)}")
    return None


def min_size(case: Case) -> Denied | None:
    """What a limit left too little of is denied by that limit."""
    if case.shares >= case.market.min_size:
        return None
    small = f"{shares(case.shares)}, at least {shares(case.market.min_size)}"
    if case.cut is None:
        return Denied(Reason.MIN_SIZE, small)
    reason, detail = case.cut
    return Denied(reason, f"{detail}: {small}")
