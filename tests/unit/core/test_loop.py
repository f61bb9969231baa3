from __future__ import annotations

import math

import anyio
import pytest
from msgspec.structs import replace
from pp_host.core.ledger import DAY
from pp_host.core.loop import cycle, recover, settle_only
from pp_host.core.policy import Budget
from pp_host.errors import InDoubt, RecordError
from pp_host.model import MICRO, PluginRef, Reason, TradingState
from pp_host.ports import Answer
from pp_sdk.table import RESOLVED, build
from pp_sdk.types import Keep, Shrink, Veto

from tests.unit.core.fakes import (
    ADVISER,
    AGENT,
    NOON,
    FakeAdvisers,
    FakeAgents,
    ScriptedVenue,
    World,
    buy,
    market,
    sell,
    usd,
)

pytestmark = pytest.mark.anyio


async def turn(world: World, *decisions, **options):
    world.agents.decisions = decisions
    return await cycle(world.ports, world.book, world.policy, world.budgets, **options)


def last_verdict(world: World):
    return world.record.of("verdict")[-1]


async def test_a_fill_can_be_followed_back_to_the_snapshot():
    world = World()
    await turn(world, buy())
    (fill,) = world.record.of("order.fill")
    assert world.record.chain(fill) == [
        "order.fill", "order.ack", "order.intent", "verdict", "decision", "plugin.call", "observation", "snapshot", "plugin.call",
    ]  # fmt: skip
    order = fill.subject["order"]
    assert last_verdict(world).subject["order"] == order
    (decision,) = world.record.of("decision")
    assert decision.plugin == AGENT
    assert world.book.tally.fills == world.book.tally.orders == world.book.tally.decisions == 1
    assert world.book.tally.verdicts == {"approved": 1, "reduced": 0, "denied": 0}


async def test_advisers_hear_what_the_source_says_of_the_market():
    world = World(market(venue="polymarket", event="rain", ends_at=NOON + 7))
    world.advisers.advice = (Keep(),)
    await turn(world, buy())
    ((proposal, _),) = world.advisers.asked
    assert (proposal.venue, proposal.event, proposal.ends_at) == ("polymarket", "rain", NOON + 7)


async def test_a_denied_wish_leaves_its_reason_and_nothing_else():
    world = World()
    await turn(world, buy(math.nan, rationale="because"))
    (decision,) = world.record.of("decision")
    assert decision.subject["probability"] == "nan"
    assert decision.subject["probability_ppm"] is None
    assert decision.subject["rationale"] == "because"
    verdict = last_verdict(world)
    assert (verdict.verdict, verdict.rule, verdict.subject["verdict"]) == ("deny", "not_a_number", "denied")
    assert verdict.subject["order"] == ""
    assert world.record.of("order.intent") == []
    assert world.book.tally.reasons["denied"] == {Reason.NOT_A_NUMBER: 1}


async def test_agents_are_judged_in_order_and_each_sees_what_the_one_before_took():
    world = World(market(yes_asks=((500_000, usd(60)),)))
    other = PluginRef("org.example.other", "1.0.0", "c" * 64)

    class Two(FakeAgents):
        async def decide(self, observed):
            answers = await super().decide(observed)
            return [*answers, Answer(plugin=other, call=answers[0].call, decisions=(buy(0.7),))]

    world.agents = Two(world.record, buy(0.7))
    world.budgets[other.id] = Budget()
    world.policy = replace(world.policy, max_market=usd(45))
    await cycle(world.ports, world.book, world.policy, world.budgets)
    verdicts = [(entry.subject["plugin"], entry.rule) for entry in world.record.of("verdict")]
    assert verdicts == [(AGENT.id, "depth"), (other.id, "max_market")]
    assert world.ledger.market_exposure("m") == usd(
        30
    )  # the book held 60 shares, and a shown level is taken once
    assert [entry.subject["status"] for entry in world.record.of("order.done")] == ["filled", "unfilled"]


async def test_a_plugin_without_a_budget_is_recorded_and_refused():
    world = World()
    world.budgets = {}
    await turn(world, buy())
    assert last_verdict(world).rule == "plugin_not_granted"


async def test_a_dry_run_judges_and_places_nothing():
    world = World()
    await turn(world, buy(), dry_run=True)
    assert last_verdict(world).subject["verdict"] == "approved"
    assert world.record.of("order.intent") == []
    assert world.ledger.balance.cash == usd(1000)
    assert (world.book.tally.decisions, world.book.tally.orders) == (1, 0)
    await turn(world, buy())
    assert len(world.record.of("order.fill")) == 1


