"""Output plugins as the core's port: each has a bounded queue and a task of its own, so that a slow one delays nobody.

Laws: events are told in order, many in one call. When a queue is full the oldest event is dropped; an output is told
how many it missed at the place where it missed them. Where time is real nobody waits for an output. On a tape the loop
waits for room, and at the end until all was told, so that the same tape brings the same events; but only so long: who
makes no room in time is not waited for again. Each call is one entry of the record, with the kinds and their numbers;
so is, with its number, what an output that is given up or stopped is not known to have handled.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence

import anyio
from pp_sdk.events import Event, Missed, ObserveEnd, RunEnd
from pp_sdk.redaction import narrowed
from pp_sdk.wire.messages import EVENTS_MOST, Notified, Notify

from pp_host.errors import PluginError, PluginGone, PluginViolation
from pp_host.limits import LIMITS
from pp_host.model import SECOND
from pp_host.ports import Record
from pp_host.supervisor.life import Life
from pp_host.supervisor.supervised import Supervised

OVER = frozenset({Life.STOPPING, Life.STOPPED, Life.QUARANTINED})  # nothing is told any more
MOST = EVENTS_MOST - 1  # in one call, so that a notice of missed ones fits in front of them
HALF = LIMITS.supervision.output_queue // 2
PATIENCE = round(LIMITS.supervision.output_batch_seconds * SECOND)


class OutputQueue:
    """The events one output has still to be told. `awaited`: whether the loop may wait for it.

    An event is in one place at a time:

    | where     | what it is                                       | until                              |
    |-----------|--------------------------------------------------|------------------------------------|
    | `_events` | queued, oldest first                             | a call takes it; lost: queue full  |
    | `_missed` | lost, a number; its place is before `_events`    | the output was told of it          |
    | `_begun`  | in a call, or left over: the next call's first   | handled; lost: no good answer      |

    All are lost when the plugin is given up. Whoever waits for a change of this waits in `_until`.
    """

    def __init__(self, plugin: Supervised, record: Record, *, awaited: bool) -> None:
        self.plugin = plugin
        self._record = record
        self._awaited = awaited
        self._events: deque[Event] = deque()
        self._begun: list[Event] = []
        self._missed = 0
        self._call: int | None = None
        self._handled = 0
        self._waited = 0.0  # seconds that the loop has waited for this output
        self._gone = False  # its process has ended, and its life does not say so yet
        self._hurried = False  # nothing waits for company any more
        self._change = anyio.Event()

    def put(self, event: Event, equity: int | None) -> None:
        """Queue `event` as the grant shows it, if it may be heard at all."""
        spec = self.plugin.spec
        if spec.events is None or event.kind not in spec.events:
            return
        if self.plugin.life in OVER:
            self._lose(1)
            return
        if len(self._events) >= LIMITS.supervision.output_queue:
            self._events.popleft()
            self._lose(1)
        self._events.append(narrowed(event, spec.detail, equity))
        self._change.set()

    async def run(self) -> None:
        """Tell the plugin what is queued, whenever it runs, until cancelled."""
        while True:
            await self._until(self._tellable)
            with anyio.move_on_after(LIMITS.supervision.output_gather_seconds):
                await self._until(self._complete)  # a call costs more than the events in it
            if self._tellable():
                await self._tell()
                self._change.set()

    def look(self) -> None:
        """The plugin's life has changed: what is queued waits for a restart, or is given up with the plugin."""
        self._gone = False
        if self.plugin.life in OVER and (left := self._waiting):
            self._lose(left)
            self._begun.clear()
            self._events.clear()
            self.plugin.failed("notify", f"told no more; events not known to be handled: {left}", self._call)
        self._change.set()

    async def drained(self) -> None:
        """Return once everything queued was told. From now on nothing waits for company."""
        self._hurried = True
        self._change.set()
        await self._until(lambda: not self._waiting)

    async def room(self) -> None:
        """Return once half of the queue is free, or when patience is over: then never wait again."""
        if self.crowded:
            await self._fewer(HALF)

    async def told(self) -> None:
        """Return once everything queued was told, or when patience is over."""
        self._hurried = True
        self._change.set()
        if self._awaited:
            await self._fewer(0)

    @property
    def crowded(self) -> bool:
        """Whether the loop has to wait for room."""
        return self._awaited and self._waiting > HALF

    @property
    def _waiting(self) -> int:
        """How many events are still to be told."""
        return len(self._begun) + len(self._events)

    def _tellable(self) -> bool:
        return self.plugin.life is Life.RUNNING and not self._gone and self._waiting > 0

    def _complete(self) -> bool:
        """Whether nothing is gained by waiting for company."""
        return self._hurried or self._waiting >= MOST

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            if self._change.is_set():
                self._change = anyio.Event()
            await self._change.wait()

    async def _fewer(self, most: int) -> None:
        """Return once no more than `most` are waiting, or when patience is over: then never wait again."""
        while self._waiting > most and (seconds := self._patience()) > 0:
            begun = anyio.current_time()
            with anyio.move_on_after(seconds):
                await self._until(lambda: self._waiting <= most)
            self._waited += anyio.current_time() - begun
        if self._waiting > most:
            self._awaited = False
            why = f"too slow: waited for {self._waited:.0f} s in all; the tape does not wait for it any more"
            self.plugin.failed("notify", why, self._call)

    def _patience(self) -> float:
        """Seconds that the loop will still wait in this run: some to begin with, and a share for each event handled."""
        seconds = LIMITS.supervision.output_room_seconds
        return seconds + self._handled * seconds / HALF - self._waited

    async def _tell(self) -> None:
        """One call with the oldest events; those that the plugin did not come to are the next call's first."""
        again = len(self._begun)
        notice, missed = self._begin(), self._missed
        told = [*notice, *self._begun]
        self.plugin.hook_calls = len(told)
        self._call = self._write_call([*notice, *self._begun[again:]], again)
        try:
            reply: Notified = await self.plugin.call("notify", Notify(events=told, patience=PATIENCE))
            self._check(reply, told)
        except PluginError as error:
            self._gone = isinstance(error, PluginGone | PluginViolation)
            self._lose(len(self._begun))
            self._begun.clear()
            self.plugin.failed("notify", str(error), self._call)
            return
        if notice:
            self._missed -= missed
        del self._begun[: reply.handled - len(notice)]
        self._handled += reply.handled
        if reply.failed:
            self.plugin.dropped += sum(one.index >= len(notice) for one in reply.failed)
            why = f"{len(reply.failed)} of {reply.handled} events: {reply.failed[0].message}"
            self.plugin.failed("notify", why, self._call)

    def _begin(self) -> list[Event]:
        """Take the next call's events; the notice before them. What is left over goes before a gap, alone."""
        if self._begun and self._missed:
            return []
        while self._events and len(self._begun) < MOST:
            self._begun.append(self._events.popleft())
        if not self._missed:
            return []
        return [Missed(at=self._begun[0].at, detail=self.plugin.spec.detail, count=self._missed)]

    def _write_call(self, new: Sequence[Event], again: int) -> int:
        """An event is counted by its kind in the first call that holds it; `again`: how many are told once more."""
        self.plugin.calls += 1
        return self._record.append(
            "plugin.call",
            {"hook": "notify", "kinds": dict(Counter(event.kind for event in new)), "again": again},
            plugin=self.plugin.spec.ref,
            capability="notify",
            verdict="allow",
            rule=self.plugin.spec.grant,
        )

    def _check(self, reply: Notified, told: Sequence[Event]) -> None:
        failed = [one.index for one in reply.failed]
        known = reply.handled <= len(told) and set(failed) <= set(range(reply.handled))
        if not known or len(set(failed)) != len(failed):
            raise self.plugin.violated("notify: an answer about events that it was not told")

    def _lose(self, count: int) -> None:
        self._missed += count
        self.plugin.dropped += count


class OutputFan:
    """Implements ports.Outputs. Amounts are told in parts of the equity that was observed last; nothing is told after
    the run's end."""

    def __init__(self, queues: Sequence[OutputQueue]) -> None:
        self._queues = queues
        self._equity: int | None = None
        self._ended = False

    def notify(self, event: Event) -> None:
        if self._ended:
            return
        if isinstance(event, ObserveEnd):
            self._equity = event.equity
        for queue in self._queues:
            queue.put(event, self._equity)
        self._ended = isinstance(event, RunEnd)

    async def room(self) -> None:
        if crowded := [queue for queue in self._queues if queue.crowded]:
            await asyncio.gather(*[queue.room() for queue in crowded])

    async def told(self) -> None:
        """On a tape: return once each output was told everything, or makes no room in time."""
        await asyncio.gather(*[queue.told() for queue in self._queues])
