"""The host's side of a plugin's start: one launcher process per plugin, spoken to over a control socket.

The launcher is started from the caller's own thread, because the child is told to die with that thread.
After a failure nothing is left: no process, no descriptor. The messages are described in jail.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pp_host.errors import Refused
from pp_host.limits import LIMITS
from pp_host.sandbox import syscalls, walls
from pp_host.sandbox.plan import FOREIGN_ID, INNER_ID, SandboxPlan

_GO: Final = b"go"
_BOOT: Final = (
    "import sys; sys.path.append({source!r})\n"
    "from pp_host.sandbox import {module}; {module}.main({arguments})"
)


@dataclass(frozen=True, slots=True)
class Jailed:
    """A plugin's process behind its walls; whoever holds this closes the descriptors and reaps `pid`.

    `rpc` and both pipes are non-blocking and not inheritable; `pid` is a child of the calling process.
    """

    pid: int
    pidfd: int
    rpc: socket.socket
    stdout: int
    stderr: int


async def launch(plan: SandboxPlan, *, timeout_seconds: float) -> Jailed:
    """Start `plan.entry` behind the walls of `plan.level`; returns once every wall stands.

    Raises Refused, naming the wall, why, and the remedy, when one cannot be built or the time is over.
    """
    _check_possible(plan)
    with contextlib.ExitStack() as undo:
        with contextlib.ExitStack() as far:
            rpc, far_rpc = _socket_pair(socket.SOCK_STREAM, undo, far)
            control, far_control = _socket_pair(socket.SOCK_SEQPACKET, undo, far)
            stdout, far_stdout = _pipe(undo, far)
            stderr, far_stderr = _pipe(undo, far)
            launcher = _start(plan.hash_seed, far_rpc, far_control, far_stdout, far_stderr)
            undo.callback(_end_group, launcher)
        try:
            async with asyncio.timeout(timeout_seconds):
                pid, pidfd = await _converse(plan, control, launcher.pid, undo)
        except TimeoutError:
            raise walls.missing(
                "start", 0, f"not up within {timeout_seconds:g} s{_farewell(stderr)}"
            ) from None
        except ConnectionError:
            raise walls.missing("start", 0, f"the launcher ended without a word{_farewell(stderr)}") from None
        launcher.wait()
        undo.pop_all()
    control.close()
    return Jailed(pid, pidfd, rpc, stdout, stderr)


def _check_possible(plan: SandboxPlan) -> None:
    if sys.platform != "linux":
        raise walls.elsewhere()
    syscalls.native()
    if plan.level != "L3":
        raise Refused(f"level {plan.level} cannot be built by this release", hint="set host.min_level to L3")


def _start(
    hash_seed: int, rpc: socket.socket, control: socket.socket, stdout: int, stderr: int
) -> subprocess.Popen[bytes]:
    """Its own process group: Ctrl-C reaches the host only, and a failed start can be swept up whole."""
    return subprocess.Popen(
        command("jail", f"{rpc.fileno()}, {control.fileno()}"),
        env={"PYTHONHASHSEED": str(hash_seed)},
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        pass_fds=(rpc.fileno(), control.fileno()),
        start_new_session=True,
    )


def command(module: str, arguments: str) -> list[str]:
    """A bare interpreter, without site or bytecode writing, that runs `main` of one module of this room."""
    boot = _BOOT.format(source=str(Path(__file__).parents[2]), module=module, arguments=arguments)
    return [os.path.realpath(sys.executable), "-s", "-P", "-S", "-B", "-c", boot]


async def _converse(
    plan: SandboxPlan, control: socket.socket, launcher: int, undo: contextlib.ExitStack
) -> tuple[int, int]:
    """Answer the launcher and its child until the walls are up; returns the child's pid and pidfd."""
    loop = asyncio.get_running_loop()
    control.send(plan.encode())
    child: tuple[int, int] | None = None
    while True:
        try:
            message = await loop.sock_recv(control, LIMITS.sandbox.control_message_bytes)
        except ConnectionResetError:
            continue  # it ended with mail unread; what it said before that comes next
        if not message:
            raise ConnectionError
        match json.loads(message):
            case ["maps"]:
                _write_maps(launcher)
                control.send(_GO)
            case ["child", int(pid)]:
                child = pid, os.pidfd_open(pid)
                undo.callback(end_child, *child)
                control.send(_GO)
            case ["refused", str(wall), int(number), str(why)]:
                raise walls.missing(wall, number, why)
            case ["up"] if child is not None:
                return child


def _write_maps(pid: int) -> None:
    """Only root comes here: one foreign id, and no groups."""
    process = Path("/proc") / str(pid)
    try:
        (process / "setgroups").write_text("deny")
        (process / "uid_map").write_text(f"{INNER_ID} {FOREIGN_ID} 1")
        (process / "gid_map").write_text(f"{INNER_ID} {FOREIGN_ID} 1")
    except OSError as error:
        raise walls.missing("user namespace", error.errno or 0, str(error)) from None


def end_child(pid: int, pidfd: int) -> None:
    """Kill it, wait for it, close its pidfd."""
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(pidfd)


def _end_group(launcher: subprocess.Popen[bytes]) -> None:
    """A child that the host was not yet told of is still in the launcher's group: it waits for `go` there."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(launcher.pid, signal.SIGKILL)
    launcher.wait()
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-launcher.pid, 0)


def _socket_pair(
    kind: socket.SocketKind, near: contextlib.ExitStack, far: contextlib.ExitStack
) -> tuple[socket.socket, socket.socket]:
    here, there = socket.socketpair(socket.AF_UNIX, kind)
    near.callback(here.close)
    far.callback(there.close)
    here.setblocking(False)
    return here, there


def _pipe(near: contextlib.ExitStack, far: contextlib.ExitStack) -> tuple[int, int]:
    here, there = os.pipe()
    near.callback(os.close, here)
    far.callback(os.close, there)
    os.set_blocking(here, False)
    return here, there


def _farewell(stderr: int) -> str:
    """The last line that the launcher wrote, as part of a message."""
    try:
        lines = os.read(stderr, LIMITS.sandbox.last_words_bytes).decode(errors="replace").splitlines()
    except BlockingIOError:
        return ""
    return f": {lines[-1]!r}" if lines else ""
