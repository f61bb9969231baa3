"""What outputs are told of a cycle: every kind where it happens, and nothing that a grant hides."""

from __future__ import annotations

import math

import anyio
import msgspec
import pytest
from msgspec.structs import replace
from pp_host.core import telling
from pp_host.core.entries import Intent
from pp_host.core.execution import place
from pp_host.core.loop import cycle, settle_only
from pp_host.core.policy import Budget
from pp_host.core.risk import judge
from pp_host.errors import InDoubt, VenueError
from pp_host.model import MICRO, Approved, Reason, TradingState
from pp_sdk import (
    DecideEnd,
    DecideStart,
    DecisionMade,
    Fill,
    MarketUpdate,
    ObserveEnd,
    ObserveStart,
    PositionUpdate,
    RiskBreach,
    RiskCheck,
    Settlement,
    Shrink,
    TradeEnd,
    TradeError,
    TradeStart,
    Veto,
)
from pp_sdk.redaction import narrowed
from pp_sdk.table import RESOLVED

from tests.unit.core.fakes import (
    ADVISER,
    AGENT,
    NOON,
    SOURCE,
    ScriptedVenue,
    World,
    buy,
    fill_of,
    market,
    sell,
    usd,
    wish,
)

pytestmark = pytest.mark.anyio
CYCLE = ["observe.start", "observe.end", "decide.start", "decide.end"]
ORDER = ["trade.start", "fill", "position.update", "trade.end"]
SHARES, COST = usd(79.99), usd(39.995)  # what 40 USD surely buy at 0.50, rounding included


async def turn(world: World, *decisions):
    """What one cycle tells."""
    before = len(world.outputs.told)
    world.agents.decisions = decisions
    await cycle(world.ports, world.book, world.policy, world.budgets)
    return world.outputs.told[before:]


def kinds(told):
    return [event.kind for event in told]


def the(kind, told):
    (found,) = [event for event in told if isinstance(event, kind)]
    return found


async def test_a_cycle_without_wishes_is_told_as_such():
    told = await turn(World())
    assert told == [
        ObserveStart(at=NOON),
        ObserveEnd(at=NOON, sources=(SOURCE.id,), markets=1, equity=usd(1000), cash=usd(1000), exposure=0),
        DecideStart(at=NOON, agents=(AGENT.id,)),
        DecideEnd(at=NOON, answered=(AGENT.id,), decisions=0),
    ]


async def test_a_purchase_is_told_from_the_wish_to_the_position():
    world = World()
    told = await turn(world, buy(0.6, rationale="it will rain", max_spend=usd(40)))
    assert kinds(told) == [*CYCLE, "decision", "risk.check", *ORDER]
    assert the(DecideEnd, told).decisions == 1
    assert the(DecisionMade, told) == DecisionMade(
        at=NOON, plugin=AGENT.id, market="m", outcome="yes", side="buy", probability_ppm=600_000,
        confidence_ppm=1_000_000, limit_price=None, max_spend=usd(40), text="it will rain",
    )  # fmt: skip
    check, start, fill, end = (the(kind, told) for kind in (RiskCheck, TradeStart, Fill, TradeEnd))
    assert (check.verdict, check.reason, check.shares) == ("reduced", "max_spend", SHARES)
    assert check.order == start.order == fill.order == end.order
    assert (start.shares, start.limit_price) == (SHARES, 500_000)
    assert COST <= start.reserve <= usd(40)
    assert (fill.shares, fill.price, fill.amount, fill.fee) == (SHARES, 500_000, COST, 0)
    assert (end.status, end.shares, end.filled) == ("filled", SHARES, SHARES)
    assert the(PositionUpdate, told) == PositionUpdate(
        at=NOON, plugin=AGENT.id, market="m", outcome="yes", shares=SHARES, cost=COST
    )


async def test_a_sale_of_all_leaves_a_position_of_nothing():
    world = World()
    await turn(world, buy())
    told = await turn(world, sell())
    assert (the(PositionUpdate, told).shares, the(PositionUpdate, told).cost) == (0, 0)
    assert the(Fill, told).side == "sell"


@pytest.mark.parametrize(("left", "status"), [(0, "unfilled"), (usd(10), "partial")])
async def test_an_order_that_finds_less_than_it_wants_says_so(left, status):
    world = World()
    world.venue = ScriptedVenue(lambda order: [fill_of(order, left, 500_000)] if left else [])
    told = await turn(world, buy(0.6, max_spend=usd(40)))
    end = the(TradeEnd, told)
    assert (end.status, end.shares, end.filled) == (status, SHARES, left)
    assert ("fill" in kinds(told)) is bool(left)


async def test_nothing_is_told_before_it_is_written_down():
    world = World()
    written = {"observe.end": "observation", "decision": "decision", "risk.check": "verdict", "risk.breach": "verdict",
               "trade.start": "order.intent", "fill": "order.fill", "trade.end": "order.done"}  # fmt: skip
    last = []
    tell = world.outputs.notify

    def notify(event):
        last.append((event.kind, world.record.entries[-1].event))
        tell(event)

    world.outputs.notify = notify
    world.policy = replace(world.policy, max_order=usd(10))
    told = await turn(world, buy())
    assert set(written) <= {event.kind for event in told}
    assert [one for one in last if one[0] in written] == [
        (event.kind, written[event.kind]) for event in told if event.kind in written
    ]


