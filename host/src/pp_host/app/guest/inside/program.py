"""Becomes a foreign program when the host asks it for the first time, and so never answers.

By then the host has judged the walls; whatever the filter binds, it binds across execve.
"""

from __future__ import annotations

import os
import signal
import socket
from typing import Final

from pp_sdk.runner import greet
from pp_sdk.wire.blocking import Peer, Request
from pp_sdk.wire.messages import Done, Failure, Loaded, Side

_IGNORED_BY_PYTHON: Final = (signal.SIGPIPE, signal.SIGXFSZ)


def main(rpc_fd: int, selfcheck: dict[str, int]) -> None:
    """Returns only where the program cannot be started: the host is told why."""
    with socket.socket(fileno=rpc_fd) as sock:
        peer = Peer(sock, Side.PLUGIN)
        greet(peer, selfcheck)
        load = _request(peer)
        os.close(load.fd or 0)
        peer.reply(load.id, Loaded(hooks=["snapshot"]))
        configure = _request(peer)
        peer.reply(configure.id, Done())
        begin = _request(peer)
        peer.fail(begin.id, Failure(code="not_started", message=_start(**configure.body.config)))
        _request(peer)


def _request(peer: Peer) -> Request:
    request = peer.receive()
    assert isinstance(request, Request)
    return request


def _start(program: str, words: list[str]) -> str:
    for number in _IGNORED_BY_PYTHON:
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execve(program, words, {})  # noqa: S606  # what is started was put into the room for that
    except OSError as error:
        return str(error.strerror)
