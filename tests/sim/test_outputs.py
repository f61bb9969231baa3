"""A queue of events under a clock of its own: what a slow, failing, falling or hung output is told, and who waits."""

from __future__ import annotations

from types import SimpleNamespace

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pp_host.errors import PluginError, PluginGone, PluginTimeout, PluginViolation
from pp_host.limits import LIMITS
from pp_host.supervisor.life import Life
from pp_host.supervisor.outputs import MOST, PATIENCE, OutputFan, OutputQueue
from pp_sdk import Fill, Missed, ObserveEnd, ObserveStart, RunEnd
from pp_sdk.testing import event
from pp_sdk.wire.messages import HookFailed, Notified

from tests.sim.simloop import run

SUPERVISION = LIMITS.supervision
ROOMY, HALF = SUPERVISION.output_queue, SUPERVISION.output_queue // 2


class Record:
    def __init__(self):
        self.calls = []

    def append(self, event, subject, **_):
        assert event == "plugin.call"
        self.calls.append(subject)
        return len(self.calls) - 1


class Output:
    """Stands for a supervised output. `answer(events)` is what a call brings: a number of events handled, an answer, or
    an error to raise; it takes `seconds`."""

    def __init__(self, answer=len, *, seconds=0.0, detail="exact", kinds=("fill", "observe.start")):
        self.spec = SimpleNamespace(
            ref=SimpleNamespace(id="test.output"), events=set(kinds), detail=detail, grant="g"
        )
        self.life = Life.RUNNING
        self.answer, self.seconds = answer, seconds
        self.heard, self.failures = [], []
        self.calls = self.dropped = 0

    async def call(self, method, body):
        assert (method, body.patience) == ("notify", PATIENCE)
        assert 1 <= len(body.events) <= MOST + 1
        await anyio.sleep(self.seconds)
        answer = self.answer(body.events)
        if isinstance(answer, Exception):
            raise answer
        reply = Notified(handled=answer, failed=[]) if isinstance(answer, int) else answer
        self.heard += body.events[: reply.handled]
        return reply

    def failed(self, hook, why, cause):
        self.failures.append((hook, why, cause))

    def violated(self, what):
        return PluginViolation(what)

    def told(self):
        """Times of what it heard; a notice of missed ones is their number, negative."""
        return [-one.count if isinstance(one, Missed) else one.at for one in self.heard]


def played(output, script, *, awaited=False):
    """`script(queue, loop)` beside the queue's own task; the record, and how long the script took."""
    record = Record()

    async def main(loop):
        queue = OutputQueue(output, record, awaited=awaited)
        async with anyio.create_task_group() as group:
            group.start_soon(queue.run)
            await script(queue, loop)
            took = loop.time()
            with anyio.move_on_after(3600):
                await queue.drained()
            group.cancel_scope.cancel()
        return took

    return record, run(main, seed=1)


def put(queue, first, stop):
    for at in range(first, stop):
        queue.put(event(Fill, at=at), None)


def test_events_are_told_in_order_many_in_a_call_and_each_call_is_one_entry():
    async def script(queue, loop):
        queue.put(event(ObserveStart, at=0), None)
        put(queue, 1, 200)

    output = Output()
    record, took = played(output, script)
    assert (output.told(), took) == (list(range(200)), 0)
    assert [sum(call["kinds"].values()) for call in record.calls] == [MOST, MOST, MOST, 200 - 3 * MOST]
    assert record.calls[0] == {
        "hook": "notify",
        "kinds": {"observe.start": 1, "fill": MOST - 1},
        "again": 0,
    }
    assert (output.calls, output.dropped, output.failures) == (4, 0, [])


def test_a_few_wait_a_moment_for_company():
    async def script(queue, loop):
        put(queue, 0, 1)
        await anyio.sleep(SUPERVISION.output_gather_seconds / 2)
        put(queue, 1, 2)
        assert output.heard == []
        await anyio.sleep(SUPERVISION.output_gather_seconds)

    output = Output()
    record, _ = played(output, script)
    assert [call["kinds"] for call in record.calls] == [{"fill": 2}]


