"""One plugin over all its processes: start it, call it, and when it falls, decide what follows by the life table."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import anyio
from anyio.abc import TaskStatus
from msgspec import Struct

from pp_host.errors import HostError, PluginGone, PluginViolation
from pp_host.ports import Clock, Record
from pp_host.supervisor.life import RESTARTABLE, TRANSITIONS, Happening, Life, Outcome, Patience
from pp_host.supervisor.process import Answering, Ending, PluginProcess
from pp_host.supervisor.spec import PluginSpec

DETAIL = 500  # characters of an ending's text that the record keeps


class Supervised:
    """One-for-one: its failures are its own.

    desk: makes the broker's desk for one process; on_change: told after every change of `life`;
    on_line: told each line that the plugin writes.
    """

    def __init__(
        self,
        spec: PluginSpec,
        record: Record,
        clock: Clock,
        desk: Callable[[PluginSpec], Answering],
        on_change: Callable[[Supervised], None],
        on_line: Callable[[str, str], None],
    ) -> None:
        self.spec = spec
        self.life = Life.NEW
        self.calls = 0
        self.failures = 0
        self.dropped = 0  # events an output was not told
        self.trouble: HostError | None = None
        self.pid = 0
        self.endings: list[Ending] = []
        self._record = record
        self._clock = clock
        self._desk = desk
        self._on_change = on_change
        self._on_line = on_line
        self._patience = Patience()
        self._process: PluginProcess | None = None
        self._stopping = anyio.Event()

    async def live(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Run the plugin until it is stopped or given up. `task_status` reports the end of the first start."""
        self._happened(Happening.START)
        process = await self._start()
        task_status.started()
        while True:
            ending = self.endings[-1] if process is None else self._ended(await process.ended())
            self._process = None
            if self.life is Life.STOPPING:
                self._happened(Happening.GONE)
                return
            await self._fell(ending)
            if self.life is not Life.BACKOFF:
                return
            self._happened(Happening.START)
            process = await self._start()

    async def _start(self) -> PluginProcess | None:
        """A running process, or None and an ending that says why not."""
        try:
            process = await PluginProcess.start(
                self.spec,
                self._desk(self.spec),
                lambda line: self._on_line(self.spec.ref.id, line),
                now=self._clock.now(),
            )
        except PluginViolation as error:
            self.pid = 0
            self._ended(Ending(Outcome.VIOLATION, str(error)))
            return None
        except HostError as error:
            self.pid, self.trouble = 0, error
            self._ended(Ending(Outcome.SETUP_ERROR, f"{error} ({error.hint})" if error.hint else str(error)))
            return None
        self._process, self.pid = process, process.pid
        self._record.append(
            "plugin.start", self._start_subject(process), plugin=self.spec.ref, rule=self.spec.grant
        )
        if self.life is Life.STARTING:
            self._happened(Happening.READY)
        else:  # it was told to stop while it started
            process.end(Outcome.OK, "stopped")
        return process

    def _start_subject(self, process: PluginProcess) -> dict[str, Any]:
        ref = self.spec.ref
        return {
            "id": ref.id,
            "version": ref.version,
            "digest": ref.digest,
            "grant": self.spec.grant,
            "level": self.spec.level,
            "walls": list(process.walls),
            "pid": process.pid,
            "seed": self.spec.seed,
        }

    def _ended(self, ending: Ending) -> Ending:
        self.endings.append(ending)
        self._record.append(
            "plugin.exit",
            {
                "outcome": ending.outcome.value,
                "detail": ending.detail[:DETAIL],
                "signal": ending.signal,
                "status": ending.status,
                "pid": self.pid,
            },
            plugin=self.spec.ref,
            verdict="" if ending.outcome is Outcome.OK else "error",
        )
        return ending

    async def _fell(self, ending: Ending) -> None:
        wait = None
        if ending.outcome in RESTARTABLE:
            wait = self._patience.next_wait(anyio.current_time(), random.random())  # noqa: S311  # jitter, not a secret
        if wait is None:
            self._happened(Happening.GIVEN_UP)
            self._record.append(
                "plugin.quarantine",
                {"outcome": ending.outcome.value, "detail": ending.detail[:DETAIL]},
                plugin=self.spec.ref,
            )
            return
        self._happened(Happening.FAILED)
        with anyio.move_on_after(wait):
            await self._stopping.wait()

    async def call(self, method: str, body: Struct, *, fds: Sequence[int] = ()) -> Any:
        """Ask the plugin; the answer is of the type the protocol gives `method`. PluginError when no good one came."""
        if self._process is None or self.life is not Life.RUNNING:
            raise PluginGone(f"{self.spec.ref.id} is {self.life}")
        return await self._process.call(method, body, fds=fds)

    def failed(self, hook: str, why: str, cause: int) -> None:
        """A call, the record's entry `cause`, brought no good answer."""
        self.failures += 1
        self._record.append(
            "plugin.failed",
            {"hook": hook, "why": why[:DETAIL]},
            cause=cause,
            plugin=self.spec.ref,
            verdict="error",
        )

    def violated(self, what: str) -> PluginViolation:
        """End the plugin for breaking the protocol; the error to raise."""
        violation = PluginViolation(f"{self.spec.ref.id}: {what}")
        if self._process is not None:
            self._process.end(Outcome.VIOLATION, what)
        return violation

    async def stop(self) -> None:
        """Ask it to stop, then make sure."""
        if self.life in (Life.STOPPED, Life.STOPPING):
            return
        process = self._process
        self._happened(Happening.STOP)
        self._stopping.set()
        if process is not None:
            await process.stop()

    def _happened(self, happening: Happening) -> None:
        self.life = TRANSITIONS[(self.life, happening)]
        self._on_change(self)