# -- what stands in the way


async def test_a_denial_is_a_check_and_a_breach_only_where_a_limit_of_the_account_stood_in_the_way():
    world = World()
    unfit = await turn(world, buy(math.nan))
    assert kinds(unfit) == [*CYCLE, "decision", "risk.check"]
    check = the(RiskCheck, unfit)
    assert (check.verdict, check.reason, check.order, check.shares, check.limit_price) == (
        "denied", "not_a_number", "", 0, None,
    )  # fmt: skip
    assert the(DecisionMade, unfit).probability_ppm is None
    world.policy = replace(world.policy, max_order=usd(10))
    cut = await turn(world, buy())
    assert kinds(cut)[4:7] == ["decision", "risk.check", "risk.breach"]
    assert the(RiskBreach, cut) == RiskBreach(
        at=NOON, plugin=AGENT.id, market="m", verdict="reduced", reason="max_order", text="$ 10.00 left"
    )  # fmt: skip
    world.policy = replace(world.policy, max_daily_loss=0)
    assert the(RiskBreach, await turn(world, buy())).reason == "daily_loss"


async def test_what_an_agent_writes_in_place_of_a_name_is_told_as_words_only():
    told = await turn(World(), buy(name="equity 1234", rationale="r"), buy(outcome="cash 1234"), buy())
    named = [(one.market, one.outcome) for one in told if isinstance(one, DecisionMade | RiskCheck)]
    assert named == [("", "yes")] * 2 + [("m", "")] * 2 + [("m", "yes")] * 2
    assert [one.text for one in told if isinstance(one, RiskCheck)][:2] == ["equity 1234", "cash 1234"]
    hidden = [narrowed(one, "ratio", usd(1000)) for one in told]
    assert "1234" in str(told)
    assert "1234" not in str(hidden)


@pytest.mark.parametrize(
    ("advice", "verdict", "reason"),
    [
        (Veto(reason="no"), "denied", "adviser"),
        (Shrink(shares=usd(10), reason="less"), "reduced", "adviser"),
        (None, "denied", "adviser_silent"),
    ],
)
async def test_what_a_risk_plugin_changes_is_another_check_and_a_breach(advice, verdict, reason):
    world = World()
    world.advisers.advice = (advice,)
    told = await turn(world, buy())
    first, second = (event for event in told if isinstance(event, RiskCheck))
    assert first.verdict == "approved"
    assert (second.verdict, second.reason) == (verdict, reason)
    assert the(RiskBreach, told).reason == reason
    assert ADVISER.id in the(RiskBreach, told).text


async def test_a_halt_is_a_breach_of_its_own_and_of_each_wish():
    world = World()
    world.kill.reason = "operator"
    told = await turn(world, buy())
    assert the(RiskBreach, told).reason == "halted"
    assert "trade.start" not in kinds(told)


def test_every_reason_that_names_a_limit_of_the_account_is_a_breach():
    assert {reason for reason in Reason if reason.startswith(("max_", "budget_"))} - telling.BREACHES == {
        Reason.MAX_SPEND  # the wish's own
    }
    assert {Reason.DAILY_LOSS, Reason.DRAWDOWN, Reason.CASH, Reason.HALTED} <= telling.BREACHES


# -- orders that come to nothing


async def test_a_rejected_order_is_an_error_and_the_reason_is_told():
    world = World()

    def refuse(order):
        raise VenueError("closed for lunch")

    world.venue = ScriptedVenue(refuse)
    told = await turn(world, buy())
    error = the(TradeError, told)
    assert (error.status, error.text, error.side) == ("rejected", "closed for lunch", "buy")
    assert kinds(told)[-2:] == ["trade.start", "trade.error"]


async def test_an_order_in_doubt_is_an_error_halts_and_is_told_again_once_it_is_known():
    world = World()

    def vanish(order):
        raise InDoubt("no answer")

    world.venue = ScriptedVenue(vanish)
    world.venue.can_forbid = False
    told = await turn(world, buy(max_spend=usd(40)))
    assert (the(TradeError, told).status, the(TradeError, told).text) == ("in_doubt", "no answer")
    halted = the(RiskBreach, await turn(world))
    assert (halted.plugin, halted.market, halted.verdict, halted.reason) == ("", "", "denied", "halted")
    assert the(TradeError, told).order in halted.text
    (sent,) = world.venue.sent
    world.venue.known[sent.id] = [fill_of(sent, SHARES, 500_000)]
    found = await turn(world)
    assert kinds(found)[:3] == ["fill", "position.update", "trade.end"]
    assert (the(Fill, found).order, the(TradeEnd, found).status) == (sent.id, "filled")


