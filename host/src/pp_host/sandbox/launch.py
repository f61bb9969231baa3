"""The host's side of a plugin's start, cold or from a zygote that is kept: the same walls in the same order.

After a failure nothing is left: no process, no descriptor.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Protocol

from pp_host.errors import Refused, WallMissing
from pp_host.limits import LIMITS
from pp_host.sandbox import syscalls, walls
from pp_host.sandbox.cgroups import Cage, Cgroups
from pp_host.sandbox.nursery import GO, Zygote, hear, hear_with_fds, pipe, socket_pair
from pp_host.sandbox.plan import LEVELS, SandboxPlan, ZygotePlan


@dataclass(frozen=True, slots=True)
class Jailed:
    """A plugin's process behind its walls; whoever holds this closes the descriptors and reaps `pid`.

    `rpc` and both pipes are non-blocking and not inheritable; `pid` is a child of the calling process. `listener` hears
    of fatal calls (fatal.py); None where the kernel ends the process for one, as the plan or the machine has it. `cage`
    is its control group, where the host has some to give.
    """

    pid: int
    pidfd: int
    rpc: socket.socket
    stdout: int
    stderr: int
    listener: int | None = None
    cage: Cage | None = None


class Launch(Protocol):
    """Start `plan.entry` behind the walls of `plan.level`; returns once every wall stands.

    Raises Refused, naming the wall, why, and the remedy, when one cannot be built or the time is over.
    """

    def __call__(self, plan: SandboxPlan, *, timeout_seconds: float) -> Awaitable[Jailed]: ...


async def launch(plan: SandboxPlan, *, timeout_seconds: float) -> Jailed:
    """A cold start: implements Launch with a zygote that bears one child."""
    with contextlib.closing(Launcher()) as launcher:
        return await launcher.launch(plan, timeout_seconds=timeout_seconds)


class Launcher:
    """Keeps zygotes, and replaces one that has ended or has borne its share. Whoever holds it closes it.

    `cgroups`: each process gets one; None where there are none to give.
    """

    def __init__(self, cgroups: Cgroups | None = None) -> None:
        self._cgroups = cgroups
        self._zygotes: dict[ZygotePlan, Zygote] = {}
        self._turns: dict[ZygotePlan, asyncio.Lock] = {}

    async def launch(self, plan: SandboxPlan, *, timeout_seconds: float) -> Jailed:
        """Implements Launch."""
        _check_possible(plan)
        try:
            async with asyncio.timeout(timeout_seconds):
                return await self._launch(plan)
        except TimeoutError:
            raise walls.missing("start", 0, f"not up within {timeout_seconds:g} s") from None

    def close(self) -> None:
        """End every zygote; what they have borne lives on."""
        for plan in list(self._zygotes):
            self._end(plan)

    async def _launch(self, plan: SandboxPlan) -> Jailed:
        with contextlib.ExitStack() as undo:
            with contextlib.ExitStack() as far:
                rpc, far_rpc = socket_pair(socket.SOCK_STREAM, undo, far)
                control, far_control = socket_pair(socket.SOCK_SEQPACKET, undo, far)
                stdout, far_stdout = pipe(undo, far)
                stderr, far_stderr = pipe(undo, far)
                fds = (far_rpc.fileno(), far_control.fileno(), far_stdout, far_stderr)
                pid = await self._bear(plan, control, fds, far)
            try:
                pidfd = os.pidfd_open(pid)
                emptied = undo.enter_context(contextlib.ExitStack())
                undo.callback(end_child, pid, pidfd)
                cage = self._caged(plan, pid)
                if cage is not None:
                    emptied.callback(cage.close)
                control.send(GO)
                listener = await _up(control)
            except ConnectionError:
                raise walls.missing("start", 0, "it ended without a word") from None
            undo.pop_all()
        control.close()
        return Jailed(pid, pidfd, rpc, stdout, stderr, listener, cage)

    def _caged(self, plan: SandboxPlan, pid: int) -> Cage | None:
        if self._cgroups is None:
            return None
        try:
            return self._cgroups.hold(pid, memory_mb=plan.memory_mb + plan.tmp_mb, processes=plan.processes)
        except OSError as error:
            raise walls.missing("cgroup", error.errno or 0, str(error)) from None

    async def _bear(
        self, plan: SandboxPlan, control: socket.socket, fds: tuple[int, ...], far: contextlib.ExitStack
    ) -> int:
        """The pid of a child that waits for `go`. One at a time, so that none is ever without a holder."""
        async with self._turns.setdefault(plan.zygote, asyncio.Lock()):
            try:
                zygote = await self._zygote(plan.zygote)
                zygote.bear(plan, fds)
                far.close()  # so that its end shows as EOF
                return await _announced(control)
            except ConnectionError:
                words = self._zygotes[plan.zygote].last_words()
                self._end(plan.zygote)
                raise walls.missing("start", 0, f"the zygote ended without a word{words}") from None
            except BaseException:  # a child that it made meanwhile must not be left
                self._end(plan.zygote)
                raise

    async def _zygote(self, plan: ZygotePlan) -> Zygote:
        kept = self._zygotes.get(plan)
        if kept is not None and kept.children < LIMITS.sandbox.zygote_children and not kept.has_ended():
            return kept
        self._end(plan)
        zygote = self._zygotes[plan] = Zygote(plan)
        await zygote.ready()
        return zygote

    def _end(self, plan: ZygotePlan) -> None:
        zygote = self._zygotes.pop(plan, None)
        if zygote is not None:
            zygote.close()


async def _announced(control: socket.socket) -> int:
    match await hear(control):
        case ["child", int(pid)]:
            return pid
        case ["refused", str(wall), int(number), str(why)]:
            raise walls.missing(wall, number, why)
    raise ConnectionError


async def _up(control: socket.socket) -> int | None:
    match await hear_with_fds(control):
        case ["up"], [listener]:
            os.set_inheritable(listener, False)
            return listener
        case ["up"], []:
            return None
        case ["refused", str(wall), int(number), str(why)], []:
            raise walls.missing(wall, number, why)
    raise ConnectionError


def _check_possible(plan: SandboxPlan) -> None:
    if sys.platform != "linux":
        raise walls.elsewhere()
    syscalls.native()
    if plan.level not in LEVELS:
        raise Refused(f"level {plan.level} is none", hint=f"one of {', '.join(LEVELS)}")
    if plan.room and plan.level != "L3":
        raise WallMissing(
            "empty root", f"level {plan.level} has none", hint="foreign programs run at L3 only"
        )
    if plan.tmp_mb and plan.level != "L3":
        raise WallMissing(
            "private /tmp", f"level {plan.level} has none", hint="only a machine that gives L3 can grant tmp"
        )


def discard(jailed: Jailed) -> None:
    """End it and let go of everything that is held of it."""
    end_child(jailed.pid, jailed.pidfd)
    jailed.rpc.close()
    for fd in (jailed.stdout, jailed.stderr, jailed.listener):
        if fd is not None:
            os.close(fd)
    if jailed.cage is not None:
        jailed.cage.close()


def end_child(pid: int, pidfd: int) -> None:
    """Kill it, wait for it, close its pidfd."""
    with contextlib.suppress(
        ProcessLookupError, ChildProcessError
    ):  # it went with its zygote before it was up
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        os.waitpid(pid, 0)
    os.close(pidfd)
