"""Attackers behind the walls, through the real launch: asked for one attack at a time, or for one that ends them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pp_host.limits import LIMITS
from pp_host.sandbox.launch import Jailed, Launch, launch
from pp_host.sandbox.plan import SandboxPlan

ATTACKS = Path(__file__).with_name("attacks")
SECONDS = 60
PLAN = SandboxPlan.within_limits(
    "L3",
    packages=(ATTACKS,),
    preload=tuple(f"attacks.{path.stem}" for path in sorted(ATTACKS.glob("*.py")) if path.stem != "__init__"),
    entry="attacks.agent:main",
    memory_mb=LIMITS.process.memory_mb,
    tmp_mb=0,
    hash_seed=7,
)


@dataclass
class Prisoner:
    """`tries` asks it for one attack and returns what came of it."""

    jailed: Jailed
    last_words: str = ""

    def tries(self, group: str, name: str, *arguments: Any) -> dict[str, Any]:
        rpc = self.jailed.rpc
        rpc.sendall(json.dumps([group, name, arguments]).encode() + b"\n")
        answer = b""
        while not answer.endswith(b"\n"):
            try:
                more = rpc.recv(65536)
            except ConnectionResetError:
                more = b""
            if not more:
                return self.ends()
            answer += more
        found: dict[str, Any] = json.loads(answer)
        return found

    def ends(self) -> dict[str, Any]:
        """The signal that ended it, or its exit status."""
        self.jailed.rpc.close()
        with os.fdopen(os.dup(self.jailed.stderr), "rb") as stderr:
            os.set_blocking(self.jailed.stderr, True)
            self.last_words = stderr.read().decode()
        ended = os.waitid(os.P_PIDFD, self.jailed.pidfd, os.WEXITED | os.WNOWAIT)
        assert ended is not None
        if ended.si_code in (os.CLD_KILLED, os.CLD_DUMPED):
            assert ended.si_code == os.CLD_KILLED, "it left a core"
            return {"signal": signal.Signals(ended.si_status).name}
        return {"status": ended.si_status}


@contextlib.contextmanager
def imprisoned(start: Launch = launch, **changes: Any) -> Iterator[Prisoner]:
    """One attacker, with a plan that differs from the usual one by `changes`."""
    jailed = asyncio.run(_started(start, replace(PLAN, **changes)))
    jailed.rpc.settimeout(SECONDS)
    try:
        yield Prisoner(jailed)
    finally:
        jailed.rpc.close()
        signal.pidfd_send_signal(jailed.pidfd, signal.SIGKILL)
        os.waitpid(jailed.pid, 0)
        for fd in (jailed.pidfd, jailed.stdout, jailed.stderr):
            os.close(fd)


async def _started(start: Launch, plan: SandboxPlan) -> Jailed:
    return await start(plan, timeout_seconds=SECONDS)
