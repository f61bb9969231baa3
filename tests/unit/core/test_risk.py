"""Every limit trips, and lets its twin just inside it pass."""

from __future__ import annotations

import math
import re

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from pp_host.core.case import LOT
from pp_host.core.entries import Deposit, Done, Intent, Marked
from pp_host.core.ledger import DAY, Ledger
from pp_host.core.policy import Budget, Policy
from pp_host.core.risk import CHECKS, judge, order_id, tighten
from pp_host.fees import worst_cost
from pp_host.model import (
    MICRO,
    Approved,
    Denied,
    Observed,
    Order,
    Reason,
    Reduced,
    TradingState,
)
from pp_host.ports import Opinion
from pp_sdk.table import CLOSED, RESOLVED, MarketRow, build
from pp_sdk.table.layout import MOST
from pp_sdk.types import Keep, Shrink, Veto

from tests.unit.core.fakes import (
    ACCOUNT,
    ADVISER,
    AGENT,
    NOON,
    ROOMY,
    buy,
    fill_of,
    market,
    sell,
    usd,
    wish,
)

TICK = 10_000
UNBOUND = Budget()


class Bench:
    """A ledger one can fill by hand, and a judge to ask."""

    def __init__(
        self, *rows, cash: int = usd(1000), policy: Policy = ROOMY, budget: Budget | None = UNBOUND
    ) -> None:
        self.table = build(rows or (market(),))
        self.policy = policy
        self.budget = budget
        self.ledger = Ledger(ACCOUNT)
        self.state = TradingState.ACTIVE
        self.seq = 0
        self.now = NOON
        self.equity = cash
        self.book(Deposit(account=ACCOUNT, amount=cash, at=NOON))

    def book(self, event) -> None:
        self.ledger.apply(event, self.seq)
        self.seq += 1

    def hold(
        self,
        shares: int,
        price: int = 500_000,
        *,
        name: str = "m",
        outcome: str = "yes",
        plugin: str = AGENT.id,
        at: int = NOON,
    ) -> None:
        order = self.open(shares, price, name=name, outcome=outcome, plugin=plugin, at=at)
        self.book(fill_of(order, shares, price))
        released = self.ledger.open[order.id].reserve
        self.book(
            Done(
                account=ACCOUNT,
                order=order.id,
                status="filled",
                filled=shares,
                released=released,
                detail="",
                at=at,
            )
        )

    def open(
        self,
        shares: int,
        price: int = 500_000,
        *,
        name: str = "m",
        outcome: str = "yes",
        plugin: str = AGENT.id,
        side: str = "buy",
        at: int = NOON,
    ) -> Order:
        reserve = -(-shares * price // MICRO) if side == "buy" else 0
        order = Order(
            id=f"held-{self.seq}", account=ACCOUNT, plugin=plugin, market=name, outcome=outcome, side=side,
            shares=shares, limit_price=price, tick=TICK, fee_rate=0, fee_exponent=1, reserve=reserve, expires_at=at + 1,
        )  # fmt: skip
        self.book(Intent.of(order, at))
        return order

    def mark(self, *, equity: int, peak: int, day_start: int) -> None:
        self.equity = equity
        self.book(
            Marked(
                account=ACCOUNT, now=NOON, rows=0, digest="", snapshots=(), duplicates=0, equity=equity,
                cash=0, exposure=0, peak=peak, day=NOON // DAY, day_start_equity=day_start,
            )
        )  # fmt: skip

    def judge(self, decision=None, **policy):
        observed = Observed(
            now=self.now, markets=self.table, equity=self.equity, cash=self.ledger.balance.cash,
            exposure=self.ledger.balance.exposure, holdings=self.ledger.holdings(), seq=1,
        )  # fmt: skip
        limits = replace(self.policy, **policy)
        return judge(
            wish(decision or buy()),
            observed,
            self.ledger,
            limits,
            self.budget,
            self.state,
            run="r",
            now=self.now,
        )


def denied(verdict) -> Reason:
    assert isinstance(verdict, Denied), verdict
    return verdict.reason


def reduced(verdict) -> Reason:
    assert isinstance(verdict, Reduced), verdict
    return verdict.reason


def approved(verdict) -> Order:
    assert isinstance(verdict, Approved), verdict
    return verdict.order


# -- the order itself


def test_an_approved_order_says_everything():
    order = approved(Bench().judge(buy(0.6)))
    assert (order.market, order.outcome, order.side, order.plugin) == ("m", "yes", "buy", AGENT.id)
    assert (
        order.shares == 99_990_000
    )  # a quarter Kelly on 1,000 USD is 50 USD: at 0.50 that is 100 shares less rounding
    assert order.limit_price == 500_000
    assert order.reserve == worst_cost(order.shares, 500_000, 0, 1) <= usd(50)
    assert order.expires_at == NOON + ROOMY.order_ttl


def test_the_order_id_depends_on_the_decision_and_nothing_else():
    ids = {
        order_id(account, run, plugin, seq)
        for account in ("a", "ab") for run in ("b", "r") for plugin in ("p", "q") for seq in (1, 2)
    }  # fmt: skip
    assert len(ids) == 16
    assert all(len(name) == 32 for name in ids)
    assert approved(Bench().judge()).id == order_id(ACCOUNT, "r", AGENT.id, 7)


def test_the_market_s_own_fee_is_used_and_the_policy_s_where_it_states_none():
    stated = approved(Bench(market(fee_rate=20_000, fee_exponent=2)).judge())
    silent = approved(Bench(market(fee_rate=None, fee_exponent=None)).judge())
    assert (stated.fee_rate, stated.fee_exponent) == (20_000, 2)
    assert (silent.fee_rate, silent.fee_exponent) == (ROOMY.fee_rate, ROOMY.fee_exponent)


def test_the_no_side_is_bought_on_its_own_book():
    order = approved(Bench().judge(buy(0.6, outcome="no")))
    assert (order.outcome, order.limit_price) == ("no", 510_000)


def test_an_order_walks_the_book_only_as_far_as_its_size_needs():
    rows = market(yes_asks=((500_000, usd(50)), (510_000, usd(30)), (550_000, usd(1000))))
    order = approved(Bench(rows).judge(buy(0.6, max_spend=None), kelly_fraction_ppm=200_000))
    assert order.limit_price == 510_000
    assert usd(50) < order.shares <= usd(80)


# -- state and grant


def test_halted_denies_everything_and_active_does_not():
    bench = Bench()
    bench.hold(usd(10))
    bench.state = TradingState.HALTED
    assert denied(bench.judge(buy())) == denied(bench.judge(sell())) == Reason.HALTED
    bench.state = TradingState.ACTIVE
    approved(bench.judge(buy()))


def test_reducing_lets_only_sales_through():
    bench = Bench()
    bench.hold(usd(10))
    bench.state = TradingState.REDUCING
    assert denied(bench.judge(buy())) == Reason.REDUCING
    assert approved(bench.judge(sell())).shares == usd(10)


def test_a_plugin_without_a_budget_may_not_trade():
    assert denied(Bench(budget=None).judge()) == Reason.PLUGIN_NOT_GRANTED
    approved(Bench(budget=Budget()).judge())


# -- numbers


@pytest.mark.parametrize("side", ["buy", "sell"])
@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"probability": math.nan}, Reason.NOT_A_NUMBER),
        ({"probability": math.inf}, Reason.NOT_A_NUMBER),
        ({"probability": -math.inf}, Reason.NOT_A_NUMBER),
        ({"confidence": math.nan}, Reason.NOT_A_NUMBER),
        ({"confidence": math.inf}, Reason.NOT_A_NUMBER),
        ({"probability": 0.0}, Reason.OUT_OF_RANGE),
        ({"probability": -0.0}, Reason.OUT_OF_RANGE),
        ({"probability": 1.0}, Reason.OUT_OF_RANGE),
        ({"probability": -0.6}, Reason.OUT_OF_RANGE),
        ({"probability": 1.1}, Reason.OUT_OF_RANGE),
        ({"probability": 1e308}, Reason.OUT_OF_RANGE),
        ({"probability": 1e-9}, Reason.OUT_OF_RANGE),
        ({"confidence": -0.01}, Reason.OUT_OF_RANGE),
        ({"confidence": 1.01}, Reason.OUT_OF_RANGE),
        ({"limit_price": 0}, Reason.OUT_OF_RANGE),
        ({"limit_price": -500_000}, Reason.OUT_OF_RANGE),
        ({"limit_price": MICRO}, Reason.OUT_OF_RANGE),
        ({"limit_price": 505_000}, Reason.OUT_OF_RANGE),
        ({"max_spend": 0}, Reason.OUT_OF_RANGE),
        ({"max_spend": -1}, Reason.OUT_OF_RANGE),
    ],
)
def test_a_wish_that_is_no_number_is_refused(side, fields, reason):
    bench = Bench()
    bench.hold(usd(10))
    decision = replace(buy() if side == "buy" else sell(), **fields)
    assert denied(bench.judge(decision)) == reason


