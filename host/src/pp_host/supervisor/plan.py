"""What every plugin's process is made of, and the strongest walls that this machine gives it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pluggy
import pp_sdk

from pp_host.errors import WallMissing
from pp_host.limits import LIMITS
from pp_host.sandbox.launch import Jailed, Launch, discard
from pp_host.sandbox.plan import LEVELS, SandboxPlan
from pp_host.supervisor.spec import PluginSpec


def plan_of(spec: PluginSpec) -> SandboxPlan:
    """The plan that the sandbox enforces for this plugin."""
    return _plan(spec.level, spec.hash_seed, memory_mb=spec.memory_mb, tmp_mb=spec.tmp_mb)


async def settle(launch: Launch, weakest: str, hash_seed: int) -> tuple[str, WallMissing | None]:
    """The strongest level that stands, and which wall a stronger one lacks; found by starting an empty process.

    Raises WallMissing as `strongest` does.
    """
    plan = _plan(LEVELS[0], hash_seed, memory_mb=LIMITS.process.memory_mb, tmp_mb=0)
    level, jailed, missing = await strongest(launch, plan, weakest)
    discard(jailed)
    return level, missing


async def strongest(
    launch: Launch, plan: SandboxPlan, weakest: str
) -> tuple[str, Jailed, WallMissing | None]:
    """A process behind the strongest walls that stand, and which wall a stronger level lacks.

    Raises WallMissing where not even `weakest` stands, naming the strongest level's wall. Who is late lacks no wall:
    nothing weaker is tried then.
    """
    missing: WallMissing | None = None
    for level in LEVELS[: LEVELS.index(weakest) + 1]:
        try:
            wanted = replace(plan, level=level)
            return level, await launch(wanted, timeout_seconds=LIMITS.wire.handshake_seconds), missing
        except WallMissing as error:
            missing = missing or error
            if error.wall == "start":
                break
    assert missing is not None
    raise missing


def _plan(level: str, hash_seed: int, *, memory_mb: int, tmp_mb: int) -> SandboxPlan:
    return SandboxPlan.within_limits(
        level,
        packages=tuple(Path(str(module.__file__)).parent for module in (pp_sdk, msgspec, pluggy)),
        preload=("pp_sdk.runner",),
        entry="pp_sdk.runner:main",
        memory_mb=memory_mb,
        tmp_mb=tmp_mb,
        hash_seed=hash_seed,
        told=True,
    )
