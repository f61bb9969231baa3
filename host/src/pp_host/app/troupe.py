"""The plugins of one run, started together, called through one caller, stopped together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import anyio

from pp_host.app.cupboard import Cupboard
from pp_host.app.roster import Enlisted
from pp_host.app.telling import plugin_fall
from pp_host.broker.asker import Asker, Means
from pp_host.broker.quota import PerCall
from pp_host.broker.table import Broker, Desk
from pp_host.errors import PluginError, Refused
from pp_host.limits import LIMITS
from pp_host.ports import Clock, Record
from pp_host.sandbox.launch import Launch
from pp_host.supervisor.hooks import PluginCaller
from pp_host.supervisor.life import Life
from pp_host.supervisor.outputs import OutputFan, OutputQueue
from pp_host.supervisor.spec import PluginSpec
from pp_host.supervisor.supervised import Supervised


class Troupe:
    """`caller` and `fan` are the plugins as the core's ports; `plugins` are in configured order.

    outputs_awaited: whether a cycle waits for outputs that fall behind, which is for runs in which time is not real.
    """

    def __init__(
        self,
        enlisted: Sequence[Enlisted],
        record: Record,
        clock: Clock,
        on_line: Callable[[str, str], None],
        *,
        advise_seconds: float,
        outputs_awaited: bool,
        kept: Cupboard,
        launch: Launch,
    ) -> None:
        self._clock = clock
        self._broker = Broker(Means(clock, record))
        self._kept = kept
        self.caller = PluginCaller(
            record, [one.spec.ref.id for one in enlisted], advise_seconds=advise_seconds
        )
        self.plugins = [
            Supervised(one.spec, record, clock, self._desk, self._changed, on_line, launch)
            for one in enlisted
        ]
        self._queues = [
            OutputQueue(plugin, record, awaited=outputs_awaited)
            for plugin in self.plugins
            if plugin.spec.kind == "output"
        ]
        self.fan = OutputFan(self._queues)
        self._patience = anyio.CancelScope()

    @asynccontextmanager
    async def staged(self) -> AsyncIterator[None]:
        """Room for the plugins, whatever is cancelled inside: on leaving the outputs are told the rest, then every
        plugin is stopped and its end recorded. After a bug of ours in here they are ended, unrecorded."""
        async with anyio.create_task_group() as self._group:
            for queue in self._queues:
                self._group.start_soon(queue.run)
            try:
                yield
            finally:
                with anyio.CancelScope(shield=True):
                    await self._drain()
                    await self._stop()
                self._group.cancel_scope.cancel()

    async def start(self) -> None:
        """Start them all and wait until each has started or failed.

        PluginError when one did not come up, Refused when a wall is missing.
        """
        for plugin in self.plugins:
            self._group.start_soon(plugin.live)
        for plugin in self.plugins:
            await plugin.tried.wait()
        self._check_started()

    def has(self, plugin: str) -> bool:
        """Whether a plugin of this id takes part, in whatever state."""
        return any(one.spec.ref.id == plugin for one in self.plugins)

    def hurry(self) -> None:
        """Do not wait any longer until the outputs have been told everything."""
        self._patience.cancel()

    def _check_started(self) -> None:
        for plugin in self.plugins:
            if plugin.life is not Life.RUNNING:
                if isinstance(plugin.trouble, Refused):  # a wall is missing: no fault of the plugin's
                    raise plugin.trouble
                why = str(plugin.fall) if plugin.fall else plugin.life.value
                raise PluginError(
                    f"{plugin.spec.ref.id} did not start: {why}",
                    hint=f"pp audit tail --plugin {plugin.spec.ref.id}; or run without it: enabled = false in pp.toml",
                )

    async def _drain(self) -> None:
        with self._patience, anyio.move_on_after(LIMITS.supervision.drain_seconds):
            for queue in self._queues:
                if queue.plugin.life is Life.RUNNING:
                    await queue.drained()

    async def _stop(self) -> None:
        async with anyio.create_task_group() as stopping:
            for plugin in self.plugins:
                stopping.start_soon(plugin.stop)

    def _changed(self, plugin: Supervised) -> None:
        if plugin.life is Life.RUNNING:
            self.caller.admit(plugin)
        else:
            self.caller.dismiss(plugin)
        for queue in self._queues:
            if queue.plugin is plugin:
                queue.look()
        if (fall := plugin_fall(plugin, self._clock.now())) is not None:
            self.fan.notify(fall)

    def _desk(self, spec: PluginSpec) -> Desk:
        plugin = next(one for one in self.plugins if one.spec is spec)
        asker = Asker(
            spec.ref,
            spec.grant,
            writes=PerCall(LIMITS.keep.writes_per_call, plugin),
            refusals=PerCall(LIMITS.wire.refusals_per_call, plugin),
            log_lines=PerCall(LIMITS.wire.log_lines_per_call, plugin),
            values=self._kept.values.get(spec.ref.id),
            lines=self._kept.lines.get(spec.ref.id),
        )
        return Desk(self._broker, asker)
