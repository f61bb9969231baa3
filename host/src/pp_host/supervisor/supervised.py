"""One plugin over all its processes: start it, call it, and when it falls, decide what follows by the life table."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import anyio
from msgspec import Struct

from pp_host.errors import HostError, PluginGone, PluginTimeout, PluginUnstarted, PluginViolation, WallMissing
from pp_host.ports import Clock, Record
from pp_host.sandbox.launch import Launch, launch
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
        launch: Launch = launch,
    ) -> None:
        self.spec = spec
        self.life = Life.NEW
        self.calls = 0
        self.hook_calls = 1  # in the last call: of `notify` one for each event
        self.failures = 0
        self.dropped = 0  # events an output was not told, or failed on
        self.trouble: HostError | None = None
        self.pid = 0
        self.falls = 0  # endings that were not asked for
        self.fall: Ending | None = None  # the last of them
        self.tried = anyio.Event()  # the first start is over, well or ill
        self._record = record
        self._clock = clock
        self._desk = desk
        self._on_change = on_change
        self._on_line = on_line
        self._launch = launch
        self._patience = Patience()
        self._process: PluginProcess | None = None
        self._starting = anyio.CancelScope()
        self._stopping = anyio.Event()
        self._alive = False
        self._over = anyio.Event()

    async def live(self) -> None:
        """Run the plugin until it is stopped or given up."""
        if self.life is not Life.NEW:  # it was stopped before this task had its first turn
            return
        self._alive = True
        try:
            while await self._live_once():
                pass
        finally:
            self.tried.set()  # also when it was never tried
            self._over.set()

    async def _live_once(self) -> bool:
        """One process from start to end; whether another follows."""
        self._happened(Happening.START)
        ending = await self._start()
        self.tried.set()
        if self._process is not None:
            ending = self._ended(await self._process.ended())
            self._process = None
        if self.life is Life.STOPPING:
            self._happened(Happening.GONE)
            return False
        await self._fell(ending)
        return self.life is Life.BACKOFF

    async def _start(self) -> Ending:
        """A running process in `_process`, else why there is none."""
        ending = Ending(Outcome.OK, "stopped while it started")
        try:
            with anyio.CancelScope() as self._starting:
                self._process = await PluginProcess.start(
                    self.spec,
                    self._desk(self.spec),
                    lambda line: self._on_line(self.spec.ref.id, line),
                    now=self._clock.now(),
                    launch=self._launch,
                )
        except HostError as error:
            self.pid, self.trouble = 0, error
            ending = self._ended(_unstarted(error))
        if self._process is not None:
            self._started(self._process)
        return ending

    def _started(self, process: PluginProcess) -> None:
        self.pid = process.pid
        self._record.append(
            "plugin.start", self._start_subject(process), plugin=self.spec.ref, rule=self.spec.grant
        )
        if self.life is Life.STARTING:
            self._happened(Happening.READY)
        else:  # it was told to stop as it came up
            process.end(Outcome.OK, "stopped")

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
            "hash_seed": self.spec.hash_seed,
        }

    def _ended(self, ending: Ending) -> Ending:
        if ending.outcome is not Outcome.OK:
            self.falls, self.fall = self.falls + 1, ending
        self._record.append(
            "plugin.exit",
            {
                "outcome": ending.outcome.value,
                "detail": ending.detail[:DETAIL],
                "signal": ending.signal,
                "status": ending.status,
                "call": ending.call,
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

    def failed(self, hook: str, why: str, cause: int | None) -> None:
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
        """Ask it to stop, then make sure; on return its end is recorded."""
        if self.life not in (Life.STOPPED, Life.STOPPING, Life.QUARANTINED):
            self._happened(Happening.STOP)
            self._stopping.set()
            self._starting.cancel()
            if self._process is not None:
                await self._process.stop()
        if self._alive:
            await self._over.wait()

    def _happened(self, happening: Happening) -> None:
        self.life = TRANSITIONS[(self.life, happening)]
        self._on_change(self)


def _unstarted(error: HostError) -> Ending:
    """Why no process came up. A missing wall stays missing: starting again would not help."""
    match error:
        case PluginUnstarted(ending=Ending() as ending):
            return ending
        case PluginViolation():
            outcome = Outcome.VIOLATION
        case PluginTimeout():
            outcome = Outcome.TIMEOUT
        case WallMissing(wall="start"):  # it was not up in time: no wall is known to be missing
            outcome = Outcome.TIMEOUT
        case WallMissing():
            outcome = Outcome.SETUP_ERROR
        case _:
            outcome = Outcome.ERROR
    return Ending(outcome, f"{error} ({error.hint})" if error.hint else str(error))