@pytest.mark.parametrize(
    "fields",
    [
        {"probability": 0.999999},
        {"confidence": 0.0},
        {"confidence": 1.0},
        {"limit_price": 500_000},
        {"max_spend": usd(500)},
    ],
)
def test_numbers_at_the_edge_of_their_range_pass(fields):
    approved(Bench().judge(replace(buy(), **fields)))


# -- market


def test_a_market_or_outcome_nobody_showed_is_refused():
    assert denied(Bench().judge(buy(name="elsewhere"))) == Reason.UNKNOWN_MARKET
    assert denied(Bench().judge(buy(outcome="maybe"))) == Reason.UNKNOWN_OUTCOME
    assert denied(Bench().judge(buy(outcome="YES"))) == Reason.UNKNOWN_OUTCOME


def test_a_grant_may_name_markets():
    assert denied(Bench(budget=Budget(markets=frozenset({"other"}))).judge()) == Reason.MARKET_NOT_GRANTED
    approved(Bench(budget=Budget(markets=frozenset({"m"}))).judge())


def test_a_grant_may_name_venues():
    here = market(venue="polymarket")
    assert (
        denied(Bench(here, budget=Budget(venues=frozenset({"kalshi"}))).judge()) == Reason.MARKET_NOT_GRANTED
    )
    approved(Bench(here, budget=Budget(venues=frozenset({"kalshi", "polymarket"}))).judge())


