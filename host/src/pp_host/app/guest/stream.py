"""A file of bytes as a plugin's side of the connection, and how the host fares with it."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import anyio
import psutil
from pp_sdk.memfd import seal
from pp_sdk.types import SnapshotRequest

from pp_host.app.guest.visit import Visit, admitted, contents, late, plan_with, spec_of
from pp_host.clock import SystemClock
from pp_host.errors import PluginError, WallMissing
from pp_host.limits import LIMITS
from pp_host.sandbox.launch import Jailed
from pp_host.supervisor.process import PluginProcess
from pp_host.trust.manifest import PluginLimits

_LOOK_SECONDS = 0.02  # between two looks at the host's memory


class After(StrEnum):
    """What was said in good faith before the stream, by the state of the connection it led to."""

    OPENED = "opened"
    GREETED = "greeted"
    LOADED = "loaded"
    RUNNING = "running"


@dataclass(frozen=True, slots=True)
class Heard:
    """`accepted`: messages of the stream that the host took; `growth`: the most its memory grew, in bytes."""

    visit: Visit
    accepted: int
    growth: int


async def send_stream(file: Path, after: After, limits: PluginLimits) -> Heard:
    """Raises OperatorError for a file that cannot be read, Refused where a wall is missing."""
    stream = contents(file, LIMITS.sandbox.stream_bytes)
    spec = spec_of(b"\0", limits)
    arrival = admitted(spec, plan_with(spec, "peer", after), lambda jailed: _hand_over(jailed, stream))
    async with arrival as guest, _watched() as memory:
        loop = asyncio.get_running_loop()
        loop.call_later(limits.wall_seconds_per_call, guest.process.end, *late(limits))
        await _listen(guest.process, after)
        visit = await guest.left()
    return Heard(visit, visit.accepted - list(After).index(after), memory.growth)


async def _listen(process: PluginProcess, after: After) -> None:
    """The handshake and one call, as with any plugin. How either failed, the ending tells."""
    now = SystemClock().now()
    try:
        with suppress(PluginError):
            await process.prepare(now)
            await process.call("snapshot", SnapshotRequest(now=now))
    except WallMissing:
        if after is not After.OPENED:  # else the stream's own hello lied about the walls
            raise


def _hand_over(jailed: Jailed, stream: bytes) -> None:
    fd = seal(stream)
    try:
        socket.send_fds(jailed.rpc, [b"\0"], [fd])
    finally:
        os.close(fd)


class _Memory:
    """What this process holds, against what it held at first."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._first: int = self._process.memory_info().rss
        self.growth = 0

    def look(self) -> None:
        self.growth = max(self.growth, self._process.memory_info().rss - self._first)


@asynccontextmanager
async def _watched() -> AsyncIterator[_Memory]:
    memory = _Memory()
    looking = asyncio.create_task(_look(memory))
    try:
        yield memory
        memory.look()
    finally:
        looking.cancel()


async def _look(memory: _Memory) -> None:
    while True:
        memory.look()
        await anyio.sleep(_LOOK_SECONDS)
