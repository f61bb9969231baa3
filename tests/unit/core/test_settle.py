from __future__ import annotations

from collections.abc import Mapping

import pytest
from pp_host.core.loop import cycle, settle_only
from pp_host.errors import InDoubt
from pp_host.model import MICRO, PluginRef, Reason, Sighting
from pp_sdk.table import CLOSED, RESOLVED, MarketRow, build

from tests.unit.core.fakes import ScriptedVenue, World, buy, fill_of, market, sell, usd

pytestmark = pytest.mark.anyio


def ended(name: str = "m", payout: int | None = MICRO):
    return market(name, status=RESOLVED, yes_payout=payout, yes_bids=(), yes_asks=(), no_bids=(), no_asks=())


async def test_a_market_that_was_seen_open_is_settled_once():
    world = World(decisions=[buy()])
    await cycle(world.ports, world.book, world.policy, world.budgets)
    (lot,) = world.ledger.holdings()
    world.agents.decisions = ()
    world.show(ended())
    observed = await cycle(world.ports, world.book, world.policy, world.budgets)
    await cycle(world.ports, world.book, world.policy, world.budgets)
    (entry,) = world.record.of("settlement")
    assert world.record.entries[entry.cause].event == "observation"
    assert entry.subject["payout"] == lot.shares
    assert observed.holdings == ()
    assert observed.cash == world.ledger.balance.cash == usd(1000) - lot.cost + lot.shares
    assert world.book.tally.settled == {"m"}
    assert [event.kind for event in world.outputs.told].count("settlement") == 1


async def test_the_losing_outcome_pays_nothing():
    world = World(decisions=[buy(outcome="no")])
    await cycle(world.ports, world.book, world.policy, world.budgets)
    (lot,) = world.ledger.holdings()
    world.show(ended())
    await settle_only(world.ports, world.book)
    assert world.ledger.balance.realised == -lot.cost
    assert world.ledger.balance.cash == usd(1000) - lot.cost


async def test_a_market_seen_open_is_settled_also_when_nothing_is_held():
    world = World(market("a"), market("b"))
    await settle_only(world.ports, world.book)
    world.show(ended("a"), market("b", status=CLOSED))
    await settle_only(world.ports, world.book)
    assert [entry.subject["market"] for entry in world.record.of("settlement")] == ["a"]
    world.show(ended("a"), ended("b", 0))  # closed first, resolved later
    await settle_only(world.ports, world.book)
    assert [entry.subject["market"] for entry in world.record.of("settlement")] == ["a", "b"]
    assert world.ledger.balance.cash == usd(1000)


async def test_a_market_first_seen_resolved_is_none_of_ours():
    world = World(ended())
    await settle_only(world.ports, world.book)
    assert world.record.of("settlement") == []


async def test_what_an_earlier_run_left_is_settled_by_the_next():
    world = World(decisions=[buy()])
    await cycle(world.ports, world.book, world.policy, world.budgets)
    world.restart()
    world.show(ended())
    await settle_only(world.ports, world.book)
    assert world.ledger.holdings() == ()
    assert world.ledger.balance.realised > 0
    world.restart()
    await settle_only(world.ports, world.book)
    assert len(world.record.of("settlement")) == 1


async def test_a_market_resolved_without_a_payout_waits_for_it():
    world = World(decisions=[buy()])
    await cycle(world.ports, world.book, world.policy, world.budgets)
    world.show(ended(payout=None))
    await settle_only(world.ports, world.book)
    assert world.record.of("settlement") == []
    world.show(ended(payout=400_000))
    await settle_only(world.ports, world.book)
    (entry,) = world.record.of("settlement")
    assert entry.subject["payout"] == entry.subject["yes_shares"] * 400_000 // MICRO


# -- whose market it is


class NamedSources:
    """Shows `rows` by source, in this order; one that is not named is silent."""

    def __init__(self, rows: Mapping[str, tuple[MarketRow, ...]]) -> None:
        self.rows = rows

    async def snapshot(self, request):
        return [
            Sighting(source=PluginRef(name, "1.0.0", "5" * 64), table=build(rows), call=None)
            for name, rows in self.rows.items()
        ]


async def turn(world: World, *decisions, **rows: tuple[MarketRow, ...]):
    world.sources = NamedSources(rows)
    world.agents.decisions = decisions
    return await cycle(world.ports, world.book, world.policy, world.budgets)


