"""A plugin's side of the connection that says what it was given to say, from an agreed point on, and reads nothing.

The bytes come as sealed memory over the connection itself, before the first frame. A stream that ends within a frame
is left at that: the frame's deadline is the host's to keep.
"""

from __future__ import annotations

import os
import socket
import time
from functools import partial
from typing import Any, Final

from pp_sdk.memfd import unseal
from pp_sdk.runner import greet
from pp_sdk.wire.blocking import Peer, Request
from pp_sdk.wire.frames import LENGTH_BYTES
from pp_sdk.wire.messages import Done, Loaded, Side

_LINGER_SECONDS: Final = 1.0  # for the host to judge the last message before it sees an end


def main(answers: tuple[Any, ...] | None, rpc_fd: int, selfcheck: dict[str, int]) -> None:
    """Before the stream come a hello and `answers` to the host's first questions, of which one more is heard, so that
    the host stands where it should. None: not even a hello.
    """
    with socket.socket(fileno=rpc_fd) as sock:
        _, (fd, *_), _, _ = socket.recv_fds(sock, 1, 1)
        stream = unseal(fd, os.fstat(fd).st_size)
        if answers is not None:
            peer = Peer(sock, Side.PLUGIN)
            greet(peer, selfcheck)
            for answer in answers:
                peer.reply(_asked(peer), answer)
            _asked(peer)
        sock.sendall(stream)
        time.sleep(_LINGER_SECONDS if _ends_whole(stream) else 1e6)


def _asked(peer: Peer) -> int:
    """The id of the host's next question."""
    request = peer.receive()
    assert isinstance(request, Request)
    return request.id


def _ends_whole(stream: memoryview) -> bool:
    at = 0
    while at < len(stream):
        at += LENGTH_BYTES + int.from_bytes(stream[at : at + LENGTH_BYTES], "little")
    return at == len(stream)


opened = partial(main, None)
greeted = partial(main, ())
loaded = partial(main, (Loaded(hooks=[]),))
running = partial(main, (Loaded(hooks=[]), Done()))
