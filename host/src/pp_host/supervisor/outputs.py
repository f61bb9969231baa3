"""Output plugins as the core's port: each has a bounded queue and a task of its own, so that a slow one delays nobody.

When a queue is full the oldest event is dropped and counted: outputs are told what happened, they do not decide it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import anyio
from pp_sdk.types import Event

from pp_host.errors import PluginError
from pp_host.limits import LIMITS
from pp_host.ports import Record
from pp_host.supervisor.life import Life
from pp_host.supervisor.proxy import event_view
from pp_host.supervisor.supervised import Supervised


class OutputQueue:
    """The events one output has still to be told."""

    def __init__(self, plugin: Supervised, record: Record) -> None:
        self.plugin = plugin
        self._record = record
        self._events: deque[Event] = deque()
        self._news = anyio.Event()
        self._idle = anyio.Event()
        self._idle.set()

    def put(self, event: Event, equity: int) -> None:
        """Queue `event` as the grant shows it, if it may be heard at all."""
        spec = self.plugin.spec
        if spec.events is None or event.kind not in spec.events:
            return
        if len(self._events) >= LIMITS.supervision.output_queue:
            self._events.popleft()
            self.plugin.dropped += 1
        self._events.append(event_view(event, spec.detail, equity))
        if self._idle.is_set():
            self._idle = anyio.Event()
        self._news.set()

    async def run(self) -> None:
        """Tell the plugin one event after the other until cancelled."""
        while True:
            while self._events:
                await self._tell(self._events.popleft())
            self._idle.set()
            self._news = anyio.Event()
            await self._news.wait()

    async def drained(self) -> None:
        """Return once everything queued was told."""
        await self._idle.wait()

    async def _tell(self, event: Event) -> None:
        if self.plugin.life is not Life.RUNNING:
            self.plugin.dropped += 1
            return
        self.plugin.calls += 1
        call = self._record.append(
            "plugin.call",
            {"hook": "notify", "kind": event.kind},
            plugin=self.plugin.spec.ref,
            capability="notify",
            verdict="allow",
            rule=self.plugin.spec.grant,
        )
        try:
            await self.plugin.call("notify", event)
        except PluginError as error:
            self.plugin.dropped += 1
            self.plugin.failed("notify", str(error), call)


class OutputFan:
    """Implements ports.Outputs."""

    def __init__(self, queues: Sequence[OutputQueue]) -> None:
        self._queues = queues
        self._equity = 0

    def notify(self, event: Event) -> None:
        equity = event.fields.get("equity")
        if isinstance(equity, int):
            self._equity = equity
        for queue in self._queues:
            queue.put(event, self._equity)