def test_nobody_hears_of_what_was_not_granted():
    async def script(queue, loop):
        queue.put(event(ObserveEnd), None)
        put(queue, 0, 1)
        queue.plugin.spec.events = None
        put(queue, 1, 2)

    output = Output()
    played(output, script)
    assert output.told() == [0]


def test_a_slow_output_loses_the_oldest_and_is_told_how_many():
    async def script(queue, loop):
        put(queue, 0, MOST)
        await anyio.sleep(1)
        put(queue, MOST, MOST + ROOMY + 312)

    output = Output(seconds=5)
    _, took = played(output, script)
    assert output.told() == [*range(MOST), -312, *range(MOST + 312, MOST + ROOMY + 312)]
    assert (took, output.dropped) == (1, 312)


def test_what_was_missed_is_told_where_it_is_missed_behind_what_was_left_over():
    """The first call comes to 5 of its 63 events; while it lasts, the queue behind them loses its oldest 100."""

    async def script(queue, loop):
        put(queue, 0, MOST)
        await anyio.sleep(1)
        put(queue, MOST, MOST + ROOMY + 100)

    answers = iter([5])
    output = Output(lambda events: next(answers, len(events)), seconds=5)
    record, _ = played(output, script)
    assert output.told() == [*range(MOST), -100, *range(MOST + 100, MOST + ROOMY + 100)]
    assert [(call["kinds"], call["again"]) for call in record.calls[:3]] == [
        ({"fill": MOST}, 0),
        ({}, MOST - 5),
        ({"missed": 1, "fill": MOST}, 0),
    ]


@settings(deadline=None)
@given(
    bursts=st.lists(st.tuples(st.integers(1, 2 * ROOMY), st.integers(0, 30)), min_size=1, max_size=6),
    answers=st.lists(st.integers(0, MOST + 1), max_size=40),
)
def test_every_event_is_told_or_counted_at_its_place(bursts, answers):
    """Whatever a slow output comes to, fails at or loses, its notices fill the gaps exactly."""

    async def script(queue, loop):
        first = 0
        for count, seconds in bursts:
            put(queue, first, first + count)
            first += count
            await anyio.sleep(seconds)
        await queue.drained()
        left.clear()
        put(queue, first, first + 1)  # so that the last gap is told

    left = list(answers)

    def answer(events):
        handled = left.pop() if left else len(events)
        return min(handled, len(events)) or PluginTimeout("late")

    output = Output(answer, seconds=1)
    played(output, script)
    at = 0
    for one in output.told():
        if one >= 0:
            assert one == at
        at += 1 if one >= 0 else -one
    assert at == sum(count for count, _ in bursts) + 1
    assert output.dropped == -sum(one for one in output.told() if one < 0)


@pytest.mark.parametrize("detail", ["none", "ratio", "exact"])
def test_a_notice_of_missed_ones_is_told_like_the_rest(detail):
    async def script(queue, loop):
        put(queue, 0, ROOMY + 1)

    output = Output(detail=detail)
    played(output, script)
    assert output.heard[0] == Missed(at=1, detail=detail, count=1)
    assert output.heard[1].amount == (event(Fill).amount if detail == "exact" else None)