def test_what_is_held_may_be_sold_where_buying_is_no_longer_granted():
    bench = Bench(budget=Budget(markets=frozenset()))
    bench.hold(usd(10))
    approved(bench.judge(sell()))


@pytest.mark.parametrize("status", [CLOSED, RESOLVED])
def test_a_market_that_is_not_open_is_refused(status):
    bench = Bench(market(status=status))
    bench.hold(usd(10))
    assert denied(bench.judge(buy())) == denied(bench.judge(sell())) == Reason.MARKET_CLOSED


def test_nothing_is_opened_at_or_after_the_nominal_end_but_exits_stay_possible():
    late = Bench(market(ends_at=NOON))
    late.hold(usd(10))
    assert denied(late.judge(buy())) == Reason.MARKET_CLOSED
    approved(late.judge(sell()))
    approved(Bench(market(ends_at=NOON + 1)).judge(buy()))


def test_a_quote_too_old_or_from_the_future_or_without_a_time_is_stale():
    age = ROOMY.max_snapshot_age
    for quoted_at in (NOON - age - 1, NOON + age + 1, None):
        assert denied(Bench(market(quoted_at=quoted_at)).judge()) == Reason.STALE
    for quoted_at in (NOON - age, NOON + age):
        approved(Bench(market(quoted_at=quoted_at)).judge())


def test_freshness_is_judged_when_the_wish_is_judged():
    bench = Bench()
    bench.now = NOON + ROOMY.max_snapshot_age + 1
    assert denied(bench.judge()) == Reason.STALE


def test_without_a_quote_on_the_needed_side_there_is_no_order():
    bench = Bench(market(yes_asks=(), yes_bids=((980_000, usd(100)),)))
    bench.hold(usd(10))
    assert denied(bench.judge(buy(0.99))) == Reason.NO_QUOTE
    assert approved(bench.judge(sell())).limit_price == 980_000
    assert (
        denied(Bench(market(yes_asks=((20_000, usd(9)),), yes_bids=())).judge(sell())) == Reason.NOTHING_HELD
    )


def test_a_sale_without_a_bid_has_nobody_to_sell_to():
    bench = Bench(market(yes_bids=()))
    bench.hold(usd(10))
    assert denied(bench.judge(sell())) == Reason.NO_QUOTE


def test_a_spread_beyond_the_limit_is_refused_both_ways():
    bench = Bench(market(yes_bids=((350_000, usd(100)),)))
    bench.hold(usd(10))
    assert denied(bench.judge(buy(), max_spread=149_999)) == Reason.SPREAD
    assert denied(bench.judge(sell(), max_spread=149_999)) == Reason.SPREAD
    approved(bench.judge(buy(), max_spread=150_000))
    approved(bench.judge(sell(), max_spread=150_000))


def test_a_missing_other_side_counts_as_the_widest_spread():
    bench = Bench(market(yes_bids=()))
    assert denied(bench.judge(buy(), max_spread=499_999)) == Reason.SPREAD
    approved(bench.judge(buy(), max_spread=500_000))


