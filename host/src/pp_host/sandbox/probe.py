"""What this machine can do, found by doing it: `pp doctor` shows the result.

A whole plugin start with a canary behind the walls, judged like any other. Only where that fails are the
walls that need no namespace tried alone, so that the operator sees what is missing and what is not. No
version is ever compared.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pp_host.errors import WallMissing
from pp_host.limits import LIMITS
from pp_host.sandbox import attest, launch, walls
from pp_host.sandbox.plan import SandboxPlan

_STANDALONE: Final = ("landlock", "seccomp")
_LET_THROUGH: Final = 255


@dataclass(frozen=True, slots=True)
class Wall:
    """`proof` is what was seen; `remedy` is empty where the wall stands."""

    name: str
    ok: bool
    proof: str
    remedy: str


def probe() -> tuple[str, tuple[Wall, ...]]:
    """The level that plugins can have here, "L3" or "L0", and each wall; takes up to a second."""
    try:
        standing, selfcheck = asyncio.run(_start_canary())
    except WallMissing as missing:
        broken = Wall(missing.wall, ok=False, proof=missing.why, remedy=missing.hint)
        alone = [_try_alone(wall) for wall in _STANDALONE if wall != missing.wall and sys.platform == "linux"]
        return "L0", (broken, *alone)
    return "L3", tuple(Wall(name, ok=True, proof=_proof(name, selfcheck), remedy="") for name in standing)


async def _start_canary() -> tuple[tuple[str, ...], dict[str, int]]:
    jailed = await launch.launch(_canary_plan(), timeout_seconds=LIMITS.wire.handshake_seconds)
    with _ended(jailed):
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(LIMITS.wire.handshake_seconds):
            selfcheck = json.loads(await loop.sock_recv(jailed.rpc, LIMITS.sandbox.control_message_bytes))
        return attest.attest(jailed.pid, "L3", selfcheck), selfcheck


def _canary_plan() -> SandboxPlan:
    return SandboxPlan.within_limits(
        "L3",
        packages=(Path(__file__).with_name("canary.py"),),
        preload=("canary",),
        entry="canary:main",
        memory_mb=LIMITS.process.memory_mb,
        tmp_mb=0,
        hash_seed=0,
    )


@contextlib.contextmanager
def _ended(jailed: launch.Jailed) -> Iterator[None]:
    """The canary ends at EOF; it has nothing to lose, so it is not waited for kindly."""
    try:
        yield
    finally:
        jailed.rpc.close()
        launch.end_child(jailed.pid, jailed.pidfd)
        os.close(jailed.stdout)
        os.close(jailed.stderr)


def _try_alone(wall: str) -> Wall:
    tried = subprocess.run(launch.command("trial", repr(wall)), env={}, capture_output=True, check=False)
    number = tried.returncode
    if number == 0:
        return Wall(wall, ok=True, proof="holds on its own", remedy="")
    why = "lets through what it should refuse" if number == _LET_THROUGH else _name(number)
    return Wall(wall, ok=False, proof=why, remedy=walls.missing(wall, number, why).hint)


def _proof(name: str, selfcheck: dict[str, int]) -> str:
    if name in attest.ATTEMPTS["L3"]:
        return f"tried inside, {_name(selfcheck[name])}"
    if name in attest.READINGS["L3"]:
        return f"read inside, {selfcheck[name]}"
    return "seen from outside"


def _name(number: int) -> str:
    return errno.errorcode.get(number, f"status {number}")