async def test_settle_only_asks_no_agent():
    world = World(decisions=[buy()])
    await settle_only(world.ports, world.book)
    assert world.record.of("decision") == []
    assert len(world.record.of("observation")) == 1


# -- a loss made in this very cycle


async def test_a_loss_of_this_cycle_stops_its_later_purchases():
    """Bought at 0.50 and sold at 0.48 again and again: every round costs, and the limit is looked at each time."""
    rounds = [decision for _ in range(20) for decision in (buy(), sell())]
    world = World(market(yes_bids=((480_000, usd(10**6)),), yes_asks=((500_000, usd(10**6)),)))
    world.policy = replace(world.policy, max_daily_loss=usd(10))
    await turn(world, *rounds)
    lost = usd(1000) - world.ledger.balance.cash
    assert usd(10) <= lost < usd(20)
    assert world.book.tally.reasons["denied"][Reason.DAILY_LOSS] > 0
    roomy = World(market(yes_bids=((480_000, usd(10**6)),), yes_asks=((500_000, usd(10**6)),)))
    await turn(roomy, *rounds)
    assert usd(1000) - roomy.ledger.balance.cash > usd(20)
    assert Reason.DAILY_LOSS not in roomy.book.tally.reasons["denied"]


async def test_a_fall_of_this_cycle_counts_towards_the_drawdown():
    rounds = [decision for _ in range(20) for decision in (buy(), sell())]
    world = World(market(yes_bids=((480_000, usd(10**6)),), yes_asks=((500_000, usd(10**6)),)))
    world.policy = replace(world.policy, max_drawdown_ppm=10_000)
    await turn(world, *rounds)
    assert usd(10) <= usd(1000) - world.ledger.balance.cash < usd(20)
    assert world.book.tally.reasons["denied"][Reason.DRAWDOWN] > 0


async def test_no_sale_costs_money_whatever_fee_its_source_makes_up():
    world = World()
    await turn(world, buy())
    cash = world.ledger.balance.cash
    world.show(market(fee_rate=1_000_000, fee_exponent=0))
    await turn(world, sell())
    assert (last_verdict(world).rule, world.ledger.balance.cash) == ("fee", cash)
    world.show(market(fee_rate=70_000))
    await turn(world, sell())
    assert world.ledger.balance.cash > cash


# -- risk plugins


async def test_a_purchase_is_shown_to_risk_plugins_and_a_sale_is_not():
    world = World()
    world.advisers = FakeAdvisers(world.record, Keep())
    await turn(world, buy())
    ((proposal, view),) = world.advisers.asked
    order = world.record.of("order.intent")[0].subject
    assert (proposal.shares, proposal.limit_price, proposal.plugin) == (
        order["shares"],
        order["limit_price"],
        AGENT.id,
    )
    assert (view.equity, view.cash, view.positions) == (usd(1000), usd(1000), ())
    await turn(world, sell())
    assert len(world.advisers.asked) == 1
    assert world.ledger.holdings() == ()


async def test_exits_do_not_wait_for_advisers_that_hang():
    world = World()
    await turn(world, buy())

    class Hanging(FakeAdvisers):
        async def advise(self, proposal, view, *, cause):
            await anyio.sleep_forever()

    world.advisers = Hanging(world.record)
    with anyio.fail_after(5):
        await turn(world, sell())
    assert world.ledger.holdings() == ()


async def test_advisers_work_at_the_same_time():
    world = World()

    class Parallel(FakeAdvisers):
        """Each waits until the other has begun: one after the other they would never end."""

        async def advise(self, proposal, view, *, cause):
            begun = [anyio.Event(), anyio.Event()]

            async def one(mine, other):
                mine.set()
                await other.wait()

            async with anyio.create_task_group() as group:
                group.start_soon(one, begun[0], begun[1])
                group.start_soon(one, begun[1], begun[0])
            return await super().advise(proposal, view, cause=cause)

    world.advisers = Parallel(world.record, Keep(), Keep())
    with anyio.fail_after(5):
        await turn(world, buy())
    assert len(world.record.of("advice")) == 2
    assert len(world.record.of("order.fill")) == 1


