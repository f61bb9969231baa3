"""Bytes and descriptors on their way out of a non-blocking socket.

Laws: what the kernel does not take at once waits in order, and what may wait is bounded: a peer that never reads
is a violation, not a leak. A descriptor that has to wait is a duplicate of our own, closed once it was sent.
"""

from __future__ import annotations

import array
import asyncio
import os
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from pp_sdk.wire.frames import ProtocolError

WAITING_BYTES: Final = 512  # what a frame that waits costs in memory besides its own bytes; 450 measured


class _Waiting(NamedTuple):
    data: memoryview
    fds: Sequence[int]


class Outbox:
    """Sends in order; `failed` is told of the OSError or ProtocolError that makes sending impossible."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        most_bytes: int,
        failed: Callable[[OSError | ProtocolError], None],
    ) -> None:
        self._loop = loop
        self._sock = sock
        self._most_bytes = most_bytes
        self._failed = failed
        self._waiting: deque[_Waiting] = deque()
        self._held_bytes = 0  # of all that wait, what they cost included

    def send(self, data: bytes, fds: Sequence[int] = ()) -> None:
        """Send now, or as soon as there is room. Descriptors ride with the first byte and stay the caller's."""
        sent = 0
        if not self._waiting:
            try:
                sent = self._sendmsg(data, fds)
            except OSError as error:
                self._failed(error)
                return
            if sent == len(data):
                return
            self._loop.add_writer(self._sock.fileno(), self._writable)
        self._waiting.append(_Waiting(memoryview(data)[sent:], () if sent else [os.dup(fd) for fd in fds]))
        self._held_bytes += len(data) - sent + WAITING_BYTES
        if self._held_bytes > self._most_bytes:
            self._failed(ProtocolError("the plugin does not read what it is sent"))

    def close(self) -> None:
        """Forget what waits."""
        self._loop.remove_writer(self._sock.fileno())
        while self._waiting:
            _close(self._waiting.popleft().fds)
        self._held_bytes = 0

    def _sendmsg(self, data: bytes | memoryview, fds: Sequence[int]) -> int:
        try:
            if not fds:
                return self._sock.send(data)
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
            return self._sock.sendmsg([data], rights)
        except BlockingIOError:
            return 0

    def _writable(self) -> None:
        while self._waiting:
            data, fds = self._waiting[0]
            try:
                sent = self._sendmsg(data, fds)
            except OSError as error:
                self._failed(error)
                return
            if not sent:
                return
            _close(fds)
            self._held_bytes -= sent
            if sent < len(data):
                self._waiting[0] = _Waiting(data[sent:], ())
                return
            self._waiting.popleft()
            self._held_bytes -= WAITING_BYTES
        self._loop.remove_writer(self._sock.fileno())


def _close(fds: Sequence[int]) -> None:
    for fd in fds:
        os.close(fd)
