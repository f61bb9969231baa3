"""The blocking driver: a connection over a blocking socket, for the plugin's side and for tests of it.

Laws: one thread, the one that made the peer, reads; any thread may tell events. While a call waits for its
reply, requests that arrive are kept for later. `socket.settimeout` bounds every wait, TimeoutError tells.
"""

from __future__ import annotations

import array
import os
import socket
import threading
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, final

from msgspec import Struct

from pp_sdk.wire.connection import (
    Connection,
    ErrorReceived,
    EventReceived,
    RemoteError,
    ReplyReceived,
    RequestReceived,
)
from pp_sdk.wire.frames import ProtocolError
from pp_sdk.wire.messages import METHODS, Failure, Side, decode_body

RECEIVE_BYTES: Final = 64 * 1024
_MOST_FDS: Final = 4
_LOST: Final = int(
    socket.MSG_CTRUNC
)  # plain numbers: an enum's operators cost more than the rest of a receive
_CLOSE_ON_EXEC: Final = int(socket.MSG_CMSG_CLOEXEC)
_CONTROL_BYTES: Final = socket.CMSG_SPACE(_MOST_FDS * array.array("i").itemsize)


class Cancelled(Exception):
    """The host no longer wants the answer this plugin is working on."""


class Disconnected(ConnectionError):
    """The peer closed its end while an answer was awaited."""


@final
class Request(Struct, frozen=True):
    """A request of the peer's, decoded. `fd` is the receiver's to close."""

    id: int
    method: str
    body: Any
    fd: int | None


class Peer:
    """One end of the socket, which it does not close."""

    def __init__(self, sock: socket.socket, side: Side) -> None:
        self._sock = sock
        self._connection = Connection(side)
        self._thread = threading.get_ident()
        self._lock = threading.Lock()
        self._fds: deque[int] = deque()
        self._inbox: deque[Request | EventReceived] = deque()
        self._awaited = 0
        self._answers: list[ReplyReceived | ErrorReceived] = []
        self._unwanted: set[int] = set()
        self._serving = 0
        self._takes_fds = side is Side.PLUGIN

    def call(self, method: str, body: Any, *, fds: Sequence[int] = ()) -> Any:
        """Ask the peer and wait. Raises RemoteError, Cancelled, Disconnected, ProtocolError; NotNow."""
        if threading.get_ident() != self._thread:
            raise RuntimeError(f"{method}: only the thread that runs the hooks may ask the host")
        with self._lock:
            self._awaited, data = self._connection.request(method, body)
            self._send(data, fds)
        answer = self._wait(method)
        if type(answer) is ErrorReceived:
            raise RemoteError(answer.failure)
        return decode_body(answer.body, METHODS[method].reply)

    def _wait(self, method: str) -> ReplyReceived | ErrorReceived:
        while not self._answers:
            if not self._pump():
                raise Disconnected(f"{method}: the peer closed its end")
            if self._serving in self._unwanted:
                raise Cancelled(f"{method}: the host cancelled request {self._serving}")
        return self._answers.pop()

    def event(self, method: str, body: Any) -> None:
        """Tell the peer, from any thread."""
        with self._lock:
            self._sock.sendall(self._connection.event(method, body))

    def receive(self) -> Request | EventReceived | None:
        """The next request or event, None when the peer has gone. A request becomes the one being served."""
        while True:
            while not self._inbox:
                if not self._pump():
                    return None
            one = self._inbox.popleft()
            if type(one) is EventReceived:
                return one
            if one.id not in self._unwanted:
                self._serving = one.id
                return one
            if one.fd is not None:
                os.close(one.fd)
            self.fail(one.id, Failure(code="cancelled", message=f"{one.method}: cancelled before it began"))

    def reply(self, number: int, body: Any) -> None:
        """Answer a request. Raises FrameTooLarge, and then it still needs an answer."""
        with self._lock:
            self._sock.sendall(self._connection.reply(number, body))
        self._served(number)

    def fail(self, number: int, failure: Failure) -> None:
        """Refuse a request."""
        with self._lock:
            self._sock.sendall(self._connection.fail(number, failure))
        self._served(number)

    def _served(self, number: int) -> None:
        self._serving = 0
        self._unwanted.discard(number)

    def _send(self, data: bytes, fds: Sequence[int]) -> None:
        if not fds:
            self._sock.sendall(data)
            return
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
        sent = self._sock.sendmsg([data], rights)
        self._sock.sendall(memoryview(data)[sent:])

    def _pump(self) -> bool:
        """Receive once; False when the peer has gone. Telling events meanwhile, from other threads, is safe."""
        data = self._receive_bytes()
        for one in self._connection.receive(data):
            if type(one) is RequestReceived:
                self._inbox.append(self._request(one))
            elif type(one) is ReplyReceived or type(one) is ErrorReceived:
                if one.id == self._awaited:  # others were given up
                    self._answers.append(one)
            elif one.method == "cancel":
                self._unwant(decode_body(one.body, METHODS["cancel"].request).id)
            else:
                self._inbox.append(one)
        return bool(data)

    def _unwant(self, number: int) -> None:
        """A cancel; when it crossed the answer there is nothing left to give up."""
        waiting = {one.id for one in self._inbox if isinstance(one, Request)}
        if number == self._serving or number in waiting:
            self._unwanted.add(number)

    def _request(self, received: RequestReceived) -> Request:
        method = METHODS[received.method]
        body = decode_body(received.body, method.request)
        if not method.fds:
            return Request(received.id, received.method, body, None)
        if not self._fds:
            raise ProtocolError(f"{received.method} came without its descriptor")
        return Request(received.id, received.method, body, self._fds.popleft())

    def _receive_bytes(self) -> bytes:
        if not self._takes_fds:  # without room for control data a plugin's descriptors are dropped
            return self._sock.recv(RECEIVE_BYTES)
        data, control, flags, _ = self._sock.recvmsg(RECEIVE_BYTES, _CONTROL_BYTES, _CLOSE_ON_EXEC)
        for level, kind, rights in control:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                self._fds.extend(array.array("i", rights[: len(rights) - len(rights) % 4]))
        if flags & _LOST:
            raise ProtocolError("descriptors were lost")
        return data
