from __future__ import annotations

import pytest
from pp_host.core.ledger import DAY
from pp_host.core.loop import cycle, settle_only
from pp_host.core.observe import observe, union
from pp_host.model import MICRO, Sighting
from pp_sdk.table import RESOLVED, build

from tests.unit.core.fakes import AGENT, NOON, SOURCE, World, buy, market, usd

pytestmark = pytest.mark.anyio


async def holding(world: World) -> World:
    """After one cycle the world holds about 100 YES at 0.50."""
    world.agents.decisions = (buy(),)
    await cycle(world.ports, world.book, world.policy, world.budgets)
    world.agents.decisions = ()
    return world


def test_one_table_passes_through_untouched():
    table = build([market("a"), market("b")])
    assert union([table]) == (table, 0)
    assert union([table])[0] is table


def test_of_several_tables_the_first_to_show_a_market_is_believed():
    first, second = (
        build([market("a", question="first")]),
        build([market("a", question="second"), market("b")]),
    )
    merged, duplicates = union([first, second])
    assert [(row.id, row.question) for row in merged] == [("a", "first"), ("b", "")]
    assert duplicates == 1
    swapped, _ = union([second, first])
    assert [(row.id, row.question) for row in swapped] == [("a", "second"), ("b", "")]
    assert merged.get("b").to_market_row() == market("b")


def test_no_table_is_an_empty_table():
    merged, duplicates = union([])
    assert (len(merged), duplicates) == (0, 0)


async def test_every_sighting_leaves_an_entry_and_the_moment_one_more():
    world = World()
    tables = [build([market("a")]), build([market("a"), market("b")])]
    world.sources.tables = tables
    observed = await settle_only(world.ports, world.book)
    first, second = world.record.of("snapshot")
    assert [entry.subject["digest"] for entry in (first, second)] == [table.digest for table in tables]
    assert [world.record.entries[entry.cause].event for entry in (first, second)] == [
        "plugin.call",
        "plugin.call",
    ]
    assert first.plugin == SOURCE
    (moment,) = world.record.of("observation")
    assert moment.cause == first.seq
    assert moment.subject["snapshots"] == [first.seq, second.seq]
    assert (moment.subject["rows"], moment.subject["duplicates"]) == (2, 1)
    assert moment.subject["digest"] == observed.markets.digest
    assert moment.subject["day"] == NOON // DAY
    assert observed.seq == moment.seq


def test_a_market_s_row_came_from_the_first_snapshot_that_shows_it():
    world = World()
    tables = [build([market("a")]), build([market("a"), market("b")])]
    sightings = [Sighting(source=SOURCE, table=table, call=None) for table in tables]
    for order in (sightings, sightings[::-1]):
        moment = observe(order, world.book, world.record, NOON)
        seqs = {entry.subject["rows"]: entry.seq for entry in world.record.of("snapshot")[-2:]}
        believed = len(order[0].table)
        assert [moment.snapshot_of(name) for name in ("a", "b", "c")] == [seqs[believed], seqs[2], None]
    assert observe([], world.book, world.record, NOON).snapshot_of("a") is None


async def test_silent_sources_leave_a_moment_without_markets():
    world = World()
    world.sources.tables = []
    observed = await settle_only(world.ports, world.book)
    assert len(observed.markets) == 0
    assert world.record.of("observation")[0].cause is None


async def test_positions_are_marked_at_the_bid():
    world = await holding(World())
    (lot,) = world.ledger.holdings()
    world.show(market(yes_bids=((300_000, usd(1)),), yes_asks=((900_000, usd(1)),)))
    observed = await settle_only(world.ports, world.book)
    assert observed.equity == world.ledger.balance.cash + lot.shares * 300_000 // MICRO
    assert observed.cash == world.ledger.balance.cash
    assert observed.holdings == (lot,)


async def test_no_is_marked_at_its_own_bid():
    world = World(decisions=[buy(outcome="no")])
    await cycle(world.ports, world.book, world.policy, world.budgets)
    (lot,) = world.ledger.holdings()
    observed = await settle_only(world.ports, world.book)
    assert observed.equity == world.ledger.balance.cash + lot.shares * 490_000 // MICRO


async def test_without_a_bid_the_last_one_seen_stands():
    world = await holding(World())
    (lot,) = world.ledger.holdings()
    world.show(market(yes_bids=((300_000, usd(1)),)))
    await settle_only(world.ports, world.book)
    for rows in ([market(yes_bids=())], [market("other")]):
        world.show(*rows)
        observed = await settle_only(world.ports, world.book)
        assert observed.equity == world.ledger.balance.cash + lot.shares * 300_000 // MICRO


async def test_after_a_start_a_position_counts_at_cost_until_its_market_is_seen_and_at_nothing_without_buyers():
    world = await holding(World())
    (lot,) = world.ledger.holdings()
    world.restart()
    world.show(market("other"))
    assert (await settle_only(world.ports, world.book)).equity == world.ledger.balance.cash + lot.cost
    world.show(market(yes_bids=()))
    assert (await settle_only(world.ports, world.book)).equity == world.ledger.balance.cash


async def test_a_resolved_market_is_marked_at_its_payout():
    world = await holding(World())
    (lot,) = world.ledger.holdings()
    world.show(market(status=RESOLVED, yes_payout=MICRO))
    observed = await settle_only(world.ports, world.book)
    assert world.record.of("observation")[-1].subject["equity"] == observed.equity == observed.cash
    assert observed.cash == usd(1000) - lot.cost + lot.shares


async def test_the_peak_never_falls_and_the_day_opens_with_the_worth_before_midnight():
    world = await holding(World())
    for day, bid in ((0, 600_000), (0, 400_000), (1, 450_000), (1, 500_000)):
        world.clock.time = NOON + day * DAY
        world.show(market(yes_bids=((bid, usd(1)),), yes_asks=()))
        await settle_only(world.ports, world.book)
    worth = {
        bid: world.ledger.balance.cash + world.ledger.holdings()[0].shares * bid // MICRO
        for bid in (400_000, 500_000, 600_000)
    }
    marks = world.ledger.marks
    assert marks.peak == worth[600_000]
    assert marks.day == NOON // DAY + 1
    assert marks.day_start == worth[400_000]
    assert marks.equity == worth[500_000]


async def test_sources_are_asked_for_what_is_held():
    world = await holding(World())
    await settle_only(world.ports, world.book)
    assert [request.held for request in world.sources.requests] == [(), ("m",)]


async def test_the_plugin_is_the_one_who_holds():
    world = await holding(World())
    assert world.ledger.holdings()[0].plugin == AGENT.id