def test_a_sale_where_nobody_asks_is_measured_against_certainty():
    bench = Bench(market(yes_asks=(), yes_bids=((840_000, usd(100)),)))
    bench.hold(usd(10))
    assert denied(bench.judge(sell(), max_spread=159_999)) == Reason.SPREAD
    approved(bench.judge(sell(), max_spread=160_000))


def test_prices_outside_the_band_are_not_bought():
    assert denied(Bench().judge(buy(), max_price=490_000)) == Reason.PRICE_BAND
    assert denied(Bench().judge(buy(), min_price=510_000)) == Reason.PRICE_BAND
    approved(Bench().judge(buy(), min_price=500_000, max_price=500_000))


def test_the_band_also_ends_the_walk_through_the_book():
    rows = market(yes_asks=((500_000, usd(10)), (510_000, usd(1000))))
    verdict = Bench(rows).judge(buy(0.9), max_price=500_000)
    assert reduced(verdict) == Reason.DEPTH
    assert verdict.order.limit_price == 500_000


def test_a_limit_price_the_book_cannot_meet_is_refused():
    bench = Bench()
    bench.hold(usd(10))
    assert denied(bench.judge(buy(limit_price=490_000))) == Reason.LIMIT_PRICE
    assert denied(bench.judge(sell(limit_price=490_000))) == Reason.LIMIT_PRICE
    assert approved(bench.judge(buy(0.7, limit_price=500_000))).limit_price == 500_000
    assert approved(bench.judge(sell(limit_price=480_000))).limit_price == 480_000


def test_a_book_off_the_tick_is_not_traded():
    assert denied(Bench(market(yes_asks=((505_000, usd(100)),))).judge()) == Reason.LIMIT_PRICE


def test_levels_off_the_tick_are_passed_over():
    rows = market(yes_asks=((500_000, usd(10)), (505_000, usd(10)), (510_000, usd(10))))
    verdict = Bench(rows).judge(buy(0.9))
    assert reduced(verdict) == Reason.DEPTH
    assert (verdict.order.shares, verdict.order.limit_price) == (usd(20), 510_000)


def test_a_sale_never_walks_further_than_the_spread_limit():
    bench = Bench(market(yes_bids=((480_000, usd(10)), (380_000, usd(10)), (370_000, usd(1000)))))
    bench.hold(usd(100))
    verdict = bench.judge(sell(), max_spread=100_000)
    assert reduced(verdict) == Reason.DEPTH
    assert (verdict.order.shares, verdict.order.limit_price) == (usd(20), 380_000)


def test_an_order_never_walks_further_than_the_spread_limit():
    rows = market(yes_asks=((500_000, usd(10)), (600_000, usd(10)), (610_000, usd(1000))))
    verdict = Bench(rows).judge(buy(0.9), max_spread=100_000)
    assert reduced(verdict) == Reason.DEPTH
    assert (verdict.order.shares, verdict.order.limit_price) == (usd(20), 600_000)


# -- size


def test_a_probability_at_or_below_the_cost_is_no_edge():
    assert denied(Bench().judge(buy(0.5))) == Reason.NO_EDGE
    assert denied(Bench().judge(buy(0.4))) == Reason.NO_EDGE
    assert denied(Bench().judge(buy(0.4), sizing="fixed")) == Reason.NO_EDGE
    approved(Bench().judge(buy(0.55)))


def test_the_fee_is_part_of_the_cost():
    rows = market(fee_rate=70_000, min_size=0)
    assert denied(Bench(rows).judge(buy(0.5175))) == Reason.NO_EDGE  # 0.50 + 0.07 * 0.25
    approved(Bench(rows).judge(buy(0.52)))


def test_levels_without_an_edge_are_left_alone():
    rows = market(yes_asks=((500_000, usd(10)), (560_000, usd(1000))))
    verdict = Bench(rows).judge(buy(0.56))
    assert reduced(verdict) == Reason.DEPTH
    assert verdict.order.shares == usd(10)


def test_the_stake_already_held_is_not_bought_again():
    bench = Bench()
    bench.hold(usd(100))
    assert denied(bench.judge(buy(0.6))) == Reason.ENOUGH_HELD
    assert approved(bench.judge(buy(0.7))).shares < usd(101)


def test_an_order_in_doubt_counts_as_held():
    bench = Bench()
    bench.open(usd(100))
    assert denied(bench.judge(buy(0.6))) == Reason.ENOUGH_HELD


def test_what_another_plugin_or_outcome_holds_does_not_count():
    bench = Bench()
    bench.hold(usd(100), plugin="someone.else")
    bench.hold(usd(100), outcome="no")
    approved(bench.judge(buy(0.6)))


