"""The plugin process's loop, from the first frame to the last.

Laws: started by the sandbox after the last wall is up. It says hello with what the walls' self-check found
and answers one request after the other; nothing here decides anything. The one descriptor it uses is the
socket to the host; when that closes, or the host speaks nonsense, the process ends.
"""

from __future__ import annotations

import socket
import sys
from contextlib import suppress

from pp_sdk import __version__
from pp_sdk.host import attached, presentable
from pp_sdk.session import Session
from pp_sdk.wire.blocking import Peer, Request
from pp_sdk.wire.frames import FrameTooLarge
from pp_sdk.wire.messages import PROTOCOL, Failure, Hello, Side


def main(rpc_fd: int, selfcheck: dict[str, int]) -> None:
    """Serve the host on `rpc_fd` until it says stop or hangs up. ProtocolError: it speaks nonsense."""
    with socket.socket(fileno=rpc_fd) as sock, suppress(ConnectionError):
        peer = Peer(sock, Side.PLUGIN)
        with attached(peer):
            serve(peer, Session(), selfcheck)


def serve(peer: Peer, session: Session, selfcheck: dict[str, int]) -> None:
    """Say hello, then answer every request in its order."""
    greet(peer, selfcheck)
    while isinstance(request := peer.receive(), Request):
        answer = session.answer(request)
        if isinstance(answer, Failure):
            peer.fail(request.id, answer)
            continue
        try:
            peer.reply(request.id, answer)
        except FrameTooLarge as error:
            peer.fail(request.id, Failure(code="too_large", message=presentable(error)))
        if request.method == "stop":
            return


def greet(peer: Peer, selfcheck: dict[str, int]) -> None:
    """The first word: who is here, and which walls it has felt."""
    python = sys.version.split()[0]
    peer.event("hello", Hello(protocol=PROTOCOL, sdk=__version__, python=python, selfcheck=selfcheck, ext={}))