async def test_an_order_that_was_never_sent_is_void_and_was_never_started():
    world = World()
    await turn(world)
    seen = await settle_only(world.ports, world.book)
    verdict = judge(
        wish(buy()), seen, world.ledger, world.policy, Budget(), TradingState.ACTIVE, run="r1", now=NOON
    )
    assert isinstance(verdict, Approved)
    before, world.kill.reason = len(world.outputs.told), "halt!"
    assert await place(verdict.order, world.ports, world.ledger, cause=0) == ()
    (error,) = world.outputs.told[before:]
    assert (error.kind, error.status, error.text) == ("trade.error", "void", "halted: halt!")
    with anyio.CancelScope() as scope:
        world.kill.reason = None
        scope.cancel()
        await place(verdict.order, world.ports, world.ledger, cause=0)
    assert world.outputs.told[-1].text == "cancelled before it was sent"
    assert "trade.start" not in kinds(world.outputs.told)


# -- markets and their ends


async def test_best_prices_are_told_of_markets_with_money_in_them_and_when_they_moved():
    world = World(market(), market("idle"))
    assert "market.update" not in kinds(await turn(world, buy()))
    first = the(MarketUpdate, await turn(world))
    assert first == MarketUpdate(
        at=NOON, market="m", yes_bid=480_000, yes_ask=500_000, no_bid=490_000, no_ask=510_000, quoted_at=NOON
    )  # fmt: skip
    world.show(market(quoted_at=NOON + 1), market("idle", yes_bids=()))
    assert "market.update" not in kinds(await turn(world)), "no price moved where money is"
    world.show(market("idle"))
    assert "market.update" not in kinds(await turn(world)), "its source says nothing"
    world.show(market(yes_bids=()), market("idle"))
    assert the(MarketUpdate, await turn(world)).yes_bid is None
    world.show(market())
    await turn(world, sell())
    world.show(market(yes_bids=()))
    assert "market.update" not in kinds(await turn(world)), "no money in it any more"
    assert world.book.told == {}


async def test_a_settlement_of_what_was_held_is_told_and_no_other():
    world = World(market(), market("idle"))
    await turn(world, buy(0.6, max_spend=usd(40)))
    gone = {"yes_bids": (), "yes_asks": (), "no_bids": (), "no_asks": (), "status": RESOLVED}
    world.show(market(yes_payout=MICRO, **gone), market("idle", yes_payout=0, **gone))
    told = await turn(world)
    assert kinds(told) == [
        "observe.start",
        "observe.end",
        "market.update",
        "settlement",
        "position.update",
        *CYCLE[2:],
    ]
    assert the(Settlement, told) == Settlement(
        at=NOON, market="m", yes_payout=MICRO, yes_shares=SHARES, no_shares=0, payout=SHARES, cost=COST,
        realised=SHARES - COST,
    )  # fmt: skip
    assert (the(PositionUpdate, told).market, the(PositionUpdate, told).shares) == ("m", 0)
    assert len(world.record.of("settlement")) == 2


# -- room and redaction


async def test_room_is_waited_for_before_each_wish_and_once_a_cycle():
    world = World()
    await turn(world)
    assert world.outputs.rooms == 1
    await turn(world, buy(), buy())
    assert world.outputs.rooms == 4


async def life(cash: int):
    """What a run over everything tells; amounts are `cash` times something, prices are the same."""
    books = {"yes_bids": ((480_000, 10**15),), "yes_asks": ((500_000, 10**15),)}
    world = World(market(**books), market("n", **books), cash=cash)
    most = cash // 10
    world.policy = replace(
        world.policy, max_order=most, max_market=10**15, max_exposure=10**15, max_daily_loss=10**15
    )
    world.advisers.advice = (Shrink(shares=most, reason=f"at most {most}"),)
    await turn(world, buy(0.7, rationale=f"I have {cash}", max_spend=most * 2), buy(0.9, "n"), buy(math.nan))
    world.advisers.advice = ()
    world.show(market(**books | {"yes_bids": ((470_000, 10**15),)}))
    await turn(world, sell(), buy(0.8))
    world.show(market(status=RESOLVED, yes_payout=MICRO, yes_bids=(), yes_asks=(), no_bids=(), no_asks=()))
    await turn(world)
    return world.outputs.told


@pytest.mark.parametrize("detail", ["none", "ratio"])
async def test_accounts_of_different_size_look_the_same_to_who_may_not_know_the_size(detail):
    poor, rich = await life(usd(1000)), await life(usd(1000) * 64)

    def told(events):
        equity = None
        for event in events:
            equity = event.equity if isinstance(event, ObserveEnd) else equity
            yield msgspec.to_builtins(narrowed(event, detail, equity))

    assert poor != rich
    for one, other in zip(told(poor), told(rich), strict=True):
        for (
            name,
            value,
        ) in one.items():  # a venue takes hundredths of a share, which are less of a larger account
            assert value == other[name] or (detail == "ratio" and abs(value - other[name]) <= 20), (name, one)
    assert {*kinds(poor)} >= {
        *CYCLE,
        *ORDER,
        "decision",
        "risk.check",
        "risk.breach",
        "settlement",
        "market.update",
    }


def test_an_intent_and_an_order_go_by_the_same_names():
    shared = set(TradeStart.__struct_fields__) - {"detail"}
    assert shared <= set(Intent.__struct_fields__)
