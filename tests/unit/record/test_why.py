"""Why an order came about, as the core records it and the reader tells it: several sources, risk plugins."""

from __future__ import annotations

import asyncio

import pytest
from pp_host.core.loop import cycle
from pp_host.model import PluginRef, Sighting
from pp_host.ports import Opinion
from pp_host.record.entry import HOST, Actor
from pp_sdk.table import build
from pp_sdk.types import Keep, Shrink

from tests.unit.core.fakes import AGENT, World, buy, market, usd

FIRST = PluginRef("org.example.first", "1.0.0", "1" * 64)
SECOND = PluginRef("org.example.second", "1.0.0", "2" * 64)
STRICT = PluginRef("org.example.strict", "1.0.0", "3" * 64)
LENIENT = PluginRef("org.example.lenient", "1.0.0", "4" * 64)
SHOWN = {FIRST: build([market("a")]), SECOND: build([market("a"), market("b")])}
ADVICE = {STRICT: Shrink(shares=usd(20), reason="too much"), LENIENT: Keep()}


class Plugins:
    """Two sources and two risk plugins, called as a supervisor would."""

    def __init__(self, record):
        self.record = record

    def call(self, plugin, hook, cause=None):
        return self.record.append("plugin.call", {"hook": hook}, cause=cause, plugin=plugin)

    async def snapshot(self, request):
        calls = {source: self.call(source, "snapshot") for source in SHOWN}
        return [Sighting(source=source, table=SHOWN[source], call=call) for source, call in calls.items()]

    async def advise(self, proposal, view, *, cause):
        calls = {adviser: self.call(adviser, "advise", cause) for adviser in ADVICE}
        return [Opinion(plugin=adviser, call=call, advice=ADVICE[adviser]) for adviser, call in calls.items()]


def traded(place, name):
    """One purchase in market `name` through the core, written into a real record; what `why` tells of it."""
    world = World(decisions=[buy(name=name)])
    world.sources = world.advisers = Plugins(world.record)
    for plugin in (FIRST, SECOND, STRICT, LENIENT, AGENT):
        world.record.append("plugin.start", {"id": plugin.id, "digest": plugin.digest}, plugin=plugin)
    asyncio.run(cycle(world.ports, world.book, world.policy, world.budgets))
    with place.writing() as record:
        for entry in world.record.entries:
            who = entry.plugin
            actor = Actor("plugin", who.id, who.version, who.digest) if who else HOST
            record.append(entry.event, entry.subject, cause=entry.cause, actor=actor, verdict=entry.verdict)
    place.verify()
    with place.reading() as reader:
        return reader.why(world.record.of("order.fill")[0].subject["order"])


@pytest.mark.parametrize(("name", "source"), [("a", FIRST), ("b", SECOND)])
def test_a_fill_leads_past_the_decisive_adviser_to_the_source_that_showed_the_market(place, name, source):
    told = traded(place, name)
    assert [entry.event for entry in told.chain] == [
        "order.fill", "order.ack", "order.intent", "verdict", "advice", "plugin.call", "verdict", "decision",
        "plugin.call", "observation", "snapshot", "plugin.call",
    ]  # fmt: skip
    snapshot, call = told.chain[-2:]
    assert (snapshot.subject["source"], snapshot.subject["digest"]) == (source.id, SHOWN[source].digest)
    assert call.actor.id == source.id
    assert {entry.actor.id for entry in told.chain[4:6]} == {STRICT.id}
    digests = {entry.subject["id"]: entry.subject["digest"] for entry in told.plugins}
    assert digests == {plugin.id: plugin.digest for plugin in (source, STRICT, AGENT)}


@pytest.mark.parametrize("named", [None, "1", 2, 4, 99, [1]])
def test_a_verdict_that_names_no_snapshot_of_the_observation_changes_nothing(place, named):
    with place.writing() as record:
        for source in (FIRST, SECOND):
            record.append("snapshot", {"source": source.id})
        call = record.append("plugin.call", {"hook": "decide"})
        seen = record.append("observation", {"snapshots": [0, 1, 4]}, cause=0)
        verdict = record.append("verdict", {"snapshot": named}, cause=seen)
        record.append("order.intent", {"order": "ab"}, cause=verdict)
    assert (call, verdict) == (2, 4)
    with place.reading() as reader:
        assert [entry.seq for entry in reader.why("ab").chain] == [5, 4, 3, 0]
