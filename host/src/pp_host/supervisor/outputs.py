"""Output plugins as the core's port: each has a bounded queue and a task of its own, so that a slow one delays nobody.

Laws: events are told in order, many in one call. When a queue is full the oldest event is dropped; an output is told
how many it missed before it is told anything else. Where time is real nobody waits for an output. On a tape the loop
waits for room, so that the same tape brings the same events, but only so long: who makes none in time is not waited for
again. Each call is one entry of the record, with the kinds and their numbers.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence

import anyio
from pp_sdk.events import Event, Missed, ObserveEnd
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
PATIENCE = round(LIMITS.supervision.output_batch_seconds * SECOND)


class OutputQueue:
    """The events one output has still to be told. `awaited`: whether the loop may wait for it."""

    def __init__(self, plugin: Supervised, record: Record, *, awaited: bool) -> None:
        self.plugin = plugin
        self._record = record
        self._awaited = awaited
        self._events: deque[Event] = deque()
        self._begun: list[Event] = []  # taken off the queue, and not known to be handled
        self._missed = 0  # events of which the plugin has not been told that it missed them
        self._call: int | None = None
        self._gone = False  # its process has ended, and its life does not say so yet
        self._news = anyio.Event()
        self._idle = anyio.Event()
        self._idle.set()
        self._room = anyio.Event()
        self._company = anyio.Event()
        self._hurried = False

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
        if self._idle.is_set():
            self._idle = anyio.Event()
        self._news.set()
        if len(self._events) >= MOST:
            self._company.set()

    async def run(self) -> None:
        """Tell the plugin what is queued, whenever it runs, until cancelled."""
        while True:
            while self._tellable():
                await self._gather()
                if self._tellable():
                    await self._tell()
            if not self._waiting:
                self._idle.set()
            self._news = anyio.Event()
            await self._news.wait()

    def look(self) -> None:
        """The plugin's life has changed: what is queued waits for a restart, or is given up with the plugin."""
        self._gone = False
        if self.plugin.life in OVER:
            self._lose(self._waiting)
            self._begun.clear()
            self._events.clear()
            self._room.set()
        self._news.set()

    async def drained(self) -> None:
        """Return once everything queued was told. From now on nothing waits for company."""
        self._hurried = True
        self._company.set()
        await self._idle.wait()

    async def room(self) -> None:
        """Return once half of the queue is free, or when that has taken too long: then never wait again."""
        if not self._awaited or self._has_room():
            return
        seconds = LIMITS.supervision.output_room_seconds
        with anyio.move_on_after(seconds) as patience:
            while not self._has_room():
                self._room = anyio.Event()
                await self._room.wait()
        if patience.cancelled_caught:
            self._awaited = False
            why = f"made no room within {seconds:g} s; the tape does not wait for it any more"
            self.plugin.failed("notify", why, self._call)

    @property
    def _waiting(self) -> int:
        """How many events are still to be told."""
        return len(self._begun) + len(self._events)

    def _tellable(self) -> bool:
        return self.plugin.life is Life.RUNNING and not self._gone and self._waiting > 0

    def _has_room(self) -> bool:
        return len(self._events) <= LIMITS.supervision.output_queue // 2

    async def _gather(self) -> None:
        """A moment for company, because a call costs more than the events in it."""
        self._company = anyio.Event()
        if self._waiting < MOST and not self._hurried:
            with anyio.move_on_after(LIMITS.supervision.output_gather_seconds):
                await self._company.wait()

    async def _tell(self) -> None:
        """One call with the oldest events; those that the plugin did not come to are the next call's first."""
        while self._events and len(self._begun) < MOST:
            self._begun.append(self._events.popleft())
        self._room.set()
        notice, missed = self._notice(), self._missed
        told = [*notice, *self._begun]
        self.plugin.hook_calls = len(told)
        self._call = self._write_call(told)
        try:
            reply: Notified = await self.plugin.call("notify", Notify(events=told, patience=PATIENCE))
            self._check(reply, told)
        except PluginError as error:
            self._gone = isinstance(error, PluginGone | PluginViolation)
            self._lose(len(self._begun))
            self._begun.clear()
            self.plugin.failed("notify", str(error), self._call)
            return
        self._missed -= missed
        del self._begun[: reply.handled - len(notice)]
        if reply.failed:
            self.plugin.dropped += sum(one.index >= len(notice) for one in reply.failed)
            why = f"{len(reply.failed)} of {reply.handled} events: {reply.failed[0].message}"
            self.plugin.failed("notify", why, self._call)

    def _notice(self) -> list[Event]:
        if not self._missed:
            return []
        return [Missed(at=self._begun[0].at, detail=self.plugin.spec.detail, count=self._missed)]

    def _write_call(self, told: Sequence[Event]) -> int:
        self.plugin.calls += 1
        return self._record.append(
            "plugin.call",
            {"hook": "notify", "kinds": dict(Counter(event.kind for event in told))},
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
    """Implements ports.Outputs. Amounts are told in parts of the equity that was observed last."""

    def __init__(self, queues: Sequence[OutputQueue]) -> None:
        self._queues = queues
        self._equity: int | None = None

    def notify(self, event: Event) -> None:
        if isinstance(event, ObserveEnd):
            self._equity = event.equity
        for queue in self._queues:
            queue.put(event, self._equity)

    async def room(self) -> None:
        for queue in self._queues:
            await queue.room()
