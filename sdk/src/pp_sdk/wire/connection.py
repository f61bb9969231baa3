"""One end of a connection: what may be said next, and which answers are still owed.

Laws: no I/O and no clock; a driver moves the bytes. Ids rise, odd from the host and even from the plugin, so
an id names one request for ever. Every request is answered once, by a reply or an error, also after a cancel:
then the answer is dropped, because it crossed the cancel. Anything else that does not fit METHODS raises
ProtocolError.
"""

from __future__ import annotations

from typing import Any, Final, final

from msgspec import Raw, Struct

from pp_sdk.wire.frames import ERROR, EVENT, REPLY, REQUEST, Frame, FrameDecoder, ProtocolError, encode
from pp_sdk.wire.messages import METHODS, Cancel, Failure, Side, State, decode_body

IN_FLIGHT: Final = 64  # requests one side may leave unanswered


class NotNow(RuntimeError):
    """Our own side wanted to say something the protocol does not allow at this point."""


class RemoteError(Exception):
    """The peer answered with an error."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.code}: {failure.message}")
        self.failure = failure


@final
class RequestReceived(Struct, frozen=True):
    id: int
    method: str
    body: Raw


@final
class ReplyReceived(Struct, frozen=True):
    id: int
    body: Raw


@final
class ErrorReceived(Struct, frozen=True):
    id: int
    failure: Failure


@final
class EventReceived(Struct, frozen=True):
    method: str
    body: Raw


# Which of them it is, a hot path asks by `type(one) is ...`: of these classes isinstance says no slowly.
Received = RequestReceived | ReplyReceived | ErrorReceived | EventReceived


SAYABLE: Final = {
    (side, state): {
        name: method for name, method in METHODS.items() if method.sender is side and state in method.states
    }
    for side in Side
    for state in State
}


class Connection:
    """The protocol as seen from `side`. `frames`: what the peer has begun and not finished."""

    def __init__(self, side: Side, *, in_flight: int = IN_FLIGHT) -> None:
        self.side = side
        self._peer = Side.PLUGIN if side is Side.HOST else Side.HOST
        self._in_flight = in_flight
        self.frames = FrameDecoder()
        self._last_id = -1 if side is Side.HOST else 0
        self._peer_last_id = 0 if side is Side.HOST else -1
        self._asked: dict[int, str] = {}  # our requests without an answer
        self._cancelled: dict[int, str] = {}  # of those, the ones whose answer will be dropped
        self._owed: dict[int, str] = {}  # the peer's requests without an answer
        self.enter(State.OPENED)

    def enter(self, state: State) -> None:
        """Move to `state`; messages do that by themselves."""
        self.state = state
        self._ours = SAYABLE[self.side, state]
        self._theirs = SAYABLE[self._peer, state]

    @property
    def late(self) -> int:
        """How many cancelled requests the peer has not answered yet."""
        return len(self._cancelled)

    def request(self, name: str, body: Any) -> tuple[int, bytes]:
        """A request's id and its frame. Raises NotNow, FrameTooLarge."""
        if name not in self._ours:
            raise NotNow(f"{name!r} from the {self.side} while {self.state}")
        if len(self._asked) + len(self._cancelled) >= self._in_flight:
            raise NotNow(f"{self._in_flight} requests are unanswered")
        number = self._last_id + 2
        data = encode(REQUEST, number, name, body)
        self._last_id = number
        self._asked[number] = name
        if name == "stop":
            self.enter(State.STOPPING)
        return number, data

    def event(self, name: str, body: Any) -> bytes:
        """An event's frame. Raises NotNow, FrameTooLarge."""
        if name not in self._ours:
            raise NotNow(f"{name!r} from the {self.side} while {self.state}")
        data = encode(EVENT, 0, name, body)
        self._move(METHODS[name].moves)
        return data

    def cancel(self, number: int) -> bytes:
        """Give up a request; its answer will be dropped."""
        self._cancelled[number] = self._asked.pop(number)
        return self.event("cancel", Cancel(id=number))

    def reply(self, number: int, body: Any) -> bytes:
        """The answer to a request of the peer's. Raises FrameTooLarge, and then the request is still owed."""
        name = self._owed[number]
        data = encode(REPLY, number, name, body)
        del self._owed[number]
        self._move(METHODS[name].moves)
        return data

    def fail(self, number: int, failure: Failure) -> bytes:
        """The refusal of a request of the peer's."""
        return encode(ERROR, number, self._owed.pop(number), failure)

    def receive(self, data: bytes) -> list[Received]:
        """What the peer said. Raises ProtocolError; the connection is of no use after that."""
        received: list[Received] = []
        for frame in self.frames.feed(data):
            if frame.type == REPLY or frame.type == ERROR:
                answer = self._answer_received(frame)
                if answer is not None:
                    received.append(answer)
                continue
            method = self._theirs.get(frame.method)
            if method is None or (method.reply is None) is not (frame.type == EVENT):
                raise self._unsayable(frame)
            if frame.type == REQUEST:
                received.append(self._request_received(frame))
            else:
                self._move(method.moves)
                received.append(EventReceived(frame.method, frame.body))
        return received

    def _request_received(self, frame: Frame) -> RequestReceived:
        number, name = frame.id, frame.method
        if number <= self._peer_last_id or (number - self._peer_last_id) % 2:
            raise ProtocolError(
                f"request id {number} after {self._peer_last_id}: ids rise and keep their parity"
            )
        if len(self._owed) >= self._in_flight:
            raise ProtocolError(f"more than {self._in_flight} requests unanswered")
        self._peer_last_id = number
        self._owed[number] = name
        if name == "stop":
            self.enter(State.STOPPING)
        return RequestReceived(number, name, frame.body)

    def _answer_received(self, frame: Frame) -> ReplyReceived | ErrorReceived | None:
        number = frame.id
        crossed = number in self._cancelled
        name = (self._cancelled if crossed else self._asked).pop(number, None)
        if name is None:
            raise ProtocolError(f"an answer to {number}, which is not open")
        if name != frame.method:
            raise ProtocolError(f"an answer to {name!r} that says it is {frame.method!r}")
        if frame.type == ERROR:
            failure: Failure = decode_body(frame.body, Failure)
            return None if crossed else ErrorReceived(number, failure)
        self._move(METHODS[name].moves)
        return None if crossed else ReplyReceived(number, frame.body)

    def _unsayable(self, frame: Frame) -> ProtocolError:
        method = METHODS.get(frame.method)
        event = frame.type == EVENT
        if method is None or method.sender is self.side or (method.reply is None) is not event:
            return ProtocolError(f"{frame.method!r} is nothing this peer may say")
        return ProtocolError(f"{frame.method!r} while {self.state}")

    def _move(self, state: State | None) -> None:
        if state is not None and self.state is not State.STOPPING:
            self.enter(state)
