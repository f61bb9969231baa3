"""Leaving the stage under a clock of its own: outputs are told the rest for so long, or until somebody is in a hurry."""

from __future__ import annotations

from types import SimpleNamespace

import anyio
import pytest
from pp_host.app.cupboard import Cupboard
from pp_host.app.troupe import Troupe
from pp_host.limits import LIMITS
from pp_host.sandbox.launch import launch
from pp_host.supervisor.life import Life
from pp_host.supervisor.outputs import OutputQueue
from pp_sdk import RunEnd
from pp_sdk.testing import event
from pp_sdk.wire.messages import Notified

from tests.sim.simloop import run

EVENT = event(RunEnd)
SPEC = SimpleNamespace(
    ref=SimpleNamespace(id="test.output"), kind="output", events={"run.end"}, detail="none", grant="g"
)


class Record:
    def append(self, event, subject, **_):
        return 1


class SlowOutput:
    """Stands for a running output that takes `seconds` for each delivery, and says it has no time for a second event."""

    spec = SPEC
    life = Life.RUNNING

    def __init__(self, seconds):
        self.seconds = seconds
        self.told = self.calls = self.dropped = 0
        self.failures = []

    def failed(self, hook, why, cause):
        self.failures.append(why)

    async def stop(self):
        self.life = Life.STOPPING
        self.on_change(self)

    async def call(self, method, body):
        await anyio.sleep(self.seconds)
        self.told += 1
        return Notified(handled=1, failed=[])


def staged(output):
    troupe = Troupe(
        [],
        Record(),
        SimpleNamespace(now=lambda: 1),
        lambda *_: None,
        advise_seconds=5,
        outputs_awaited=False,
        kept=Cupboard(),
        launch=launch,
    )
    troupe._queues.append(OutputQueue(output, Record(), awaited=False))
    return troupe


@pytest.mark.parametrize(
    ("each", "hurried", "took", "told"),
    [
        (1, None, 2, 2),
        (60, None, LIMITS.supervision.drain_seconds, 0),
        (60, 1.5, 1.5, 0),
    ],
    ids=["told everything", "not for ever", "in a hurry"],
)
def test_outputs_are_told_the_rest_for_so_long(each, hurried, took, told):
    async def main(loop):
        output = SlowOutput(each)
        troupe = staged(output)
        async with anyio.create_task_group() as group, troupe.staged():
            for queue in troupe._queues:
                queue.put(EVENT, 0)
                queue.put(EVENT, 0)
            if hurried is not None:
                group.start_soon(hurry, troupe)
        return loop.time(), output.told

    async def hurry(troupe):
        await anyio.sleep(hurried)
        troupe.hurry()

    assert run(main, seed=1) == (took, told)


@pytest.mark.parametrize(
    ("each", "whys"),
    [(1, []), (60, ["told no more; events not known to be handled: 2"])],
    ids=["told everything", "given up"],
)
def test_what_is_given_up_with_the_run_is_recorded_with_its_number(each, whys):
    async def main(loop):
        output = SlowOutput(each)
        troupe = staged(output)
        troupe.plugins.append(output)
        output.fall, output.on_change = None, troupe._changed
        async with troupe.staged():
            for _ in range(2):
                troupe._queues[0].put(EVENT, 0)
        return output.failures, output.dropped

    assert run(main, seed=1) == (whys, 2 * len(whys))


def test_what_is_cancelled_inside_does_not_cancel_the_outputs():
    async def main(loop):
        output = SlowOutput(1)
        troupe = staged(output)
        async with troupe.staged():
            with anyio.CancelScope() as scope:
                scope.cancel()
                await anyio.sleep_forever()
            for queue in troupe._queues:
                queue.put(EVENT, 0)
        return output.told

    assert run(main, seed=1) == 1


def test_an_event_put_while_others_are_waited_for_is_waited_for_too():
    async def main(loop):
        output = SlowOutput(1)
        queue = OutputQueue(output, Record(), awaited=False)
        async with anyio.create_task_group() as group:
            group.start_soon(queue.run)
            queue.put(EVENT, 0)
            async with anyio.create_task_group() as waiting:
                waiting.start_soon(queue.drained)
                await anyio.sleep(0.5)
                queue.put(EVENT, 0)
            done = loop.time()
            group.cancel_scope.cancel()
        return done, output.told

    assert run(main, seed=1) == (2, 2)
