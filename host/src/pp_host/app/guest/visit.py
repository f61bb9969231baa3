"""One guest from launch to end, and what is told of it afterwards.

Law: nothing a guest says about itself decides how its visit is told; the host's own Ending does.
"""

from __future__ import annotations

import hashlib
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import anyio

from pp_host.app.guest.desk import desk
from pp_host.errors import OperatorError
from pp_host.model import PluginRef
from pp_host.sandbox.launch import Jailed, launch
from pp_host.sandbox.plan import LEVELS, SandboxPlan
from pp_host.supervisor.life import Outcome
from pp_host.supervisor.plan import plan_of, strongest
from pp_host.supervisor.process import Ending, PluginProcess
from pp_host.supervisor.spec import PluginSpec
from pp_host.supervisor.stdio import Transcript
from pp_host.trust.manifest import PluginLimits

INSIDE: Final = Path(__file__).parent / "inside"


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What came of a guest; `stdout` and `stderr` are a stranger's, within the limit of a plugin's output."""

    level: str
    walls: tuple[str, ...]
    ending: Ending
    outcome: Outcome
    detail: str
    stdout: str
    stderr: str
    accepted: int

    @property
    def signal(self) -> str | None:
        return signal.Signals(self.ending.signal).name if self.ending.signal else None

    @property
    def status(self) -> int | None:
        return None if self.ending.signal else self.ending.status

    @property
    def denied(self) -> list[str]:
        """The fatal calls that are known of, from the ending alone: to a parent the kernel tells no name."""
        killed = ["unknown call"] if self.ending.signal == signal.SIGSYS else []
        return [self.ending.call] if self.ending.call else killed


@dataclass(frozen=True, slots=True)
class Guest:
    """A guest while it is here."""

    level: str
    process: PluginProcess
    transcripts: list[Transcript]

    async def left(self) -> Visit:
        """Wait for its end. Who leaves with status 0 of its own accord, which no plugin may, has ended well."""
        ending = await self.process.ended()
        own_accord = ending.outcome is Outcome.ERROR and not ending.signal and not ending.status
        stdout, stderr = (transcript.text for transcript in self.transcripts)
        return Visit(
            level=self.level,
            walls=self.process.walls,
            ending=ending,
            outcome=Outcome.OK if own_accord else ending.outcome,
            detail=ending.detail,
            stdout=stdout,
            stderr=stderr,
            accepted=self.process.accepted,
        )


def contents(file: Path, most: int) -> bytes:
    """What a guest is made of. OperatorError: the file cannot be read, or is larger than `most` bytes."""
    try:
        with file.open("rb") as opened:
            data = opened.read(most + 1)
    except OSError as error:
        raise OperatorError(f"{file}: cannot be read: {error.strerror}", hint="name a file") from None
    if len(data) > most:
        raise OperatorError(f"{file}: larger than {most} bytes", hint="it has to be smaller")
    return data


def spec_of(
    archive: bytes,
    limits: PluginLimits,
    *,
    hooks: tuple[Any, ...] = (),
    config: Mapping[str, Any] | None = None,
) -> PluginSpec:
    """A guest as the supervisor knows plugins: granted nothing that is not in `limits`."""
    return PluginSpec(
        ref=PluginRef("guest", "0", hashlib.sha256(archive).hexdigest()),
        kind="source",
        archive=archive,
        module="plugin",
        object="plugin",
        hooks=hooks,
        config=config or {},
        seed=0,
        hash_seed=0,
        grant="",
        level=LEVELS[0],
        venues=frozenset(),
        account=None,
        events=None,
        detail="none",
        memory_mb=limits.memory_mb,
        tmp_mb=limits.tmp_mb,
        cpu_seconds=limits.cpu_seconds_per_call,
        wall_seconds=limits.wall_seconds_per_call,
        outer_seconds=limits.wall_seconds_per_call,
    )


def plan_with(spec: PluginSpec, module: str, function: str = "main") -> SandboxPlan:
    """The plan of a plugin in which a module of `inside` takes the runner's place."""
    plan = plan_of(spec)
    return replace(
        plan,
        packages=(*plan.packages, INSIDE / f"{module}.py"),
        preload=(*plan.preload, module),
        entry=f"{module}:{function}",
    )


def late(limits: PluginLimits) -> tuple[Outcome, str]:
    """Why a guest is ended at its deadline."""
    return Outcome.TIMEOUT, f"not over within {limits.wall_seconds_per_call:g} s"


@asynccontextmanager
async def admitted(
    spec: PluginSpec, plan: SandboxPlan, first: Callable[[Jailed], None] = lambda _: None
) -> AsyncIterator[Guest]:
    """A guest behind the strongest walls that stand; on leaving it has ended. Refused: there are none.

    first: what is to happen before anything is heard of it.
    """
    level, jailed, _ = await strongest(launch, plan, LEVELS[-1])
    transcripts: list[Transcript] = []

    def drained(fd: int, flooded: Callable[[], None]) -> Transcript:
        transcripts.append(Transcript(fd, flooded))
        return transcripts[-1]

    process = PluginProcess.adopt(replace(spec, level=level), jailed, desk(spec), drained)
    try:
        first(jailed)
        yield Guest(level, process, transcripts)
    finally:
        process.end(Outcome.OK, "sent away")
        with anyio.CancelScope(shield=True):
            await process.ended()