def test_fixed_sizing_spends_its_amount():
    order = approved(Bench().judge(buy(), sizing="fixed", fixed_amount=usd(10)))
    assert usd(9.99) < order.reserve <= usd(10)


# -- caps: enough room approves, a little less reduces, none denies

WANTED = approved(Bench().judge()).reserve  # what the plain wish costs: just under 50 USD


def capped(reason, at):
    """`at(room)` -> the verdict with that much room; the three answers of a cap."""
    approved(at(WANTED))
    short = at(WANTED - usd(0.01))
    assert reduced(short) == reason
    assert short.order.reserve <= WANTED - usd(0.01)
    assert denied(at(0)) == reason
    assert denied(at(-1)) == reason


def test_max_spend_bounds_the_cost_fee_included():
    assert reduced(Bench().judge(buy(max_spend=WANTED - 1))) == Reason.MAX_SPEND
    approved(Bench().judge(buy(max_spend=WANTED)))


def test_budget_per_order():
    capped(Reason.BUDGET_ORDER, lambda room: Bench(budget=Budget(order=room)).judge())


def test_budget_per_day_counts_today_s_orders_only():
    def at(room, day=NOON):
        bench = Bench(budget=Budget(day=usd(20) + room))
        bench.hold(usd(40), name="other", at=day)
        return bench.judge()

    capped(Reason.BUDGET_DAY, at)
    approved(at(WANTED - usd(20), day=NOON - DAY))


def test_budget_per_day_forgets_what_was_released():
    bench = Bench(budget=Budget(day=WANTED))
    order = bench.open(usd(40), name="other")
    assert reduced(bench.judge()) == Reason.BUDGET_DAY
    bench.book(
        Done(
            account=ACCOUNT, order=order.id, status="unfilled", filled=0, released=usd(20), detail="", at=NOON
        )
    )
    approved(bench.judge())


def test_budget_of_exposure():
    def at(room):
        bench = Bench(budget=Budget(exposure=usd(30) + room))
        bench.hold(usd(40), name="other")
        bench.open(usd(20), name="third")
        bench.hold(usd(90), name="fourth", plugin="someone.else")
        return bench.judge()

    capped(Reason.BUDGET_EXPOSURE, at)


def test_max_order():
    capped(Reason.MAX_ORDER, lambda room: Bench().judge(max_order=room))


def test_max_market_counts_every_plugin_and_both_outcomes():
    def at(room):
        bench = Bench()
        bench.hold(usd(40), plugin="someone.else")
        bench.open(usd(20), outcome="no")
        bench.hold(usd(99), name="other")
        return bench.judge(max_market=usd(30) + room)

    capped(Reason.MAX_MARKET, at)


def test_max_exposure_counts_positions_and_open_orders():
    def at(room):
        bench = Bench()
        bench.hold(usd(40), name="other", plugin="someone.else")
        bench.open(usd(20), name="third")
        return bench.judge(max_exposure=usd(30) + room)

    capped(Reason.MAX_EXPOSURE, at)


def test_cash():
    def at(room):
        bench = Bench()
        bench.hold(usd(2000) - 2 * max(room, 0), name="other")
        return bench.judge()

    approved(at(WANTED))
    assert reduced(at(WANTED - usd(0.01))) == Reason.CASH
    assert denied(at(0)) == Reason.CASH


def test_depth():
    enough = approved(Bench().judge()).shares
    approved(Bench(market(yes_asks=((500_000, enough),))).judge())
    assert reduced(Bench(market(yes_asks=((500_000, enough - 1),))).judge()) == Reason.DEPTH
    assert denied(Bench(market(yes_asks=((500_000, 0),))).judge()) == Reason.DEPTH


def endless() -> MarketRow:
    """Twenty levels that are nearly free and as deep as a table can say."""
    asks = tuple((1 + step, MOST) for step in range(20))
    return market(yes_asks=asks, yes_bids=(), no_bids=(), no_asks=(), tick=1)


RICH = {
    "max_order": usd(1e9), "max_market": usd(1e9), "max_exposure": usd(1e9), "sizing": "fixed", "fixed_amount": usd(1e9),
    "min_price": 1, "max_spread": MICRO,
}  # fmt: skip


def test_no_purchase_makes_a_number_that_cannot_be_written():
    bench = Bench(endless(), cash=usd(1e9))
    verdict = bench.judge(buy(0.9), **RICH)
    assert reduced(verdict) == Reason.DEPTH
    assert MOST - LOT <= verdict.order.shares + usd(1e9) < MOST
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(verdict.order), type=Order) == verdict.order
    bench.book(Intent.of(verdict.order, NOON))
    assert bench.ledger.most_worth() < MOST
    assert denied(bench.judge(buy(0.9), **RICH)) == Reason.DEPTH


