"""However slowly risk plugins answer, a cycle waits for them so long and no longer; unasked, they veto."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

from msgspec.structs import replace
from pp_host.model import Observed, PluginRef
from pp_host.supervisor.hooks import PluginCaller
from pp_sdk import Keep, Proposal, RiskView, build

from tests.sim.simloop import run

REF = PluginRef("test.risk", "1.0.0", "0" * 64)
PROPOSAL = Proposal(plugin="test.agent", market="m", outcome="yes", side="buy", shares=1, limit_price=1)
VIEW = RiskView(now=1, equity=1, cash=1, exposure=0)
OBSERVED = Observed(now=1, markets=build([]), equity=1, cash=1, exposure=0, holdings=(), seq=1)


class Record:
    def __init__(self):
        self.events = []

    def append(self, event, subject, **_):
        self.events.append(event)
        return len(self.events)


class SlowRisk:
    """Stands for a running risk plugin that takes two seconds for each answer."""

    spec = SimpleNamespace(ref=REF, kind="risk", grant="g", account=None, venues=frozenset())
    calls = 0

    def __init__(self):
        self.failures = []

    async def call(self, method, body, *, fds=()):
        await asyncio.sleep(2)
        return Keep()

    def failed(self, hook, why, cause):
        self.failures.append((hook, why, cause))


class SlowAgent:
    """Stands for a running agent that wishes nothing."""

    calls = 0

    def __init__(self, name):
        self.spec = SimpleNamespace(
            ref=PluginRef(name, "1.0.0", "0" * 64), kind="agent", grant="g", account=None, venues=None
        )

    async def call(self, method, body, *, fds=()):
        return SimpleNamespace(decisions=())


def test_a_slow_adviser_is_not_asked_again_in_the_same_cycle():
    async def main(loop):
        record, plugin = Record(), SlowRisk()
        caller = PluginCaller(record, [REF.id], advise_seconds=5)
        caller.admit(plugin)
        cycles = []
        for _ in range(2):
            await caller.decide(OBSERVED)
            begun = loop.time()
            opinions = [(await caller.advise(PROPOSAL, VIEW, cause=9))[0] for _ in range(100)]
            cycles.append((loop.time() - begun, [opinion.advice for opinion in opinions]))
        return cycles, plugin, record

    cycles, plugin, record = run(main, seed=1)
    assert cycles == [(6, [Keep()] * 3 + [None] * 97)] * 2
    assert plugin.calls == len(record.events) == 6
    assert set(plugin.failures) == {
        ("advise", "not asked: advice on this agent has taken its 5 s of the cycle already", 9)
    }
    assert len(plugin.failures) == 2 * 97


def test_one_agent_does_not_use_up_the_answers_of_another():
    async def main(loop):
        record, plugin = Record(), SlowRisk()
        caller = PluginCaller(record, [REF.id, "test.greedy", "test.modest"], advise_seconds=8)
        caller.admit(plugin)
        for name in ("test.greedy", "test.modest"):
            caller.admit(SlowAgent(name))
        await caller.decide(OBSERVED)
        greedy = [await asked(caller, "test.greedy") for _ in range(100)]
        modest = [await asked(caller, "test.modest") for _ in range(2)]
        return greedy, modest

    async def asked(caller, agent):
        (opinion,) = await caller.advise(replace(PROPOSAL, plugin=agent), VIEW, cause=9)
        return opinion.advice

    assert run(main, seed=1) == ([Keep()] * 2 + [None] * 98, [Keep()] * 2)
