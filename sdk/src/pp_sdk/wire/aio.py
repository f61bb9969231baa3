"""The host's driver: a connection over a non-blocking socket, on asyncio's event loop.

Laws: one reader for ever, one future per call, no task per call. Control data is never received: descriptors
a plugin tries to pass are dropped by the kernel. What waits to be sent is bounded, and so are the time a frame
may take to arrive and what is taken of one plugin before others have their turn. Whatever ends the channel ends
every open call with the same reason, once.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from msgspec import Struct

from pp_sdk.wire.connection import (
    IN_FLIGHT,
    Connection,
    ErrorReceived,
    EventReceived,
    Received,
    ReplyReceived,
    RequestReceived,
)
from pp_sdk.wire.connection import RemoteError as RemoteError
from pp_sdk.wire.deadlines import Deadlines, Timers
from pp_sdk.wire.frames import ProtocolError
from pp_sdk.wire.messages import METHODS, Failure, Side, State, decode_body
from pp_sdk.wire.outbox import Outbox

MOST_BYTES: Final = 64 * 1024  # read at once


class ChannelClosed(Exception):
    """The channel is over. `cause` is the ProtocolError or OSError that ended it, None after EOF or close."""

    def __init__(self, reason: str, cause: Exception | None = None) -> None:
        super().__init__(reason)
        self.cause = cause


class CallTimeout(Exception):
    """The answer did not come in time; a cancel was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelLimits:
    """What the host puts up with; the numbers are the host's to choose."""

    in_flight: int = IN_FLIGHT
    frame_seconds: float = 5.0
    send_buffer_bytes: int = 4 * 1024 * 1024


class _Call(Struct, frozen=True):
    method: str
    answer: asyncio.Future[Any]