def test_what_is_held_counts_towards_what_can_be_counted():
    bench = Bench(endless(), cash=usd(1e9))
    bench.hold(2**61, 1, name="other", outcome="no", plugin="someone.else")
    order = bench.judge(buy(0.9), **RICH).order
    assert MOST - LOT <= order.shares + bench.ledger.most_worth() < MOST


def test_a_book_without_end_may_be_bought_and_sold_in_sizes_that_can_be_counted():
    approved(Bench(market(yes_asks=tuple((500_000 + step * TICK, MOST) for step in range(10)))).judge())
    bench = Bench(market(yes_bids=tuple((480_000 - step * TICK, MOST) for step in range(10))))
    bench.hold(usd(10))
    assert approved(bench.judge(sell())).shares == usd(10)


def test_the_cut_that_went_deepest_is_named():
    verdict = Bench(budget=Budget(order=usd(30))).judge(buy(max_spend=usd(40)), max_order=usd(20))
    assert reduced(verdict) == Reason.MAX_ORDER
    verdict = Bench(budget=Budget(order=usd(20))).judge(buy(max_spend=usd(40)), max_order=usd(30))
    assert reduced(verdict) == Reason.BUDGET_ORDER


def test_a_size_below_the_market_s_minimum_is_refused_by_the_limit_that_left_so_little():
    verdict = Bench().judge(buy(max_spend=usd(2.5)))
    assert (denied(verdict), "at least 5.00 shares" in verdict.detail) == (Reason.MAX_SPEND, True)
    assert reduced(Bench().judge(buy(max_spend=usd(2.51)))) == Reason.MAX_SPEND
    assert denied(Bench().judge(sizing="fixed", fixed_amount=usd(2))) == Reason.MIN_SIZE


def test_less_than_a_hundredth_of_a_share_is_nothing():
    bench = Bench(market(min_size=0))
    assert denied(bench.judge(buy(max_spend=5000 + 219))) == Reason.MAX_SPEND
    assert bench.judge(buy(max_spend=5000 + 220)).order.shares == 10_000


# -- rate, positions, loss


def test_orders_per_minute():
    bench = Bench(budget=Budget(orders_per_minute=2))
    bench.hold(usd(1), name="a", at=NOON - 60_000_000)
    bench.hold(usd(1), name="b", at=NOON - 59_999_999)
    approved(bench.judge())
    bench.hold(usd(1), name="c", at=NOON)
    assert denied(bench.judge()) == Reason.BUDGET_RATE
    assert denied(Bench(budget=Budget(orders_per_minute=0)).judge()) == Reason.BUDGET_RATE


def test_orders_per_minute_hold_no_exit_up():
    bench = Bench(budget=Budget(orders_per_minute=0))
    bench.hold(usd(10))
    approved(bench.judge(sell()))


def test_max_positions_counts_markets_with_money_in_them():
    bench = Bench(market(), market("n"))
    bench.hold(usd(5), name="a")
    bench.open(usd(5), name="b")
    assert denied(bench.judge(max_positions=2)) == Reason.MAX_POSITIONS
    approved(bench.judge(max_positions=3))
    bench.hold(usd(5))
    approved(bench.judge(max_positions=3))  # more of the third is no fourth


def test_a_day_s_loss_at_the_limit_stops_buying_and_no_exit():
    bench = Bench()
    bench.hold(usd(10))
    bench.mark(equity=usd(900), peak=usd(1000), day_start=usd(1000))
    assert denied(bench.judge(max_daily_loss=usd(100))) == Reason.DAILY_LOSS
    approved(bench.judge(sell(), max_daily_loss=usd(100)))
    bench.mark(equity=usd(900) + 1, peak=usd(1000), day_start=usd(1000))
    approved(bench.judge(max_daily_loss=usd(100)))


def test_a_drawdown_at_the_limit_stops_buying_and_no_exit():
    bench = Bench()
    bench.hold(usd(10))
    bench.mark(equity=usd(750), peak=usd(1000), day_start=usd(750))
    assert denied(bench.judge(max_drawdown_ppm=250_000)) == Reason.DRAWDOWN
    approved(bench.judge(sell(), max_drawdown_ppm=250_000))
    bench.mark(equity=usd(750) + 1, peak=usd(1000), day_start=usd(750))
    approved(bench.judge(max_drawdown_ppm=250_000))


