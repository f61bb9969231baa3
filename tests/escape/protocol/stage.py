"""The host's own supervisor, wire and broker in one event loop, with plugins that are only a pid: what they say is the
test's, byte by byte."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import anyio
import psutil
from pp_host.broker.asker import Asker, Means, OwnLines, OwnValues
from pp_host.broker.quota import PerCall
from pp_host.broker.table import Broker, Desk
from pp_host.clock import SystemClock
from pp_host.limits import LIMITS
from pp_host.model import PluginRef
from pp_host.sandbox.launch import Jailed
from pp_host.sandbox.plan import SandboxPlan
from pp_host.supervisor import process
from pp_host.supervisor.life import Life
from pp_host.supervisor.spec import PluginSpec
from pp_host.supervisor.supervised import Supervised
from pp_host.trust import archive
from pp_sdk.memfd import seal
from pp_sdk.table import MarketRow, build
from pp_sdk.wire import messages

from tests.escape.protocol.foreign import EVENT, REPLY, REQUEST, message, split

GREETING = {"protocol": 1, "sdk": "raw", "python": "none", "selfcheck": {}, "ext": {}}
ANSWERS: dict[str, Any] = {
    "load": {"hooks": ["decide"]},
    "configure": {},
    "decide": {"decisions": []},
    "stop": {},
}
TABLE = build([MarketRow(id="m1", yes_asks=((400_000, 5_000_000),))])
Speech = Callable[[socket.socket], Awaitable[None]]


def spec_of(name: str, seed: int, **changes: Any) -> PluginSpec:
    fields: dict[str, Any] = {
        "ref": PluginRef(f"test.{name}", "1.0.0", "0" * 64),
        "kind": "agent",
        "archive": archive.write({"agent.py": b"plugin = object()\n"}),
        "module": "agent",
        "object": "plugin",
        "hooks": ("decide",),
        "config": {"edge": 3},
        "seed": seed,
        "hash_seed": seed,
        "grant": "g",
        "level": "L3",
        "venues": None,
        "account": None,
        "events": None,
        "detail": "none",
        "memory_mb": 192,
        "tmp_mb": 0,
        "cpu_seconds": 5.0,
        "wall_seconds": 5.0,
        "outer_seconds": 10.0,
    }
    return PluginSpec(**(fields | changes))


class Record:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, str, dict[str, Any]]] = []

    def append(self, event: str, subject: Any, *, plugin: PluginRef | None = None, **_: Any) -> int:
        self.entries.append((event, plugin.id if plugin else "", dict(subject)))
        return len(self.entries)

    def of(self, event: str, plugin: Supervised) -> list[dict[str, Any]]:
        return [subject for name, who, subject in self.entries if (name, who) == (event, plugin.spec.ref.id)]


class Bodies:
    """`launch` for processes that only exist; each is spoken for by the speech that belongs to its seed."""

    def __init__(self) -> None:
        self.speeches: dict[int, Speech] = {}
        self.speaking: set[asyncio.Task[None]] = set()

    async def launch(self, plan: SandboxPlan, *, timeout_seconds: float) -> Jailed:
        ours, theirs = socket.socketpair()
        pid = os.posix_spawn("/bin/sleep", ["sleep", "1000"], {})  # noqa: ASYNC221  # spawns, and does not wait
        pipes = [os.pipe() for _ in range(2)]
        for near, far in pipes:
            os.set_blocking(near, False)
            os.close(far)
        ours.setblocking(False)
        theirs.setblocking(False)
        task = asyncio.get_running_loop().create_task(
            self._speak(self.speeches[plan.hash_seed], theirs, os.pidfd_open(pid))
        )
        self.speaking.add(task)
        return Jailed(pid, os.pidfd_open(pid), ours, pipes[0][0], pipes[1][0])

    async def _speak(self, speech: Speech, sock: socket.socket, pidfd: int) -> None:
        """Its process ends when it has answered `stop`, and otherwise lives on."""
        try:
            with sock, suppress(ConnectionError, ProcessLookupError):
                await speech(sock)
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        finally:
            os.close(pidfd)


def speaking(**moments: Callable[[socket.socket, int], Awaitable[None]]) -> Speech:
    """Answers like anybody, except at these moments: `hello`, the name of a request, or `idle` when it was configured.

    Each is awaited with the socket and the request's id, and says whatever it likes.
    """

    async def speak(sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        if "hello" in moments:
            await moments["hello"](sock, 0)
        else:
            await loop.sock_sendall(sock, message(EVENT, 0, "hello", GREETING))
        rest = b""
        while data := await loop.sock_recv(sock, 65536):
            frames, rest = split(rest + data)
            for kind, number, method, _ in frames:
                if kind != REQUEST:
                    continue
                if method in moments:
                    await moments[method](sock, number)
                else:
                    await loop.sock_sendall(sock, message(REPLY, number, method, ANSWERS[method]))
                if method == "configure" and "idle" in moments:
                    await moments["idle"](sock, 0)
                if method == "stop":
                    return
        raise ConnectionAbortedError

    return speak


class Stage:
    """Supervised plugins on one broker and one record."""

    def __init__(self, values: OwnValues | None = None, lines: OwnLines | None = None) -> None:
        self.record = Record()
        self._broker = Broker(Means(SystemClock(), self.record))
        self._values, self._lines = values, lines
        self._plugins: list[Supervised] = []

    def plugin(self, spec: PluginSpec) -> Supervised:
        # what the tests put in the place of `process.launch`
        launched = lambda plan, **how: process.launch(plan, **how)  # noqa: E731
        made = Supervised(
            spec, self.record, SystemClock(), self._desk, lambda _: None, lambda *_: None, launched
        )
        self._plugins.append(made)
        return made

    def _desk(self, spec: PluginSpec) -> Desk:
        (plugin,) = (one for one in self._plugins if one.spec is spec)
        asker = Asker(
            spec.ref,
            spec.grant,
            writes=PerCall(LIMITS.keep.writes_per_call, plugin),
            refusals=PerCall(LIMITS.wire.refusals_per_call, plugin),
            log_lines=PerCall(LIMITS.wire.log_lines_per_call, plugin),
            values=self._values,
            lines=self._lines,
        )
        return Desk(self._broker, asker)


async def decide(plugin: Supervised) -> messages.Decided:
    """One call of `decide` with a small table."""
    fd = seal(TABLE.block)
    plugin.calls += 1
    try:
        body = messages.Decide(now=1, table_bytes=len(TABLE.block), account=None)
        answer: messages.Decided = await plugin.call("decide", body, fds=(fd,))
        return answer
    finally:
        os.close(fd)


class Beside:
    """The honest plugin, called without a pause: how often it answered, how long it took at most, and what the host
    held at most meanwhile."""

    def __init__(self, plugin: Supervised) -> None:
        self.answers = 0
        self.longest = 0.0
        self.held = 0
        self._plugin = plugin
        self._self = psutil.Process()

    async def run(self) -> None:
        await self._plugin.tried.wait()
        while True:
            begun = anyio.current_time()
            await decide(self._plugin)
            self.longest = max(self.longest, anyio.current_time() - begun)
            self.answers += 1
            self.held = max(self.held, self._self.memory_info().rss)
            await anyio.sleep(0.001)

    async def again(self) -> None:
        """Return after two more answers: the second was asked for afterwards."""
        enough = self.answers + 2
        while self.answers < enough:
            await anyio.sleep(0.001)


async def fallen(plugin: Supervised) -> None:
    """Return once it runs no more."""
    while plugin.life not in (Life.QUARANTINED, Life.STOPPED, Life.BACKOFF):
        await anyio.sleep(0.002)


def descriptors() -> set[str]:
    """What this process has open, by number and what it is."""
    found = set()
    for number in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # the listing's own
            found.add(f"{number} {os.readlink(f'/proc/self/fd/{number}')}")
    return found


def children() -> set[int]:
    """Processes of ours that are alive or unreaped, of every thread."""
    found = set()
    for task in os.listdir("/proc/self/task"):
        with (
            suppress(FileNotFoundError, ProcessLookupError),
            open(f"/proc/self/task/{task}/children") as listed,
        ):
            found |= {int(pid) for pid in listed.read().split()}
    return found
