"""Runs attacker.py behind the walls through the real launch, and outside as the control."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from pp_host.limits import LIMITS
from pp_host.sandbox.launch import Jailed, launch
from pp_host.sandbox.plan import SandboxPlan

ATTACKER = Path(__file__).with_name("attacker.py")
PLAN = SandboxPlan(
    level="L3",
    packages=(ATTACKER,),
    preload=(),
    entry="attacker:main",
    memory_mb=LIMITS.process.memory_mb,
    cpu_seconds_lifetime=60,
    open_files=LIMITS.process.open_files,
    processes=LIMITS.process.processes,
    file_size_mb=LIMITS.process.file_size_mb,
    stack_mb=LIMITS.process.stack_mb,
    tmp_mb=0,
    hash_seed=7,
)


@dataclass
class Prisoner:
    """A jailed attacker: `tries` asks it for one attack and returns what came of it."""

    jailed: Jailed

    def tries(self, name, *arguments):
        rpc = self.jailed.rpc
        rpc.sendall(json.dumps([name, arguments]).encode() + b"\n")
        answer = b""
        while not answer.endswith(b"\n"):
            try:
                more = rpc.recv(65536)
            except ConnectionResetError:
                more = b""
            if not more:
                return {"signal": self.ends()}
            answer += more
        return json.loads(answer)

    def ends(self):
        """The name of the signal that ended it, or its exit status."""
        self.jailed.rpc.close()
        with os.fdopen(os.dup(self.jailed.stderr), "rb") as stderr:
            os.set_blocking(self.jailed.stderr, True)
            self.last_words = stderr.read().decode()
        ended = os.waitid(os.P_PIDFD, self.jailed.pidfd, os.WEXITED | os.WNOWAIT)
        assert ended is not None
        if ended.si_code in (os.CLD_KILLED, os.CLD_DUMPED):
            assert ended.si_code == os.CLD_KILLED, "it left a core"
            return signal.Signals(ended.si_status).name
        return ended.si_status


@contextlib.contextmanager
def imprisoned(plan=PLAN):
    jailed = asyncio.run(launch(plan, timeout_seconds=20))
    jailed.rpc.settimeout(30)
    try:
        yield Prisoner(jailed)
    finally:
        jailed.rpc.close()
        signal.pidfd_send_signal(jailed.pidfd, signal.SIGKILL)
        os.waitpid(jailed.pid, 0)
        for fd in (jailed.pidfd, jailed.stdout, jailed.stderr):
            os.close(fd)


@pytest.fixture(scope="module")
def prisoner():
    """One process for all attacks that must fail softly: it survives every one of them."""
    with imprisoned() as one:
        yield one


@pytest.fixture
def victim():
    """A process of its own for an attack that ends it."""
    with imprisoned() as one:
        yield one


@pytest.fixture
def imprison():
    """`with imprison(tmp_mb=1) as prisoner`: a plan that differs from the usual one."""
    return lambda **changes: imprisoned(replace(PLAN, **changes))


@pytest.fixture
def outside():
    """The same attack in a process without walls: it must work there, or its failing inside proves nothing."""

    def attempt(name, *arguments, environment=None):
        command = [sys.executable, "-P", str(ATTACKER), name, json.dumps(arguments)]
        done = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=30)
        if done.returncode < 0:
            return {"signal": signal.Signals(-done.returncode).name}
        return json.loads(done.stdout)

    return attempt