def told(reason, row=None, asked=None, *, held=0, equity=None, **limits) -> str:
    """What the judge says of a wish that `reason` denies or reduces."""
    bench = Bench(row or market())
    if held:
        bench.hold(held)
    if equity is not None:
        bench.mark(equity=equity, peak=usd(1000), day_start=usd(1000))
    verdict = bench.judge(asked or buy(), **limits)
    assert verdict.reason == reason
    return verdict.detail


def test_people_are_told_dollars_shares_seconds_and_dates():
    age, band = ROOMY.max_snapshot_age, {"min_price": 510_000, "max_price": 990_000}
    off_tick = told(Reason.OUT_OF_RANGE, asked=buy(limit_price=505_000))
    assert off_tick == "limit_price $ 0.505 is no multiple of the tick $ 0.01"
    assert told(Reason.MARKET_CLOSED, market(ends_at=NOON - 500_000)) == "ended 2024-10-04 11:59:59.5 UTC"
    stale = told(Reason.STALE, market(quoted_at=NOON - 7_204_000_000))
    assert stale == f"quoted 7,204 s ago, at most {age // 1_000_000} s"
    assert told(Reason.STALE, market(quoted_at=NOON + age + 1)).startswith(
        f"quoted {age // 1_000_000}.000001 s ahead"
    )
    assert told(Reason.SPREAD, market(yes_bids=((300_000, usd(9)),))) == "$ 0.20, at most $ 0.15"
    assert told(Reason.PRICE_BAND, **band) == "$ 0.50, outside $ 0.51 to $ 0.99"
    assert (
        told(Reason.LIMIT_PRICE, asked=buy(limit_price=490_000)) == "limit $ 0.49, the book starts at $ 0.50"
    )
    assert told(Reason.NO_EDGE, asked=buy(0.5)) == "probability 0.50, cost at least $ 0.50 with fee"
    assert told(Reason.MAX_ORDER, max_order=usd(20) + 840) == "$ 20.00084 left"
    assert (
        told(Reason.DAILY_LOSS, equity=usd(900), max_daily_loss=usd(100))
        == "$ 100.00 lost today, stops at $ 100.00"
    )
    fallen = told(Reason.DRAWDOWN, equity=usd(750), max_drawdown_ppm=250_000, max_daily_loss=usd(900))
    assert fallen == "equity $ 750.00 of a peak of $ 1,000.00"
    assert told(Reason.FEE, market(min_size=0), sell(), held=400) == "0.0004 shares may bring -$ 0.000028"
    small = told(Reason.MIN_SIZE, sizing="fixed", fixed_amount=usd(2))
    assert re.fullmatch(r"3\.\d\d shares, at least 5\.00 shares", small)
    assert (
        told(Reason.MIN_SIZE, sizing="fixed", fixed_amount=1000)
        == "stake $ 0.001, less than 0.01 shares cost"
    )


# -- sales


def test_only_what_this_plugin_holds_of_that_outcome_may_be_sold():
    bench = Bench()
    bench.hold(usd(10), plugin="someone.else")
    bench.hold(usd(10), outcome="no")
    assert denied(bench.judge(sell())) == Reason.NOTHING_HELD
    bench.hold(usd(7))
    order = approved(bench.judge(sell()))
    assert (order.shares, order.reserve, order.side) == (usd(7), 0, "sell")


def test_what_an_open_sale_has_spoken_for_is_not_sold_twice():
    bench = Bench()
    bench.hold(usd(10))
    bench.open(usd(4), side="sell")
    assert approved(bench.judge(sell())).shares == usd(6)
    bench.open(usd(6), side="sell")
    assert denied(bench.judge(sell())) == Reason.NOTHING_HELD


def test_a_sale_takes_the_bids_within_its_limit():
    bench = Bench(market(yes_bids=((480_000, usd(6)), (470_000, usd(6)), (460_000, usd(100)))))
    bench.hold(usd(20))
    assert approved(bench.judge(sell())).limit_price == 460_000
    verdict = bench.judge(sell(limit_price=470_000))
    assert reduced(verdict) == Reason.DEPTH
    assert (verdict.order.shares, verdict.order.limit_price) == (usd(12), 470_000)


def test_a_sale_is_not_bound_by_spending_limits():
    bench = Bench(budget=Budget(order=0, day=0, exposure=0))
    bench.hold(usd(10))
    approved(
        bench.judge(sell(), max_order=0, max_market=0, max_exposure=0, max_positions=0, min_price=900_000)
    )


