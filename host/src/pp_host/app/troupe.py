"""The plugins of one run, started together, called through one caller, stopped together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import anyio
from pp_sdk.types import Event

from pp_host.app.roster import Enlisted
from pp_host.broker.table import Asker, Broker, Desk, Means
from pp_host.errors import PluginError, Refused
from pp_host.limits import LIMITS
from pp_host.ports import Clock, Record
from pp_host.supervisor.hooks import PluginCaller
from pp_host.supervisor.life import Life
from pp_host.supervisor.outputs import OutputFan, OutputQueue
from pp_host.supervisor.spec import PluginSpec
from pp_host.supervisor.supervised import Supervised


class Troupe:
    """`caller` and `fan` are the plugins as the core's ports; `plugins` are in configured order."""

    def __init__(
        self,
        enlisted: Sequence[Enlisted],
        record: Record,
        clock: Clock,
        on_line: Callable[[str, str], None],
        *,
        advise_seconds: float,
    ) -> None:
        self._clock = clock
        broker = Broker(Means(clock, record))
        self.caller = PluginCaller(
            record, [one.spec.ref.id for one in enlisted], advise_seconds=advise_seconds
        )
        self.plugins = [
            Supervised(one.spec, record, clock, lambda spec: _desk(broker, spec), self._changed, on_line)
            for one in enlisted
        ]
        self._queues = [
            OutputQueue(plugin, record) for plugin in self.plugins if plugin.spec.kind == "output"
        ]
        self.fan = OutputFan(self._queues)

    @asynccontextmanager
    async def playing(self, *, hurry: Callable[[], bool]) -> AsyncIterator[None]:
        """Start them all and wait until each has started or failed; on leaving tell the outputs the rest and stop.

        PluginError when one did not come up, Refused when a wall is missing. `hurry`: do not wait for outputs.
        """
        async with anyio.create_task_group() as group:
            async with anyio.create_task_group() as starting:
                for plugin in self.plugins:
                    starting.start_soon(group.start, plugin.live)
            for queue in self._queues:
                group.start_soon(queue.run)
            try:
                self._check_started()
                yield
            finally:
                with anyio.CancelScope(shield=True):
                    if not hurry():
                        await self._drain()
                    async with anyio.create_task_group() as stopping:
                        for plugin in self.plugins:
                            stopping.start_soon(plugin.stop)
                group.cancel_scope.cancel()

    def _check_started(self) -> None:
        for plugin in self.plugins:
            if plugin.life is not Life.RUNNING:
                if isinstance(plugin.trouble, Refused):  # a wall is missing: no fault of the plugin's
                    raise plugin.trouble
                ending = plugin.endings[-1]
                raise PluginError(
                    f"{plugin.spec.ref.id} did not start: {ending.outcome.value}: {ending.detail}",
                    hint=f"pp audit tail --plugin {plugin.spec.ref.id}; or run without it: enabled = false in pp.toml",
                )

    async def _drain(self) -> None:
        with anyio.move_on_after(LIMITS.supervision.drain_seconds):
            for queue in self._queues:
                if queue.plugin.life is Life.RUNNING:
                    await queue.drained()

    def _changed(self, plugin: Supervised) -> None:
        if plugin.life is Life.RUNNING:
            self.caller.admit(plugin)
        else:
            self.caller.dismiss(plugin)
        if plugin.life in (Life.BACKOFF, Life.QUARANTINED):
            ending = plugin.endings[-1]
            self.fan.notify(
                Event(
                    kind="plugin",
                    at=self._clock.now(),
                    text=f"{plugin.spec.ref.id} {plugin.life}: {ending.outcome.value}: {ending.detail}"[
                        :2000
                    ],
                    fields={"plugin": plugin.spec.ref.id, "outcome": ending.outcome.value},
                )
            )


def _desk(broker: Broker, spec: PluginSpec) -> Desk:
    return Desk(broker, Asker(spec.ref, spec.grant))