async def test_a_tightened_verdict_is_written_anew_and_is_the_one_that_counts():
    world = World()
    world.advisers = FakeAdvisers(world.record, Keep(), Shrink(shares=usd(20), reason="too much"))
    await turn(world, buy())
    first, second = world.record.of("verdict")
    assert (first.subject["verdict"], second.subject["verdict"], second.rule) == (
        "approved",
        "reduced",
        "adviser",
    )
    keep, shrink = world.record.of("advice")
    assert second.cause == shrink.seq
    assert world.record.chain(second)[:5] == ["verdict", "advice", "plugin.call", "verdict", "decision"]
    assert world.record.entries[shrink.cause].cause == world.record.entries[keep.cause].cause == first.seq
    assert [entry.subject["advice"] for entry in world.record.of("advice")] == ["keep", "shrink"]
    assert {entry.plugin for entry in world.record.of("advice")} == {ADVISER}
    assert world.record.entries[world.record.of("advice")[0].cause].event == "plugin.call"
    assert world.ledger.holdings()[0].shares == usd(20)
    assert world.record.of("order.intent")[0].cause == second.seq
    assert world.book.tally.verdicts == {"approved": 0, "reduced": 1, "denied": 0}


@pytest.mark.parametrize(
    ("advice", "rule"),
    [(Veto(reason="no"), "adviser"), (None, "adviser_silent"), (Shrink(shares=usd(4), reason=""), "adviser")],
)
async def test_a_veto_silence_and_too_small_a_rest_stop_the_order(advice, rule):
    world = World()
    world.advisers = FakeAdvisers(world.record, Keep(), advice)
    await turn(world, buy())
    assert last_verdict(world).rule == rule
    assert last_verdict(world).cause == world.record.of("advice")[1].seq
    assert world.record.of("order.intent") == []
    assert world.book.tally.verdicts["denied"] == 1


@pytest.mark.parametrize(
    ("advice", "decisive", "shares"),
    [
        ((Shrink(shares=usd(30), reason=""), Shrink(shares=usd(20), reason="")), 1, usd(20)),
        ((Shrink(shares=usd(20), reason=""), Shrink(shares=usd(30), reason="")), 0, usd(20)),
        ((Shrink(shares=usd(20), reason=""), Veto(reason="")), 1, 0),
        ((Veto(reason=""), Shrink(shares=usd(20), reason="")), 0, 0),
        ((None, Veto(reason="")), 0, 0),
    ],
)
async def test_of_several_advisers_the_decisive_one_is_the_cause(advice, decisive, shares):
    world = World()
    world.advisers = FakeAdvisers(world.record, *advice)
    await turn(world, buy())
    assert len(world.record.of("verdict")) == len(world.record.of("advice")) == 2
    assert last_verdict(world).cause == world.record.of("advice")[decisive].seq
    assert last_verdict(world).subject["shares"] == shares


async def test_advice_that_changes_nothing_is_no_verdict():
    world = World()
    world.advisers = FakeAdvisers(world.record, Keep(), Shrink(shares=usd(1_000_000), reason=""))
    await turn(world, buy())
    (verdict,) = world.record.of("verdict")
    assert world.record.of("order.intent")[0].cause == verdict.seq


async def test_a_verdict_names_the_snapshot_its_market_was_taken_from():
    world = World()
    world.sources.tables = [build([market("a")]), build([market("a"), market("b")])]
    await turn(world, *(buy(name=name) for name in ("a", "b", "c")))
    first, second = world.record.of("snapshot")
    named = [entry.subject["snapshot"] for entry in world.record.of("verdict")]
    assert named == [first.seq, second.seq, None]
    assert last_verdict(world).rule == "unknown_market"


# -- loss limits, across a restart


async def fall(world: World, bid: int, *, day: int = 0):
    world.clock.time = NOON + day * DAY
    world.show(
        market(
            yes_bids=((bid, usd(1000)),), yes_asks=((bid + 20_000, usd(1000)),), quoted_at=world.clock.time
        ),
        market("n", quoted_at=world.clock.time),
    )
    await settle_only(world.ports, world.book)


@pytest.mark.parametrize("restarts", [False, True])
async def test_a_day_s_loss_outlives_a_restart_and_ends_with_the_day(restarts):
    world = World(market(), market("n"))
    world.policy = replace(world.policy, max_daily_loss=usd(20), kelly_fraction_ppm=MICRO)
    await turn(world, buy())
    await fall(world, 380_000)
    if restarts:
        world.restart()
    await turn(world, buy(name="n"))
    assert last_verdict(world).rule == "daily_loss"
    await turn(world, sell())
    assert world.ledger.holdings() == ()
    await fall(world, 380_000, day=1)
    await turn(world, buy(name="n"))
    assert last_verdict(world).subject["verdict"] == "approved"


