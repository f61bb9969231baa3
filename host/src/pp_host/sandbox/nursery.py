"""The host's hold on one zygote: its start, a child's birth, its end. The messages are described in zygote.py.

The zygote is started from the caller's own thread, because it and its children are told to die with that thread. After
a failure nothing is left: no process, no descriptor.
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
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from pp_host.limits import LIMITS
from pp_host.sandbox import walls
from pp_host.sandbox.plan import FOREIGN_ID, INNER_ID, SandboxPlan, ZygotePlan

GO: Final = b"go"
_BOOT: Final = (
    "import sys; sys.path.append({source!r})\n"
    "from pp_host.sandbox import {module}\n"
    "entry = {module}.main({arguments}); del sys, {module}\n"
    "entry()"
)


class Zygote:
    """A process that stands ready to make others behind the walls of its room. Whoever holds it closes it."""

    def __init__(self, plan: ZygotePlan) -> None:
        self.children = 0
        self._plan = plan
        with contextlib.ExitStack() as undo, contextlib.ExitStack() as far:
            self._control, far_control = socket_pair(socket.SOCK_SEQPACKET, undo, far)
            self._stderr, far_stderr = pipe(undo, far)
            self._process = subprocess.Popen(
                command("zygote", str(far_control.fileno())),
                env={"PYTHONHASHSEED": str(plan.hash_seed)},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=far_stderr,
                stderr=far_stderr,
                pass_fds=(far_control.fileno(),),
                start_new_session=True,  # Ctrl-C reaches the host only, and a failed start can be swept up whole
            )
            undo.callback(_end_group, self._process)
            self._undo = undo.pop_all()

    async def ready(self) -> None:
        """Wait until its room stands. Raises WallMissing, naming the wall, why, and the remedy; ConnectionError."""
        self._control.send(self._plan.encode())
        while True:
            match await hear(self._control):
                case ["maps"]:
                    _write_maps(self._process.pid)
                    self._control.send(GO)
                case ["refused", str(wall), int(number), str(why)]:
                    raise walls.missing(wall, number, why)
                case ["ready"]:
                    return

    def bear(self, plan: SandboxPlan, fds: Sequence[int]) -> None:
        """Ask for a child, which answers on the control socket among `fds`. Raises ConnectionError when it is gone."""
        self.children += 1
        socket.send_fds(self._control, [plan.encode()], fds)

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def last_words(self) -> str:
        """The last line that it wrote, as part of a message."""
        try:
            lines = (
                os.read(self._stderr, LIMITS.sandbox.last_words_bytes).decode(errors="replace").splitlines()
            )
        except BlockingIOError:
            return ""
        return f": {lines[-1]!r}" if lines else ""

    def close(self) -> None:
        """End it; its living children stay, being the host's. Idempotent."""
        self._undo.close()


def command(module: str, arguments: str) -> list[str]:
    """A bare interpreter, without site or bytecode writing, that runs `main` of one module of this room.

    What that returns is called when no function of ours is waiting any more: a caller's frame shows what it holds.
    """
    boot = _BOOT.format(source=str(Path(__file__).parents[2]), module=module, arguments=arguments)
    return [os.path.realpath(sys.executable), "-s", "-P", "-S", "-B", "-c", boot]


async def hear(control: socket.socket) -> list[Any]:
    """The next message. Raises ConnectionError when there are no more."""
    message, fds = await hear_with_fds(control)
    for fd in fds:
        os.close(fd)
    return message


async def hear_with_fds(control: socket.socket) -> tuple[list[Any], list[int]]:
    """The next message with the descriptors that came with it, which are the caller's then. Raises ConnectionError."""
    while True:
        await _readable(control)
        try:
            data, fds, _, _ = socket.recv_fds(control, LIMITS.sandbox.control_message_bytes, 1)
        except BlockingIOError:
            continue
        except ConnectionResetError:
            continue  # it ended with mail unread; what it said before that comes next
        if not data:
            raise ConnectionError
        return json.loads(data), fds


async def _readable(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    loop.add_reader(sock, lambda: None if ready.done() else ready.set_result(None))
    try:
        await ready
    finally:
        loop.remove_reader(sock)


def _write_maps(pid: int) -> None:
    """Only root comes here: one foreign id, and no groups."""
    process = Path("/proc") / str(pid)
    try:
        (process / "setgroups").write_text("deny")
        (process / "uid_map").write_text(f"{INNER_ID} {FOREIGN_ID} 1")
        (process / "gid_map").write_text(f"{INNER_ID} {FOREIGN_ID} 1")
    except OSError as error:
        raise walls.missing("user namespace", error.errno or 0, str(error)) from None


def _end_group(zygote: subprocess.Popen[bytes]) -> None:
    """A child that the host was not yet told of is still in the zygote's group: it waits for `go` there."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(zygote.pid, signal.SIGKILL)
    zygote.wait()
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-zygote.pid, 0)


def socket_pair(
    kind: socket.SocketKind, near: contextlib.ExitStack, far: contextlib.ExitStack
) -> tuple[socket.socket, socket.socket]:
    here, there = socket.socketpair(socket.AF_UNIX, kind)
    near.callback(here.close)
    far.callback(there.close)
    here.setblocking(False)
    return here, there


def pipe(near: contextlib.ExitStack, far: contextlib.ExitStack) -> tuple[int, int]:
    here, there = os.pipe()
    near.callback(os.close, here)
    far.callback(os.close, there)
    os.set_blocking(here, False)
    os.fchmod(here, 0)  # no mode: where /proc is in reach, its user could open the other end by a path there
    return here, there