def test_what_an_output_did_not_come_to_is_told_again():
    async def script(queue, loop):
        put(queue, 0, 150)

    output = Output(lambda events: 1 + len(events) // 2)
    played(output, script)
    assert (output.told(), output.dropped) == (list(range(150)), 0)


def test_an_event_that_the_hook_fails_on_is_lost_alone_and_recorded():
    def fails_on_the_second(events):
        failed = [HookFailed(index=1, message="ValueError: no")] if len(events) > 1 else []
        return Notified(handled=len(events), failed=failed)

    async def script(queue, loop):
        put(queue, 0, 5)

    output = Output(fails_on_the_second)
    played(output, script)
    assert (output.told(), output.dropped) == ([0, 1, 2, 3, 4], 1)
    assert output.failures == [("notify", "1 of 5 events: ValueError: no", 0)]


def test_a_notice_that_the_hook_fails_on_is_no_event_that_was_dropped():
    async def script(queue, loop):
        put(queue, 0, ROOMY + 1)

    output = Output(lambda events: Notified(handled=1, failed=[HookFailed(index=0, message="no")]))
    played(output, script)
    assert (len(output.heard), output.dropped, len(output.failures)) == (ROOMY + 1, 1 + ROOMY, ROOMY + 1)


def test_a_call_without_an_answer_loses_its_events_and_the_output_is_told():
    answers = iter([PluginTimeout("late"), PluginError("bad"), MOST + 1, 20])

    async def script(queue, loop):
        put(queue, 0, 3 * MOST + 20)

    output = Output(lambda events: next(answers))
    played(output, script)
    assert output.told() == [-2 * MOST, *range(2 * MOST, 3 * MOST + 20)]
    assert output.dropped == 2 * MOST
    assert [why for _, why, _ in output.failures] == ["late", "bad"]


@pytest.mark.parametrize(
    "answer",
    [
        Notified(handled=6, failed=[]),
        Notified(handled=2, failed=[HookFailed(index=2, message="")]),
        Notified(handled=5, failed=[HookFailed(index=1, message="")] * 2),
    ],
    ids=["more than told", "failed on what it did not handle", "twice"],
)
def test_an_answer_about_other_events_is_a_violation(answer):
    async def script(queue, loop):
        put(queue, 0, 5)
        await anyio.sleep(1)
        put(queue, 5, 6)
        await anyio.sleep(1)
        output.life = Life.QUARANTINED
        queue.look()

    output = Output(lambda events: answer)
    played(output, script)
    assert (output.calls, output.dropped) == (1, 6), "it is being ended, and told nothing more"
    assert output.failures == [
        ("notify", "notify: an answer about events that it was not told", 0),
        ("notify", "told no more; events not known to be handled: 1", 0),
    ]


def test_what_is_queued_when_an_output_falls_is_told_by_its_successor():
    async def script(queue, loop):
        put(queue, 0, 100)
        await anyio.sleep(1)
        assert len(output.failures) == 1, "one call found it gone; the others wait for its life to say so"
        output.life = Life.BACKOFF
        queue.look()
        put(queue, 100, 110)
        await anyio.sleep(1)
        output.life, output.answer = Life.RUNNING, len
        queue.look()

    output = Output(lambda events: PluginGone("gone"))
    played(output, script)
    assert (output.told(), output.dropped) == ([-MOST, *range(MOST, 110)], MOST)


def test_a_quarantined_output_is_told_nothing_and_nobody_waits_for_it():
    async def script(queue, loop):
        output.life = Life.STARTING
        put(queue, 0, HALF + 1)
        async with anyio.create_task_group() as group:
            group.start_soon(queue.room)
            await anyio.sleep(1)
            output.life = Life.QUARANTINED
            queue.look()
        put(queue, 0, 2 * ROOMY)
        await queue.room()

    output = Output()
    _, took = played(output, script, awaited=True)
    assert (output.heard, output.dropped, took) == ([], HALF + 1 + 2 * ROOMY, 1)


def test_an_output_that_falls_while_events_wait_for_company_is_not_told_nothing():
    async def script(queue, loop):
        put(queue, 0, 1)
        await anyio.sleep(SUPERVISION.output_gather_seconds / 2)
        output.life = Life.QUARANTINED
        queue.look()
        await anyio.sleep(1)

    output = Output()
    played(output, script)
    assert (output.calls, output.dropped) == (0, 1)


def test_where_time_is_real_nobody_waits():
    async def script(queue, loop):
        for at in range(3 * ROOMY):
            put(queue, at, at + 1)
            await queue.room()

    output = Output(seconds=5)
    _, took = played(output, script)
    assert took == 0
    assert output.dropped > 0


def test_on_a_tape_nothing_is_lost_and_two_plays_are_told_the_same():
    async def script(queue, loop):
        for at in range(5 * ROOMY):
            put(queue, at, at + 1)
            await queue.room()

    plays = []
    for _ in range(2):
        output = Output(seconds=0.1)
        _, took = played(output, script, awaited=True)
        assert took > 0
        plays.append(output.told())
    assert plays[0] == plays[1] == list(range(5 * ROOMY))


def test_a_tape_waits_for_a_hung_output_once_and_says_so():
    async def script(queue, loop):
        for at in range(5 * ROOMY):
            put(queue, at, at + 1)
            await queue.room()

    output = Output(seconds=1000)
    _, took = played(output, script, awaited=True)
    assert took == SUPERVISION.output_room_seconds
    why = "too slow: waited for 10 s in all; the tape does not wait for it any more"
    assert output.failures == [("notify", why, 0)]
    assert output.told()[MOST] < 0, "what it missed meanwhile"


def test_a_tape_does_not_wait_for_ever_for_one_that_never_quite_hangs():
    """One event in 2.4 s is room for the few of a cycle, each time; the whole run has 10 s and 20 ms an event."""

    async def script(queue, loop):
        for at in range(2000):
            put(queue, at, at + 1)
            await queue.room()

    output = Output(lambda events: 1, seconds=2.4)
    _, took = played(output, script, awaited=True)
    seconds = SUPERVISION.output_room_seconds
    assert seconds <= took < seconds + 2.4 + 10 * seconds / HALF
    assert [why.partition(":")[0] for _, why, _ in output.failures] == ["too slow"]


def test_amounts_are_told_in_parts_of_the_equity_observed_last():
    async def script(queue, loop):
        fan = OutputFan([queue])
        for equity in (None, 100_000_000, 50_000_000):
            if equity is not None:
                fan.notify(event(ObserveEnd, equity=equity))
            fan.notify(event(Fill, shares=25_000_000))
        await fan.room()

    output = Output(detail="ratio", kinds=("fill",))
    played(output, script)
    assert [one.shares for one in output.heard] == [None, 250_000, 500_000]


def test_after_the_end_of_the_run_nothing_is_told():
    async def script(queue, loop):
        fan = OutputFan([queue])
        for one in (event(Fill, at=1), event(RunEnd, at=2), event(Fill, at=3)):
            fan.notify(one)
        await fan.told()

    output = Output(kinds=("fill", "run.end"))
    played(output, script)
    assert (output.told(), output.dropped) == ([1, 2], 0)


def together(outputs, script, *, awaited):
    """`script(fan)` beside the queues of `outputs`; how long it took."""

    async def main(loop):
        queues = [OutputQueue(output, Record(), awaited=awaited) for output in outputs]
        async with anyio.create_task_group() as group:
            for queue in queues:
                group.start_soon(queue.run)
            await script(OutputFan(queues))
            group.cancel_scope.cancel()
            return loop.time()

    return run(main, seed=1)


async def crowd(fan):
    for at in range(HALF + 1):
        fan.notify(event(Fill, at=at))
    await fan.room()


def test_several_hung_outputs_are_waited_for_at_once():
    outputs = [Output(seconds=1000), Output(seconds=1000), Output()]
    assert together(outputs, crowd, awaited=True) == SUPERVISION.output_room_seconds
    why = "too slow: waited for 10 s in all; the tape does not wait for it any more"
    assert [output.failures for output in outputs] == [[("notify", why, 0)], [("notify", why, 0)], []]


@pytest.mark.parametrize(
    ("seconds", "awaited", "told"),
    [(1.2, True, ROOMY), (1.2, False, 0), (20, True, 0)],
    ids=["one that is slow", "where time is real", "one that hangs"],
)
def test_at_the_end_of_a_tape_a_full_queue_is_told_as_long_as_its_halves_go_in_time(seconds, awaited, told):
    """50 events a second and a little more; a call takes 63."""

    async def script(fan):
        for at in range(ROOMY):
            fan.notify(event(Fill, at=at))
        await fan.told()

    output = Output(seconds=seconds)
    together([output], script, awaited=awaited)
    assert output.told() == list(range(told))
    assert len(output.failures) == (awaited and not told)