@pytest.mark.parametrize("restarts", [False, True])
async def test_a_drawdown_outlives_a_restart_and_the_day(restarts):
    world = World(market(), market("n"))
    world.policy = replace(world.policy, max_drawdown_ppm=30_000, kelly_fraction_ppm=MICRO)
    await turn(world, buy())
    await fall(world, 600_000)
    peak = world.ledger.marks.peak
    assert peak > usd(1000)
    await fall(world, 480_000, day=1)
    if restarts:
        world.restart()
    await fall(world, 480_000, day=2)
    assert world.ledger.marks.peak == peak
    await turn(world, buy(name="n"))
    assert last_verdict(world).rule == "drawdown"
    world.policy = replace(world.policy, max_drawdown_ppm=100_000)
    await turn(world, buy(name="n"))
    assert last_verdict(world).subject["verdict"] == "approved"


# -- trouble


async def test_a_raised_kill_switch_denies_everything_that_follows():
    world = World()
    await turn(world, buy())
    world.kill.reason = "operator"
    await turn(world, buy(0.9), sell())
    assert [entry.rule for entry in world.record.of("verdict")[1:]] == ["halted", "halted"]
    world.kill.reason = None
    await turn(world, sell())
    assert world.ledger.holdings() == ()


async def test_a_kill_while_risk_plugins_think_voids_the_order():
    world = World()

    class Slow(FakeAdvisers):
        async def advise(self, proposal, view, *, cause):
            world.kill.reason = "operator"
            return ()

    world.advisers = Slow(world.record)
    await turn(world, buy())
    assert world.record.events()[-1] == "order.void"
    assert world.ledger.balance.cash == usd(1000)


async def test_an_order_in_doubt_is_cleared_up_before_anything_else_happens():
    world = World()
    venue = world.venue

    class Mute(ScriptedVenue):
        async def submit(self, order):
            await venue.submit(order)
            raise InDoubt("the reply was lost")

        def show(self, markets, now):
            venue.show(markets, now)

        lookup = staticmethod(venue.lookup)
        forbid = staticmethod(venue.forbid)

    world.venue = Mute()
    await turn(world, buy())
    assert world.ledger.holdings() == ()
    assert world.ledger.balance.reserved > 0
    await turn(world)
    assert world.ledger.holdings()[0].shares > 0
    assert world.ledger.balance.reserved == 0
    assert world.book.state is TradingState.ACTIVE


async def test_doubt_that_stays_halts_trading_and_says_so_once():
    def lost(order):
        raise InDoubt("reset")

    world = World()
    world.venue = ScriptedVenue(lost)
    world.venue.can_forbid = False
    await turn(world, buy())
    await turn(world, buy(0.9))
    await turn(world, buy(0.9))
    assert [entry.rule for entry in world.record.of("verdict")] == ["", "halted", "halted"]
    (lowered,) = world.record.of("state.kill")
    assert lowered.subject["state"] == "halted"
    assert world.record.of("order.intent")[0].subject["order"] in lowered.subject["reason"]
    world.restart()
    await recover(world.ports, world.book)
    assert world.book.state is TradingState.HALTED


async def test_a_record_that_fails_ends_the_cycle():
    world = World(decisions=[buy()])
    world.record.full = True
    with pytest.raises(RecordError):
        await cycle(world.ports, world.book, world.policy, world.budgets)
    assert world.ledger.balance.cash == usd(1000)


# -- the digest of actions


async def actions(run: str = "r", *, entries_before: int = 0, **changes) -> str:
    world = World()
    world.book.run = run
    for _ in range(entries_before):
        world.record.append("plugin.log", {})
    await turn(world, replace(buy(), **changes))
    await turn(world, sell())
    world.show(market(status=RESOLVED, yes_payout=MICRO))
    await turn(world)
    return world.book.tally.actions_digest


async def test_the_digest_covers_what_was_done_and_not_which_run_did_it():
    digest = await actions()
    assert digest == await actions("another run", entries_before=5)
    assert digest != await actions(probability=0.61)
    assert digest != await actions(max_spend=usd(10))


async def test_wishes_that_came_to_nothing_are_in_the_digest_too():
    digests = set()
    for wished in (
        buy(0.4),
        buy(0.3),
        buy(0.4, confidence=0.5),
        buy(0.4, outcome="no"),
        buy(0.4, rationale="why"),
    ):
        world = World()
        await turn(world, wished)
        digests.add(world.book.tally.actions_digest)
    assert len(digests) == 4  # the rationale is not an action


async def test_two_runs_that_differ_only_in_a_fill_differ():
    world = World(market(yes_asks=((510_000, usd(1000)),)))
    await turn(world, buy())
    await turn(world, sell())
    assert world.book.tally.actions_digest != await actions()