def test_a_sale_takes_no_level_whose_fee_eats_it():
    rows = {"yes_bids": ((480_000, usd(6)), (20_000, usd(100))), "fee_rate": 100_000, "fee_exponent": 0}
    bench = Bench(market(**rows))
    bench.hold(usd(20))
    verdict = bench.judge(sell(), max_spread=900_000)  # 0.48 brings more than a fee of 0.10, 0.02 does not
    assert reduced(verdict) == Reason.DEPTH
    assert (verdict.order.shares, verdict.order.limit_price) == (usd(6), 480_000)
    eaten = Bench(market(**(rows | {"fee_rate": 480_000})))
    eaten.hold(usd(20))
    assert denied(eaten.judge(sell(), max_spread=900_000)) == Reason.FEE


def test_a_sale_so_small_that_rounding_eats_it_is_none():
    for shares, expected in ((400, Reason.FEE), (500, None)):  # 220 micro-USD is the most that rounding takes
        bench = Bench(market(min_size=0))
        bench.hold(shares)
        verdict = bench.judge(sell())
        assert (denied(verdict) if expected else approved(verdict) and None) == expected


def test_a_stake_too_small_for_a_lot_is_too_small_and_not_enough_held():
    assert denied(Bench().judge(sizing="fixed", fixed_amount=1000)) == Reason.MIN_SIZE
    approved(Bench().judge(sizing="fixed", fixed_amount=usd(5)))


# -- risk plugins


def opinion(advice):
    return Opinion(plugin=ADVISER, call=1, advice=advice)


def test_advice_may_only_tighten():
    verdict = Bench().judge()
    order = verdict.order
    for as_it_was in (Keep(), Shrink(shares=order.shares, reason=""), Shrink(shares=2**62, reason="")):
        assert tighten(verdict, opinion(as_it_was), usd(5)) is verdict
    smaller = tighten(verdict, opinion(Shrink(shares=usd(20.009), reason="a")), usd(5))
    assert tighten(smaller, opinion(Shrink(shares=usd(30), reason="b")), usd(5)) is smaller
    assert reduced(smaller) == Reason.ADVISER
    assert smaller.order.shares == usd(20)
    assert smaller.order.reserve == worst_cost(usd(20), order.limit_price, 0, 1)
    assert smaller.order.id == order.id


def test_a_veto_silence_or_too_small_a_rest_is_a_denial():
    verdict = Bench().judge()
    assert denied(tighten(verdict, opinion(Veto(reason="no")), usd(5))) == Reason.ADVISER
    assert denied(tighten(verdict, opinion(None), usd(5))) == Reason.ADVISER_SILENT
    assert denied(tighten(verdict, opinion(Shrink(shares=usd(5) - 1, reason="")), usd(5))) == Reason.ADVISER
    assert denied(tighten(verdict, opinion(Shrink(shares=0, reason="")), 0)) == Reason.ADVISER
    assert reduced(tighten(verdict, opinion(Shrink(shares=usd(5), reason="")), usd(5))) == Reason.ADVISER


# -- whatever comes

levels = st.lists(
    st.tuples(st.integers(1, 99), st.integers(0, usd(100))),
    min_size=1,
    max_size=20,
    unique_by=lambda level: level[0],
)
money = st.integers(0, usd(100))


@settings(deadline=None)
@given(
    asks=levels,
    probability=st.floats(0.01, 0.99),
    rate=st.integers(0, 200_000),
    exponent=st.integers(0, 4),
    spend=st.none() | st.integers(1, usd(100)),
    order=money, market_cap=money, exposure=money, day=st.none() | money,
)  # fmt: skip
def test_no_order_exceeds_any_limit_at_its_worst(
    asks, probability, rate, exponent, spend, order, market_cap, exposure, day
):
    book = tuple(sorted((price * TICK, size) for price, size in asks))
    row = market(yes_bids=(), yes_asks=book, fee_rate=rate, fee_exponent=exponent, min_size=0)
    verdict = Bench(row, budget=Budget(day=day)).judge(
        buy(probability, max_spend=spend),
        max_order=order,
        max_market=market_cap,
        max_exposure=exposure,
        max_spread=MICRO,
    )
    if isinstance(verdict, Denied):
        return
    made = verdict.order
    assert made.reserve <= min(
        order, market_cap, exposure, *(bound for bound in (spend, day) if bound is not None)
    )
    assert made.shares <= sum(size for price, size in book if price <= made.limit_price)
    assert made.limit_price < probability * MICRO
    assert made.limit_price % TICK == made.shares % 10_000 == 0
    assert made.reserve == worst_cost(made.shares, made.limit_price, rate, exponent)


def test_the_table_of_checks_names_every_reason_the_judge_can_give():
    assert len(CHECKS) == len(set(CHECKS))
