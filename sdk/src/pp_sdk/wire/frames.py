"""Frames: a length, then one msgpack array `[type, id, method, body]`.

Laws: bytes in, frames out, no I/O. A length is judged before anything is kept for it. The envelope is typed
and has one spelling: what does not encode back to the very same bytes is refused. The body stays raw here, so
that nothing is ever decoded without the type its method prescribes.
"""

from __future__ import annotations

import re
import struct
from functools import lru_cache
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Raw, Struct

REQUEST, REPLY, ERROR, EVENT = 0, 1, 2, 3
FRAME_BYTES: Final = 1024 * 1024  # after the length; a table of 2,000 markets fits
LENGTH_BYTES: Final = 4
LITTLE_BYTES: Final = 1024
MOST_ID: Final = 2**53 - 1  # every language's numbers hold it
MESSAGE_CHARACTERS: Final = 300


class ProtocolError(Exception):
    """The peer broke the protocol; the connection is over. The message is short, whatever of the peer's it quotes."""

    def __init__(self, what: str) -> None:
        super().__init__(what if len(what) <= MESSAGE_CHARACTERS else f"{what[:MESSAGE_CHARACTERS]}...")


class FrameTooLarge(ValueError):
    """What we wanted to send does not fit into one frame."""


class Frame(Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """One envelope. Events have id 0, everything else an id above 0."""

    type: Annotated[int, Meta(ge=REQUEST, le=EVENT)]
    id: Annotated[int, Meta(ge=0, le=MOST_ID)]
    method: Annotated[str, Meta(max_length=64)]
    body: Raw


_LENGTH: Final = struct.Struct("<I")
_DECODER: Final = msgspec.msgpack.Decoder(Frame)
_ENCODER: Final = msgspec.msgpack.Encoder()


def encode(type: int, id: int, method: str, body: Any) -> bytes:  # noqa: A002  # the envelope's own field names
    """One frame, length included. Raises FrameTooLarge."""
    payload = _ENCODER.encode((type, id, method, body))
    if len(payload) > FRAME_BYTES:
        raise FrameTooLarge(f"{method}: {len(payload)} bytes, a frame holds {FRAME_BYTES}")
    return _LENGTH.pack(len(payload)) + payload


def decode(payload: bytes) -> Frame:
    """One envelope without its length. Raises ProtocolError."""
    try:
        frame = _DECODER.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolError(f"not an envelope: {error}") from error
    if not _is_method(frame.method):
        raise ProtocolError("not a method's name")
    if _ENCODER.encode(frame) != payload:
        raise ProtocolError("envelope is not canonical")
    if (frame.type == EVENT) != (frame.id == 0):
        raise ProtocolError("events have id 0, nothing else has")
    return frame


@lru_cache(maxsize=128)
def _is_method(name: str) -> bool:
    return re.fullmatch(r"[a-z][a-z0-9_.]{0,63}", name) is not None


class FrameDecoder:
    """Collects bytes until frames are whole.

    begun: the number of the frame that has begun and is not whole, None between frames: what a deadline is for.
    wanted: how many bytes to read next: little, so that short frames by the thousand come in turns with what others
    send, but all that a long frame still lacks.
    """

    def __init__(self) -> None:
        self.begun: int | None = None
        self.wanted = LITTLE_BYTES
        self._buffer = bytearray()
        self._whole = 0

    def feed(self, data: bytes) -> list[Frame]:
        """The frames completed by `data`, in order. Raises ProtocolError."""
        buffer = self._buffer
        size = len(data) - LENGTH_BYTES
        if not buffer and 0 < size <= FRAME_BYTES and _LENGTH.unpack_from(data) == (size,):
            self._whole += 1
            return [decode(data[LENGTH_BYTES:])]  # nearly always: one read, one frame
        buffer += data
        frames: list[Frame] = []
        start = lacking = 0
        while len(buffer) - start >= LENGTH_BYTES:
            (length,) = _LENGTH.unpack_from(buffer, start)
            if not 0 < length <= FRAME_BYTES:
                raise ProtocolError(f"a frame of {length} bytes; 1..{FRAME_BYTES} are allowed")
            end = start + LENGTH_BYTES + length
            if len(buffer) < end:
                lacking = end - len(buffer)
                break
            frames.append(decode(bytes(buffer[start + LENGTH_BYTES : end])))
            start = end
        del buffer[:start]
        self._whole += len(frames)
        self.begun = self._whole if buffer else None
        self.wanted = max(LITTLE_BYTES, lacking)
        return frames
