from __future__ import annotations

import pytest
from pp_host.core.loop import cycle, settle_only
from pp_host.model import MICRO
from pp_sdk.table import CLOSED, RESOLVED

from tests.unit.core.fakes import World, buy, market, usd

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
