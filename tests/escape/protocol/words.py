"""How an attack is written down, and the words it is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tests.escape.protocol.foreign import EVENT, REPLY, REQUEST, framed, message, pack
from tests.escape.protocol.stage import GREETING

MIB = 1024 * 1024
DETAIL_CHARACTERS = 300
WISH = {
    "market": "m1", "outcome": "yes", "side": "buy", "probability": 0.5, "confidence": 1.0,
    "limit_price": None, "max_spend": None, "rationale": "",
}  # fmt: skip
Words = Callable[[int], bytes]


class Attack(NamedTuple):
    """`at`: the request that is answered so, or `hello`, or `idle` for unasked; both are given the request's id.

    detail: of the ending, exactly.
    """

    name: str
    at: str
    wrong: Words
    right: Words
    detail: str


def said(data: bytes) -> Words:
    return lambda number: data


def hello(**changes: object) -> bytes:
    return message(EVENT, 0, "hello", GREETING | changes)


def log(text: object = "x", level: object = "info", **more: object) -> bytes:
    return message(EVENT, 0, "log.write", {"level": level, "message": text} | more)


def ask(number: int, method: str = "clock.now", **body: object) -> bytes:
    return message(REQUEST, number, method, body)


def answer(method: str, body: object, kind: int = REPLY) -> Words:
    return lambda number: message(kind, number, method, body)


def decided(*wishes: dict[str, object]) -> Words:
    return answer("decide", {"decisions": list(wishes)})


def spelled(*parts: object) -> bytes:
    """An envelope out of values and, where bytes are given, of what is already spelled."""
    return framed(b"\x94" + b"".join(one if isinstance(one, bytes) else pack(one) for one in parts))


def body_says(what: str) -> str:
    return f"body is not what the protocol says: {what}"


def envelope_says(what: str) -> str:
    return f"not an envelope: {what}"


TOO_DEEP = envelope_says("maximum recursion depth exceeded while deserializing an object")
TRUNCATED = envelope_says("Input data was truncated")


def cut(detail: str) -> str:
    """As the host shortens what a plugin wrote."""
    return detail[:DETAIL_CHARACTERS] + "..."


def framed_wish(changes: dict[str, object]) -> Words:
    """`decide` answered with one wish; bytes among the changes are spelled already."""
    wish = WISH | changes
    spelling = bytes([0x80 | len(wish)]) + b"".join(
        pack(key) + (item if isinstance(item, bytes) else pack(item)) for key, item in wish.items()
    )
    return answer("decide", b"\x81" + pack("decisions") + b"\x91" + spelling)


def raw_ask(number: int, method: str, body: dict[str, object]) -> bytes:
    """A request; bytes in its body are spelled already."""
    parts = [pack(key) + (item if isinstance(item, bytes) else pack(item)) for key, item in body.items()]
    return message(REQUEST, number, method, bytes([0x80 | len(body)]) + b"".join(parts))
