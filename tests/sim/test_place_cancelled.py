"""`place` is cancelled at every turn of the loop, in both ways a task can be, under many orders of events.

Whatever happens: what the venue was sent has its outcome in the record, what it was not sent is void, and nothing
stays reserved without doubt.
"""

from __future__ import annotations

import asyncio

import anyio
import pytest
from pp_host.core.execution import place, reconcile
from pp_host.errors import InDoubt, VenueError

from tests.sim.simloop import SimLoop, run
from tests.unit.core.fakes import NOON, FakeRecord, ScriptedVenue, World, fill_of, usd
from tests.unit.core.test_ledger import order

SHARES = usd(10)
STEPS = 30  # more turns than any of these runs takes


class SlowRecord(FakeRecord):
    async def durable(self, seq: int) -> None:
        await anyio.sleep(0.01)
        await super().durable(seq)


class SlowVenue(ScriptedVenue):
    def __init__(self, ending: str) -> None:
        super().__init__()
        self.ending = ending

    async def submit(self, wanted):
        self.sent.append(wanted)
        await anyio.sleep(0.1)
        if self.ending == "refused":
            raise VenueError("refused")
        await anyio.sleep(3600 if self.ending == "silent" else 0.1)
        if self.ending == "doubt":
            raise InDoubt("reset")
        self.known[wanted.id] = [fill_of(wanted, SHARES, 500_000)]
        return self.known[wanted.id]


def world(ending: str) -> World:
    made = World()
    entries = made.record.entries
    made.record = SlowRecord()
    made.record.entries = entries
    made.venue = SlowVenue(ending)
    return made


async def natively(loop: SimLoop, step: int, here: World) -> bool:
    """The task itself is cancelled, as by Ctrl-C. Whether it noticed."""
    wanted = order(1, SHARES, expires_at=NOON + 1)
    task = loop.create_task(place(wanted, here.ports, here.ledger, cause=0))
    loop.at_step[loop.steps + step] = task.cancel
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()
    return task.cancelled()


async def by_scope(loop: SimLoop, step: int, here: World) -> bool:
    """A scope around it is cancelled, as at an orderly stop."""
    wanted = order(1, SHARES, expires_at=NOON + 1)
    with anyio.CancelScope() as scope:
        loop.at_step[loop.steps + step] = scope.cancel
        await place(wanted, here.ports, here.ledger, cause=0)
        await anyio.lowlevel.checkpoint()
    return scope.cancelled_caught


ENDS = {
    "filled": "order.done",
    "refused": "order.done",
    "doubt": "order.in_doubt",
    "silent": "order.in_doubt",
}


@pytest.mark.parametrize("cancel", [natively, by_scope])
@pytest.mark.parametrize("ending", ENDS)
def test_after_a_cancellation_the_outcome_is_still_written(cancel, ending):
    seen = set()
    for seed in range(4):
        for step in range(1, STEPS):
            here = world(ending)
            noticed = run(lambda loop, step=step, here=here: cancel(loop, step, here), seed)
            seen.add(outcome(here, ending, f"seed {seed}, step {step}"))
            assert noticed or here.venue.sent, "cancelled without a trace"
    assert seen == {"not begun", "not sent", "sent"} - ({"not begun"} if cancel is by_scope else set())


def outcome(here: World, ending: str, where: str) -> str:
    events = here.record.events()[1:]
    ledger = here.ledger
    assert ledger.balance.balanced, where
    if not here.venue.sent:
        assert events in ([], ["order.intent", "order.void"]), where
        assert ledger.open == {}, where
        assert ledger.balance.cash == usd(1000), where
        return "not sent" if events else "not begun"
    assert len(here.venue.sent) == 1, where
    assert events[0] == "order.intent", where
    assert events[-1] == ENDS[ending], where
    assert here.record.durable_size == len(here.record.entries), where
    assert bool(ledger.open) == (ENDS[ending] == "order.in_doubt"), where
    assert (ledger.balance.cost > 0) == (ending == "filled"), where
    return "sent"


@pytest.mark.parametrize("seed", range(5))
def test_a_venue_that_never_answers_is_left_after_its_deadline(seed):
    async def main(loop):
        here = world("silent")
        await place(order(1, SHARES, expires_at=NOON + 1), here.ports, here.ledger, cause=0)
        return loop.time(), here.record.events()[-1]

    moment, last = run(main, seed)
    assert 10 <= moment < 11
    assert last == "order.in_doubt"


@pytest.mark.parametrize("seed", range(5))
def test_a_reconciliation_that_is_cancelled_finishes_the_order_it_is_at(seed):
    for step in range(1, STEPS):

        async def main(loop, step=step):
            here = world("doubt")
            await place(order(1, SHARES, expires_at=NOON + 1), here.ports, here.ledger, cause=0)
            with anyio.CancelScope() as scope:
                loop.at_step[loop.steps + step] = scope.cancel
                await reconcile(here.ports, here.ledger)
            return here

        here = run(main, seed)
        assert here.record.events()[-1] in ("order.void", "order.in_doubt")
        assert (here.ledger.open == {}) == (here.record.events()[-1] == "order.void")
        assert here.ledger.balance.balanced
