"""The control socket's messages and its asking side: one request and one answer per connection.

Laws: the framing is the plugin wire's. Whoever is at the other end is known by the kernel's word, not by
its own. Every wait has an end.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from pp_sdk.wire.frames import REPLY, REQUEST, Frame, FrameDecoder, ProtocolError, encode

from pp_host.errors import NoHost, OperatorError, Refused

SOCKET = "control.sock"
READ_BYTES = 64 * 1024
_PATH_MOST = 100  # sun_path holds 108 bytes
_PEER = struct.Struct("=iII")  # struct ucred: pid, uid, gid


class Ask(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of every request.

    reason: the operator's words; empty where none are needed
    event, subject: for `record`: what an operator's command did, for the host that holds the record to write down
    """

    reason: str = ""
    event: str = ""
    subject: dict[str, int | str | list[str] | dict[str, str] | None] = {}


class Trouble(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of an error: its message and hint, and whether policy refused."""

    message: str
    hint: str = ""
    refused: bool = False


@contextmanager
def address(state: Path) -> Iterator[str]:
    """The socket's name for bind and connect, also when the home's path is too long for one."""
    path = state / SOCKET
    if len(os.fsencode(path)) <= _PATH_MOST:
        yield str(path)
        return
    folder = os.open(state, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{SOCKET}"
    finally:
        os.close(folder)


def check_peer(connection: socket.socket) -> None:
    """Errors: PermissionError when the other end runs as somebody else."""
    _, uid, _ = _PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    if uid != os.geteuid():
        raise PermissionError(f"the other end of the control socket is user {uid}")


def only_frame(frames: list[Frame], decoder: FrameDecoder) -> Frame:
    """The frame of a side that may say only one thing. Errors: ProtocolError."""
    if len(frames) != 1 or decoder.begun is not None:
        raise ProtocolError("more than one frame")
    return frames[0]


def ask(state: Path, method: str, body: Ask | None = None, *, timeout: float) -> dict[str, Any]:
    """Ask the running host and return its answer; `timeout` seconds bound the whole exchange.

    Errors: NoHost; OperatorError when the host does not answer in time; else the host's own words.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            request = encode(REQUEST, 1, method, body or Ask())
            answer = _exchange(connection, state, request, time.monotonic() + timeout)
        if answer.type == REPLY:
            return msgspec.msgpack.decode(answer.body, type=dict[str, Any])
        trouble = msgspec.msgpack.decode(answer.body, type=Trouble)
    except (FileNotFoundError, ConnectionRefusedError):
        raise NoHost(f"{state.parent}: no host is running", hint="pp run starts one") from None
    except (OSError, ProtocolError, msgspec.DecodeError) as error:
        if isinstance(error, OSError) and error.errno == errno.EACCES:
            what = f"{state / SOCKET}: cannot be reached: {error.strerror}"
            raise OperatorError(what, hint=f"{state} needs your permission to read and write") from None
        hint = "pp kill halts it in any case"
        raise OperatorError(f"{state / SOCKET}: the host does not answer: {error}", hint=hint) from None
    raise (Refused if trouble.refused else OperatorError)(trouble.message, hint=trouble.hint)


def _exchange(connection: socket.socket, state: Path, request: bytes, deadline: float) -> Frame:
    connection.settimeout(_left(deadline))
    with address(state) as name:
        connection.connect(name)
    check_peer(connection)
    connection.sendall(request)
    decoder = FrameDecoder()
    frames: list[Frame] = []
    while not frames:
        connection.settimeout(_left(deadline))
        data = connection.recv(READ_BYTES)
        if not data:
            raise ConnectionError("it hung up")
        frames = decoder.feed(data)
    return only_frame(frames, decoder)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("no answer in time")
    return left
