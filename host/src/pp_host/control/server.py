"""The host's side of the control socket: a table of methods, one request per connection.

Laws: whoever opens the server already holds the record's writer lock, so a socket file it finds is a dead
host's. A peer of another user, a malformed frame or a late one gets no answer. A HostError of a handler
travels to the asker; anything else it raises is a bug and ends in the event loop's exception handler.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
from pp_sdk.wire.frames import ERROR, REPLY, REQUEST, Frame, FrameDecoder, ProtocolError, encode

from pp_host.control.channel import READ_BYTES, SOCKET, Ask, Trouble, address, check_peer, only_frame
from pp_host.errors import HostError, Refused
from pp_host.limits import LIMITS

Handler = Callable[[Ask], Awaitable[Mapping[str, Any]]]


class ControlServer:
    """Serves `handlers` by method name on `state`/control.sock while its block runs.

    `kill` answers {"halted": True, "recorded": seq} once both are so; `resume` answers {"recorded": seq}
    once the latch is cleared.
    """

    def __init__(self, state: Path, handlers: Mapping[str, Handler]) -> None:
        self._state = state
        self._handlers = dict(handlers)
        self._busy: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_unix_server(self._serve, sock=_listener(self._state))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        (self._state / SOCKET).unlink(missing_ok=True)
        if self._busy:  # an answer on its way, such as that to `stop`, still arrives
            await asyncio.wait(self._busy, timeout=LIMITS.control.frame_seconds)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._busy.add(task)
        try:
            check_peer(writer.get_extra_info("socket"))
            await self._converse(reader, writer)
        except (OSError, ProtocolError, msgspec.DecodeError):
            pass  # whoever this was gets no answer, and nothing was done
        finally:
            writer.close()
            self._busy.discard(task)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(LIMITS.control.frame_seconds):
            request = await _request(reader)
        answer = await self._answer(request, msgspec.msgpack.decode(request.body, type=Ask))
        async with asyncio.timeout(LIMITS.control.frame_seconds):
            writer.write(answer)
            await writer.drain()

    async def _answer(self, request: Frame, body: Ask) -> bytes:
        handler = self._handlers.get(request.method)
        if handler is None:
            trouble = Trouble(
                f"the host knows no method {request.method}", hint="is it another version of pp?"
            )
            return encode(ERROR, request.id, request.method, trouble)
        try:
            return encode(REPLY, request.id, request.method, await handler(body))
        except HostError as error:
            trouble = Trouble(str(error), error.hint, isinstance(error, Refused))
            return encode(ERROR, request.id, request.method, trouble)
        except OSError as error:  # the handler's own trouble, which the asker must hear of
            trouble = Trouble(f"{request.method}: {error}", hint="pp status tells what holds now")
            return encode(ERROR, request.id, request.method, trouble)


async def _request(reader: asyncio.StreamReader) -> Frame:
    decoder = FrameDecoder()
    frames: list[Frame] = []
    while not frames:
        data = await reader.read(READ_BYTES)
        if not data:
            raise ProtocolError("it hung up")
        frames = decoder.feed(data)
    frame = only_frame(frames, decoder)
    if frame.type != REQUEST:
        raise ProtocolError("not a request")
    return frame


def _listener(state: Path) -> socket.socket:
    (state / SOCKET).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        os.fchmod(listener.fileno(), 0o600)  # before bind: the file is never open to others
        with address(state) as name:
            listener.bind(name)
    except OSError:
        listener.close()
        raise
    return listener