def last_verdict(world: World) -> tuple[str, str]:
    subject = world.record.of("verdict")[-1].subject
    return subject["reason"], subject["detail"]


async def test_only_the_source_a_market_follows_settles_it():
    world = World()
    await turn(world, buy(), first=(market(),), other=())
    for _ in range(3):  # its source is silent
        observed = await turn(world, other=(ended(payout=0),))
        assert len(observed.markets) == 0
    await turn(world, other=(ended(payout=0),), first=(market(),))  # and speaks later than the other
    assert world.record.of("settlement") == []
    await turn(world, other=(ended(payout=0),), first=(ended(),))
    (entry,) = world.record.of("settlement")
    assert entry.subject["yes_payout"] == MICRO


async def test_a_market_is_not_traded_on_another_source_s_row():
    world = World()
    await turn(world, buy(), first=(market(),))
    await turn(world, sell(), other=(market(yes_bids=((470_000, usd(1000)),)),))
    assert last_verdict(world) == (Reason.UNKNOWN_MARKET, "m")
    await turn(world, sell(), other=(market(),), first=(market(),))
    assert world.ledger.holdings() == ()
    verdict = world.record.of("verdict")[-1].subject
    assert world.record.entries[verdict["snapshot"]].subject["source"] == "first"


async def test_the_worth_of_a_position_does_not_follow_another_source():
    world = World()
    await turn(world, buy(), first=(market(),))
    marked = (await turn(world, first=(market(),))).equity
    cheap = market(yes_bids=((10_000, usd(1)),))
    assert (await turn(world, other=(cheap,))).equity == marked


async def test_what_nothing_is_held_of_follows_another_source_once_its_own_no_longer_shows_it():
    world = World()
    await turn(world, first=(market(),), other=())
    assert len((await turn(world, other=(market(),))).markets) == 0
    await turn(world, buy(), other=(market(),))
    assert world.book.seen == {"m": "other"}
    assert world.ledger.holdings() != ()


async def test_of_several_sources_a_new_market_follows_the_first_that_shows_it_whatever_its_state():
    world = World()
    await turn(world, first=(market("a"),), other=(market("a"), market("b")))
    assert world.book.seen == {"a": "first", "b": "other"}
    world = World()
    await turn(world, first=(market("a", status=CLOSED),), other=(market("a"),))
    assert world.book.seen == {}
    await turn(world, first=(market("a"),), other=(market("a"),))
    assert world.book.seen == {"a": "first"}


async def test_markets_that_came_and_went_are_forgotten_and_held_ones_are_not():
    world = World()
    await turn(world, buy(), first=(market(), market("n")))
    for number in range(5):
        await turn(world, first=(market(f"n{number}"),))
    assert world.book.seen.keys() == {"m", "n4"}


async def test_a_market_settled_in_this_run_is_never_open_again():
    world = World()
    await turn(world, buy(), first=(market(),))
    await turn(world, first=(ended(),))
    for _ in range(2):
        await turn(world, buy(), first=(market(),))
        assert last_verdict(world) == (Reason.MARKET_CLOSED, "was settled in this run")
        await turn(world, first=(ended(payout=0),))
    assert world.book.seen == {}
    assert len(world.record.of("settlement")) == 1
    await turn(world, buy(name="n"), first=(market("n"),))
    assert world.ledger.holdings() != ()
    world.restart()
    await turn(world, buy(), first=(market(),))
    assert world.ledger.held("m") != ()


async def test_what_a_late_answer_brings_after_the_settlement_is_settled_too():
    def silent(order):
        raise InDoubt("no answer")

    world = World()
    world.venue = ScriptedVenue(silent)
    world.venue.can_forbid = False
    await turn(world, buy(), first=(market(),))
    (sent,) = world.venue.sent
    await turn(world, first=(ended(),))
    assert len(world.record.of("settlement")) == 1
    await turn(world, first=(ended(),))
    assert len(world.record.of("settlement")) == 1
    world.venue.known[sent.id] = (fill_of(sent, usd(10), 500_000),)
    await turn(world, first=(ended(),))
    assert [entry.subject["yes_shares"] for entry in world.record.of("settlement")] == [0, usd(10)]
    assert world.ledger.holdings() == ()
