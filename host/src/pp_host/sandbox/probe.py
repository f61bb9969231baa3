"""What this machine can do, found by doing it: `pp doctor` shows the result.

A whole plugin start with a canary behind the walls, judged like any other, at the strongest level that stands. No
version is ever compared.
"""

from __future__ import annotations

import asyncio
import errno
import json
from dataclasses import dataclass
from pathlib import Path

from pp_host.errors import WallMissing
from pp_host.limits import LIMITS
from pp_host.sandbox import attest, launch
from pp_host.sandbox.plan import LEVELS, SandboxPlan


@dataclass(frozen=True, slots=True)
class Wall:
    """`proof` is what was seen; `remedy` is empty where the wall stands."""

    name: str
    ok: bool
    proof: str
    remedy: str


def probe() -> tuple[str, tuple[Wall, ...]]:
    """The strongest level that plugins can have here, "L0" for none, and each wall; takes up to a second.

    A wall of a stronger level that cannot be built comes first.
    """
    broken: dict[str, Wall] = {}
    for level in LEVELS:
        try:
            standing, selfcheck = asyncio.run(_start_canary(level))
        except WallMissing as missing:
            broken[missing.wall] = Wall(missing.wall, ok=False, proof=missing.why, remedy=missing.hint)
            continue
        stand = (Wall(name, ok=True, proof=_proof(name, selfcheck), remedy="") for name in standing)
        return level, (*broken.values(), *stand)
    return "L0", tuple(broken.values())


async def _start_canary(level: str) -> tuple[tuple[str, ...], dict[str, int]]:
    jailed = await launch.launch(_canary_plan(level), timeout_seconds=LIMITS.wire.handshake_seconds)
    try:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(LIMITS.wire.handshake_seconds):
            selfcheck = json.loads(await loop.sock_recv(jailed.rpc, LIMITS.sandbox.control_message_bytes))
        return attest.attest(jailed.pid, level, selfcheck), selfcheck
    finally:
        launch.discard(jailed)


def _canary_plan(level: str) -> SandboxPlan:
    return SandboxPlan.within_limits(
        level,
        packages=(Path(__file__).with_name("canary.py"),),
        preload=("canary",),
        entry="canary:main",
        memory_mb=LIMITS.process.memory_mb,
        tmp_mb=0,
        hash_seed=0,
    )


def _proof(name: str, selfcheck: dict[str, int]) -> str:
    if name not in selfcheck:
        return "seen from outside"
    if name in attest.ATTEMPTS["L3"]:
        return f"tried inside, {_name(selfcheck[name])}"
    return f"read inside, {selfcheck[name]}"


def _name(number: int) -> str:
    return errno.errorcode.get(number, f"status {number}")