class Channel:
    """The host's end of one plugin's socket, which it owns from now on.

    on_request: called with each request of the plugin; answer it later through `reply` or `fail`, once
    on_event:   called with each event of the plugin
    Neither may raise, except ProtocolError, which ends the channel. `closed` resolves to the reason.
    """

    def __init__(
        self,
        sock: socket.socket,
        on_request: Callable[[RequestReceived], None],
        on_event: Callable[[EventReceived], None],
        *,
        limits: ChannelLimits = ChannelLimits(),  # frozen
        timers: Timers | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        self._on_request = on_request
        self._on_event = on_event
        self._limits = limits
        self._connection = Connection(Side.HOST, in_flight=limits.in_flight)
        self._frames = self._connection.frames
        self._calls: dict[int, _Call] = {}
        self._call_ends = Deadlines(timers or self._loop, self._call_expired)
        self._frame_ends = Deadlines(timers or self._loop, self._frame_expired)
        self._timed: int | None = None  # the half received frame whose deadline runs
        self._outbox = Outbox(self._loop, sock, limits.send_buffer_bytes, self._unsendable)
        self.closed: asyncio.Future[ChannelClosed] = self._loop.create_future()
        sock.setblocking(False)
        self._loop.add_reader(sock.fileno(), self._readable)

    @property
    def state(self) -> State:
        """Where the protocol stands."""
        return self._connection.state

    @property
    def late(self) -> int:
        """How many cancelled calls the plugin has still not answered; 0 again means that it came back."""
        return self._connection.late

    async def call(
        self, method: str, body: Any, *, seconds: float, outer_seconds: float, fds: Sequence[int] = ()
    ) -> Any:
        """Ask the plugin and wait for the reply METHODS names.

        `seconds` stand still while the plugin waits on the host, `outer_seconds` never do. Descriptors ride
        with the frame and stay the caller's. Raises RemoteError, CallTimeout, ChannelClosed; NotNow,
        FrameTooLarge.
        """
        if self.closed.done():
            raise self._over()
        number, data = self._connection.request(method, body)
        answer = self._loop.create_future()
        self._calls[number] = _Call(method, answer)
        self._call_ends.start(number, seconds, outer_seconds)
        try:
            self._outbox.send(data, fds)
            return await answer
        finally:
            if number in self._calls:
                self._give_up(number)

    def reply(self, number: int, body: Any) -> None:
        """Answer a request of the plugin's. Raises FrameTooLarge. Silent once the channel is closed."""
        self._answer(lambda: self._connection.reply(number, body))

    def fail(self, number: int, failure: Failure) -> None:
        """Refuse a request of the plugin's. Silent once the channel is closed."""
        self._answer(lambda: self._connection.fail(number, failure))

    def close(self, reason: str = "closed by the host") -> None:
        """End the channel and every open call. May be called again."""
        self._end(reason, None)

    def _answer(self, encode: Callable[[], bytes]) -> None:
        if not self.closed.done():
            data = encode()
            self._call_ends.resume()
            self._outbox.send(data)

    def _over(self) -> ChannelClosed:
        reason = self.closed.result()
        return ChannelClosed(str(reason), reason.cause)

    def _give_up(self, number: int) -> None:
        del self._calls[number]
        self._call_ends.stop(number)
        if not self.closed.done():
            self._outbox.send(self._connection.cancel(number))

    def _call_expired(self, number: Any) -> None:
        call = self._calls[number]
        self._give_up(number)
        if not call.answer.done():
            call.answer.set_exception(CallTimeout(f"{call.method}: no answer in time"))

    def _frame_expired(self, _: Any) -> None:
        self._violated(ProtocolError(f"a frame took longer than {self._limits.frame_seconds} s to arrive"))

    def _readable(self) -> None:
        try:
            data = self._sock.recv(min(self._frames.wanted, MOST_BYTES))
        except BlockingIOError:
            return
        except OSError as error:
            self._end(f"receiving failed: {error}", error)
            return
        if not data:
            self._end("the plugin closed its end", None)
            return
        try:
            self._take(self._connection.receive(data))
        except ProtocolError as error:
            self._violated(error)

    def _take(self, received: list[Received]) -> None:
        for one in received:
            if self.closed.done():
                return
            if type(one) is ReplyReceived:  # a class pattern costs as much as all the rest of a short reply
                value = decode_body(one.body, METHODS[self._calls[one.id].method].reply)
                call = self._answered(one.id)
                if not call.answer.done():
                    call.answer.set_result(value)
            elif type(one) is ErrorReceived:
                call = self._answered(one.id)
                if not call.answer.done():
                    call.answer.set_exception(RemoteError(one.failure))
            elif type(one) is RequestReceived:
                self._call_ends.pause()
                self._on_request(one)
            elif type(one) is EventReceived:
                self._on_event(one)
        if self._frames.begun != self._timed and not self.closed.done():
            self._time_frame()

    def _answered(self, number: int) -> _Call:
        self._call_ends.stop(number)
        return self._calls.pop(number)

    def _time_frame(self) -> None:
        """A frame has its deadline from its first byte to its last, whatever trickles in between."""
        self._frame_ends.stop(self._timed)
        self._timed = self._frames.begun
        if self._timed is not None:
            self._frame_ends.start(self._timed, self._limits.frame_seconds, self._limits.frame_seconds)

    def _unsendable(self, error: OSError | ProtocolError) -> None:
        self._end(f"sending failed: {error}" if isinstance(error, OSError) else str(error), error)

    def _violated(self, error: ProtocolError) -> None:
        self._end(str(error), error)

    def _end(self, reason: str, cause: Exception | None) -> None:
        if self.closed.done():
            return
        self.closed.set_result(ChannelClosed(reason, cause))
        self._loop.remove_reader(self._sock.fileno())
        self._outbox.close()
        self._sock.close()
        self._call_ends.close()
        self._frame_ends.close()
        calls, self._calls = self._calls, {}
        for call in calls.values():
            if not call.answer.done():
                call.answer.set_exception(ChannelClosed(reason, cause))
