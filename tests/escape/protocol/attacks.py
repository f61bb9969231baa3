"""Every way to break the protocol that a table can hold: what is said, at which moment, and how it ends.

Each row has the same words made right, which must pass: an attack whose twin does not pass proves nothing.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple

from tests.escape.protocol.foreign import ERROR, EVENT, REPLY, REQUEST, framed, message, pack
from tests.escape.protocol.stage import ANSWERS, GREETING

MIB = 1024 * 1024
DETAIL_CHARACTERS = 300
WISH = {
    "market": "m1", "outcome": "yes", "side": "buy", "probability": 0.5, "confidence": 1.0,
    "limit_price": None, "max_spend": None, "rationale": "",
}  # fmt: skip
Words = Callable[[int], bytes]


class Attack(NamedTuple):
    """`at`: the request that is answered so, or `hello`, or `idle` for unasked; both speeches are given its id.

    detail: of the ending, exactly. refused: what a refused request is told, where the plugin goes on.
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


def lengths() -> list[Attack]:
    over = "a frame of {} bytes; 1..1048576 are allowed"
    rows = [
        ("no bytes", struct.pack("<I", 0), 0),
        ("a byte more than may be", struct.pack("<I", MIB + 1) + bytes(MIB + 1), MIB + 1),
        ("four gibibytes", b"\xff" * 4, 2**32 - 1),
        ("two gibibytes, as a signed number would be", b"\x00\x00\x00\x80", 2**31),
        ("big-endian", struct.pack(">I", 80) + bytes(80), 80 << 24),
        ("HTTP", b"GET / HTTP/1.1\r\nHost: pp\r\n\r\n", int.from_bytes(b"GET ", "little")),
        ("JSON", b'{"jsonrpc":"2.0","method":"hello"}', int.from_bytes(b'{"js', "little")),
        ("a pickle", b"\x80\x04\x95\x10\x00\x00\x00", int.from_bytes(b"\x80\x04\x95\x10", "little")),
    ]
    found = [Attack(f"a frame of {name}", "hello", said(data), said(hello()), over.format(n)) for name, data, n in rows]
    found += [
        Attack(
            "a frame longer than its envelope", "idle",
            said(framed(log()[4:] + b"\x00")), said(framed(log()[4:])),
            envelope_says("MessagePack data is malformed: trailing characters (byte 35)"),
        ),
        Attack(
            "a frame shorter than its envelope", "idle",
            said(framed(log()[4:-1])), said(log()),
            envelope_says("Input data was truncated"),
        ),
        Attack(
            "the largest frame, of nothing", "idle",
            said(framed(bytes(MIB))), said(log("x" * 4000)),
            envelope_says("Expected `array`, got `int`"),
        ),
    ]  # fmt: skip
    return found


def envelopes() -> list[Attack]:
    body = {"level": "info", "message": "x"}
    plain = said(log())
    says = [
        ("three elements", framed(b"\x93" + log()[5:]), envelope_says("Expected `array` of at least length 4, got 3")),
        ("five elements", framed(b"\x95" + log()[5:] + b"\xc0"), envelope_says("Expected `array` of at most length 4, got 5")),
        ("a map for an envelope", framed(b"\x84" + log()[5:]), envelope_says("Expected `array`, got `object`")),
        ("array16 for four", framed(b"\xdc\x00\x04" + log()[5:]), "envelope is not canonical"),
        ("type 4", spelled(4, 0, "log.write", body), envelope_says("Expected `int` <= 3 - at `$[0]`")),
        ("type -1", spelled(-1, 0, "log.write", body), envelope_says("Expected `int` >= 0 - at `$[0]`")),
        ("true for a type", spelled(True, 0, "log.write", body), envelope_says("Expected `int`, got `bool` - at `$[0]`")),
        ("3.0 for a type", spelled(3.0, 0, "log.write", body), envelope_says("Expected `int`, got `float` - at `$[0]`")),
        ("uint8 for a type", spelled(b"\xcc\x03", 0, "log.write", body), "envelope is not canonical"),
        ("an event with an id", spelled(EVENT, 2, "log.write", body), "events have id 0, nothing else has"),
        ("false for an id", spelled(EVENT, False, "log.write", body), envelope_says("Expected `int`, got `bool` - at `$[1]`")),
        ("nil for an id", spelled(EVENT, None, "log.write", body), envelope_says("Expected `int`, got `None` - at `$[1]`")),
        ("a string for an id", spelled(EVENT, "0", "log.write", body), envelope_says("Expected `int`, got `str` - at `$[1]`")),
        ("uint64 for id 0", spelled(EVENT, b"\xcf" + bytes(8), "log.write", body), "envelope is not canonical"),
        ("bytes for a method", spelled(EVENT, 0, b"\xc4\x09log.write", body), envelope_says("Expected `str`, got `bytes` - at `$[2]`")),
        ("str8 for a short method", spelled(EVENT, 0, b"\xd9\x09log.write", body), "envelope is not canonical"),
        ("a method that is no UTF-8", spelled(EVENT, 0, b"\xa9log.writ\xff", body),
         envelope_says("'utf-8' codec can't decode byte 0xff in position 8: invalid start byte")),
        ("4 GiB claimed for a method", spelled(EVENT, 0, b"\xdb\xff\xff\xff\xff"), envelope_says("Input data was truncated")),
        ("no body", framed(b"\x94" + pack(EVENT) + pack(0) + pack("log.write")), envelope_says("Input data was truncated")),
        ("a reserved byte for a body", spelled(EVENT, 0, "log.write", b"\xc1"),
         envelope_says("MessagePack data is malformed: invalid opcode '\\xc1' (byte 13)")),
    ]  # fmt: skip
    return [Attack(name, "idle", said(data), plain, detail) for name, data, detail in says]


def methods() -> list[Attack]:
    """Names that look like one of ours, or are one that is not theirs."""
    odd = {
        "capitals": "Log.Write", "a trailing space": "log.write ", "a leading space": " log.write",
        "a line end": "log.write\n", "a NUL": "log.write\0", "a cyrillic o": "l\u043eg.write",
        "a full stop of full width": "log\uff0ewrite", "a soft hyphen": "log.\u00adwrite", "a dunder": "__class__",
        "nothing at all": "", "a path": "../log.write", "a leading dot": ".log.write", "a digit first": "1og.write",
    }  # fmt: skip
    unknown = ("http.fetch", "log_write", "log.write.", "log..write", "logwrite", "kv.get.all", "eval", "a" * 64)
    hosts = ("load", "configure", "decide", "stop", "snapshot", "notify")
    body = {"level": "info", "message": "x"}
    right = said(log())
    found = [
        Attack(f"a method with {name}", "idle", said(message(EVENT, 0, method, body)), right, "not a method's name")
        for name, method in odd.items()
    ]
    found.append(
        Attack("a method of 65 letters", "idle", said(message(EVENT, 0, "a" * 65, body)), right,
               envelope_says("Expected `str` of length <= 64 - at `$[2]`"))
    )  # fmt: skip
    for method in unknown + hosts:
        detail = f"{method!r} is nothing this peer may say"
        asked = said(message(REQUEST, 2, method, {}))
        found.append(Attack(f"a request called {method:.20}", "idle", asked, said(ask(2)), detail))
    found += [
        Attack("a cancel of its own", "idle", said(message(EVENT, 0, "cancel", {"id": 1})), right,
               "'cancel' is nothing this peer may say"),
        Attack("an event asked as a request", "idle", said(message(REQUEST, 2, "log.write", body)), right,
               "'log.write' is nothing this peer may say"),
        Attack("a request told as an event", "idle", said(message(EVENT, 0, "clock.now", {})), said(ask(2)),
               "'clock.now' is nothing this peer may say"),
    ]  # fmt: skip
    return found


def moments() -> list[Attack]:
    """Right words at the wrong time."""
    put = {"name": "k", "value": b"v"}
    first = said(hello())
    return [
        Attack("log before hello", "hello", said(log()), first, "'log.write' while opened"),
        Attack("a request before hello", "hello", said(ask(2)), first, "'clock.now' while opened"),
        Attack("hello twice", "hello", said(hello() * 2), first, "'hello' while greeted"),
        Attack("hello again while running", "idle", said(hello()), said(log()), "'hello' while running"),
        Attack("an answer before any question", "hello", said(message(REPLY, 1, "load", {})), first,
               "an answer to 1, which is not open"),
        Attack("hello as a request", "hello", said(message(REQUEST, 2, "hello", GREETING)), first,
               "'hello' is nothing this peer may say"),
        Attack("storage before it is loaded", "load", said(ask(2, "kv.put", **put)), answer("load", ANSWERS["load"]),
               "'kv.put' while greeted"),
        Attack("the answer to configure in answer to load", "load", answer("configure", {}), answer("load", ANSWERS["load"]),
               "an answer to 'load' that says it is 'configure'"),
        Attack("the next answer in advance", "load",
               lambda n: message(REPLY, n, "load", ANSWERS["load"]) + message(REPLY, n + 2, "configure", {}),
               answer("load", ANSWERS["load"]), "an answer to 3, which is not open"),
    ]  # fmt: skip


def ids() -> list[Attack]:
    rise = "request id {} after {}: ids rise and keep their parity"
    rows = [
        ("odd", ask(3), ask(4), rise.format(3, 0)),
        ("the host's own", ask(1), ask(2), rise.format(1, 0)),
        ("used twice", ask(2) + ask(2), ask(2) + ask(4), rise.format(2, 2)),
        ("falling", ask(8) + ask(6), ask(6) + ask(8), rise.format(6, 8)),
        ("zero", ask(0), ask(2), "events have id 0, nothing else has"),
        ("2^53", ask(2**53), ask(2**53 - 2), envelope_says(f"Expected `int` <= {2**53 - 1} - at `$[1]`")),
        ("2^64-1", ask(2**64 - 1), ask(2**53 - 2), envelope_says(f"Expected `int` <= {2**53 - 1} - at `$[1]`")),
        ("negative", ask(-2), ask(2), envelope_says("Expected `int` >= 0 - at `$[1]`")),
        ("a float", spelled(REQUEST, 2.0, "clock.now", {}), ask(2), envelope_says("Expected `int`, got `float` - at `$[1]`")),
        ("uint16 for 2", spelled(REQUEST, b"\xcd\x00\x02", "clock.now", {}), ask(2), "envelope is not canonical"),
    ]
    found = [Attack(f"a request id that is {name}", "idle", said(wrong), said(right), detail)
             for name, wrong, right, detail in rows]  # fmt: skip
    right = decided()
    return [
        *found,
        Attack("an answer nobody asked for", "idle", said(message(REPLY, 999, "decide", ANSWERS["decide"])), said(log()),
               "an answer to 999, which is not open"),
        Attack("an error nobody asked for", "idle", said(message(ERROR, 5, "decide", {"code": "no", "message": ""})), said(log()),
               "an answer to 5, which is not open"),
        Attack("an answer to a question answered before", "decide",
               said(message(REPLY, 1, "load", ANSWERS["load"])), right, "an answer to 1, which is not open"),
        Attack("an answer with its own parity", "decide", lambda n: message(REPLY, n + 1, "decide", {"decisions": []}), right,
               "an answer to 6, which is not open"),
        Attack("an answer twice", "decide", lambda n: 2 * message(REPLY, n, "decide", {"decisions": []}), right,
               "an answer to 5, which is not open"),
        Attack("a reply and then an error", "decide",
               lambda n: right(n) + message(ERROR, n, "decide", {"code": "no", "message": ""}), right,
               "an answer to 5, which is not open"),
        Attack("an answer that says it is another's", "decide", answer("snapshot", {"table": b""}), right,
               "an answer to 'decide' that says it is 'snapshot'"),
    ]  # fmt: skip


def floods() -> list[Attack]:
    def asks(count: int) -> bytes:
        return b"".join(ask(2 * n) for n in range(1, count + 1))

    def gets(count: int) -> bytes:
        return b"".join(ask(2 * n, "kv.get", name="k") for n in range(1, count + 1))

    return [
        Attack("65 questions at once", "idle", said(asks(65)), said(asks(64)), "more than 64 requests unanswered"),
        Attack("17 refused requests in a call", "idle", said(gets(17)), said(gets(16)),
               "more than 16 refused requests for each call of a hook"),
        Attack("4001 lines of log in a call", "idle", said(log() * 4001), said(log() * 4000),
               "more than 4000 lines of log for each call of a hook"),
    ]  # fmt: skip


def bombs() -> list[Attack]:
    """Little on the wire that is much in memory, deep on a stack, or long in a claim."""
    maps = b"\xdd" + struct.pack(">I", MIB - 64) + b"\x80" * (MIB - 64)
    deep, claims = b"\x91" * (MIB - 64), b"\xff" * 4
    line = said(log())
    lines = {"file": "f", "lines": ["x"]}

    def append(spelling: bytes) -> bytes:
        return message(REQUEST, 2, "file.append", b"\x82" + pack("file") + pack("f") + pack("lines") + spelling)

    too_many = body_says("Expected `array` of length <= 1000 - at `$.lines`")
    return [
        Attack("a million empty maps for a body", "idle", said(message(EVENT, 0, "log.write", maps)), line,
               body_says("Expected `object`, got `array`")),
        Attack("a million empty maps for lines", "idle", said(append(maps)), said(message(REQUEST, 2, "file.append", lines)), too_many),
        Attack("a million empty maps in a map", "idle",
               said(message(EVENT, 0, "log.write", b"\x82" + pack("level") + maps + pack("message") + pack("x"))), line,
               body_says("Expected `str`, got `array` - at `$.level`")),
        Attack("a million arrays in each other", "idle", said(message(EVENT, 0, "log.write", deep + b"\xc0")), line, TOO_DEEP),
        Attack("a million maps in each other", "idle",
               said(message(EVENT, 0, "log.write", b"\x81\x01" * (MIB // 2 - 64) + b"\xc0")), line, TOO_DEEP),
        Attack("deep inside a text", "idle",
               said(message(EVENT, 0, "log.write", b"\x82" + pack("level") + pack("info") + pack("message") + deep[:-20] + b"\xc0")),
               line, TOO_DEEP),
        Attack("an array of 2^32-1 claimed", "idle", said(message(EVENT, 0, "log.write", b"\xdd" + claims)), line, TRUNCATED),
        Attack("a map of 2^32-1 claimed", "idle", said(message(EVENT, 0, "log.write", b"\xdf" + claims)), line, TRUNCATED),
        Attack("bytes of 4 GiB claimed", "idle", said(message(EVENT, 0, "log.write", b"\xc6" + claims)), line, TRUNCATED),
        Attack("2^32-1 lines claimed", "idle", said(append(b"\xdd" + claims + b"\xa1x")), said(message(REQUEST, 2, "file.append", lines)), TRUNCATED),
        Attack("4 GiB of log claimed", "idle",
               said(message(EVENT, 0, "log.write", b"\x82" + pack("level") + pack("info") + pack("message") + b"\xdb" + claims)),
               line, TRUNCATED),
        Attack("an unknown field with a mebibyte for a name", "idle",
               said(log(**{"x" * (MIB - 100): 1})), line,
               cut(body_says("Object contains unknown field `" + "x" * MIB))),
        Attack("an unknown level of a mebibyte", "idle", said(log(level="x" * (MIB - 100))), line,
               cut(body_says("Invalid enum value '" + "x" * MIB))),
    ]  # fmt: skip


def bodies() -> list[Attack]:
    found: list[Attack] = []

    def greeted(name: str, wrong: bytes, detail: str, right: bytes = hello()) -> None:
        found.append(Attack(f"hello with {name}", "hello", said(wrong), said(right), detail))

    greeted("true for its version", hello(protocol=True), body_says("Expected `int`, got `bool` - at `$.protocol`"))
    greeted("1.0 for its version", hello(protocol=1.0), body_says("Expected `int`, got `float` - at `$.protocol`"))
    greeted("another version", hello(protocol=2), "speaks protocol 2, this host 1")
    greeted("a field more", hello(token=""), body_says("Object contains unknown field `token`"))
    greeted("a field less", message(EVENT, 0, "hello", {k: v for k, v in GREETING.items() if k != "python"}),
            body_says("Object missing required field `python`"))
    greeted("an optional field left out", message(EVENT, 0, "hello", {k: v for k, v in GREETING.items() if k != "ext"}),
            "body is not canonical")
    greeted("its fields in another order", message(EVENT, 0, "hello", dict(reversed(GREETING.items()))), "body is not canonical")
    greeted("a long name", hello(sdk="x" * 256), body_says("Expected `str` of length <= 255 - at `$.sdk`"), hello(sdk="x" * 255))
    greeted("a long name of wide letters", hello(sdk="\U0001f600" * 256), body_says("Expected `str` of length <= 255 - at `$.sdk`"),
            hello(sdk="\U0001f600" * 255))
    greeted("17 extensions", hello(ext={str(n): "" for n in range(17)}),
            body_says("Expected `object` of length <= 16 - at `$.ext`"), hello(ext={str(n): "" for n in range(16)}))
    greeted("an extension twice", message(EVENT, 0, "hello", pack(GREETING)[:-1] + b"\x82\xa1a\xa0\xa1a\xa0"),
            "body is not canonical", hello(ext={"a": "", "b": ""}))
    greeted("a number for an extension", hello(ext={"a": 1}), body_says("Expected `str`, got `int` - at `$.ext[...]`"), hello(ext={"a": "1"}))
    greeted("65 findings", hello(selfcheck={str(n): 1 for n in range(65)}),
            body_says("Expected `object` of length <= 64 - at `$.selfcheck`"), hello(selfcheck={str(n): 1 for n in range(64)}))
    greeted("nil for a body", message(EVENT, 0, "hello", None), body_says("Expected `object`, got `None`"))
    greeted("an array for a body", message(EVENT, 0, "hello", list(GREETING.values())), body_says("Expected `object`, got `array`"))
    greeted("an extension type", message(EVENT, 0, "hello", b"\xd4\x01\x00"), body_says("Expected `object`, got `ext`"))
    greeted("a timestamp", message(EVENT, 0, "hello", b"\xd6\xff" + bytes(4)), body_says("Expected `object`, got `ext`"))

    loaded = answer("load", ANSWERS["load"])
    found += [
        Attack("a hook of its own invention", "load", answer("load", {"hooks": ["decide", "steal"]}), loaded,
               body_says("Invalid enum value 'steal' - at `$.hooks[1]`")),
        Attack("nine hooks", "load", answer("load", {"hooks": ["decide"] * 9}), loaded,
               body_says("Expected `array` of length <= 8 - at `$.hooks`")),
        Attack("an error with a code of capitals", "load", answer("load", {"code": "NO", "message": ""}, ERROR), loaded,
               body_says("Expected `str` matching regex '^[a-z][a-z0-9_]{0,63}\\\\Z' - at `$.code`")),
        Attack("a done that says more", "configure", answer("configure", {"ok": True}), answer("configure", {}),
               body_says("Object contains unknown field `ok`")),
        Attack("a done that is nil", "configure", answer("configure", None), answer("configure", {}),
               body_says("Expected `object`, got `None`")),
    ]  # fmt: skip
    for name, changes, right, what in [
        ("a bool for a price", {"limit_price": True}, {"limit_price": 1}, "Expected `int | null`, got `bool` - at `$.decisions[0].limit_price`"),
        ("a float for a price", {"limit_price": 0.5}, {"limit_price": 500_000}, "Expected `int | null`, got `float` - at `$.decisions[0].limit_price`"),
        ("a text for a price", {"limit_price": "1"}, {"limit_price": 1}, "Expected `int | null`, got `str` - at `$.decisions[0].limit_price`"),
        ("a price of 2^63", {"limit_price": 2**63}, {"limit_price": 2**62}, f"Expected `int` <= {2**62} - at `$.decisions[0].limit_price`"),
        ("a price above 2^62", {"limit_price": 2**62 + 1}, {"limit_price": 2**62}, f"Expected `int` <= {2**62} - at `$.decisions[0].limit_price`"),
        ("a spend of -2^63", {"max_spend": -(2**63)}, {"max_spend": -(2**62)}, f"Expected `int` >= -{2**62} - at `$.decisions[0].max_spend`"),
        ("a text for a probability", {"probability": "0.5"}, {}, "Expected `float`, got `str` - at `$.decisions[0].probability`"),
        ("nil for a probability", {"probability": None}, {}, "Expected `float`, got `None` - at `$.decisions[0].probability`"),
        ("true for a probability", {"probability": True}, {"probability": 1.0}, "Expected `float`, got `bool` - at `$.decisions[0].probability`"),
        ("a side of its own", {"side": "hold"}, {"side": "sell"}, "Invalid enum value 'hold' - at `$.decisions[0].side`"),
        ("nil for a market", {"market": None}, {"market": ""}, "Expected `str`, got `None` - at `$.decisions[0].market`"),
        ("a market of 256", {"market": "x" * 256}, {"market": "x" * 255}, "Expected `str` of length <= 255 - at `$.decisions[0].market`"),
        ("a rationale of 2001", {"rationale": "x" * 2001}, {"rationale": "x" * 2000}, "Expected `str` of length <= 2000 - at `$.decisions[0].rationale`"),
        ("a surrogate in its rationale", {"rationale": b"\xa3\xed\xa0\x80"}, {"rationale": "\ufffd"}, "'utf-8' codec can't decode byte 0xed in position 0: invalid continuation byte"),
        ("an overlong NUL in its rationale", {"rationale": b"\xa2\xc0\x80"}, {"rationale": "\0"}, "'utf-8' codec can't decode byte 0xc0 in position 0: invalid start byte"),
        ("half a letter in its rationale", {"rationale": b"\xa1\xc3"}, {"rationale": "\u00c3"}, "'utf-8' codec can't decode byte 0xc3 in position 0: unexpected end of data"),
        ("a field of money more", {"shares": 5}, {}, "Object contains unknown field `shares` - at `$.decisions[0]`"),
    ]:
        spoken = framed_wish(changes)
        found.append(Attack(f"a decision with {name}", "decide", spoken, framed_wish(right), body_says(what)))
    found += [
        Attack("257 decisions", "decide", decided(*[WISH] * 257), decided(*[WISH] * 256),
               body_says("Expected `array` of length <= 256 - at `$.decisions`")),
        Attack("1 for a probability", "decide", decided(WISH | {"probability": 1}), decided(WISH | {"probability": 1.0}), "body is not canonical"),
        Attack("a float of 32 bits", "decide", framed_wish({"probability": b"\xca\x3f\x00\x00\x00"}), decided(WISH), "body is not canonical"),
        Attack("a decision twice in one map", "decide",
               answer("decide", b"\x82" + 2 * (pack("decisions") + b"\x90")), decided(), "body is not canonical"),
        Attack("map16 for one entry", "decide", answer("decide", b"\xde\x00\x01" + pack("decisions") + b"\x90"), decided(), "body is not canonical"),
        Attack("array32 for none", "decide", answer("decide", b"\x81" + pack("decisions") + b"\xdd" + bytes(4)), decided(), "body is not canonical"),
        Attack("an error of 4001 letters", "decide", answer("decide", {"code": "no", "message": "x" * 4001}, ERROR), decided(),
               body_says("Expected `str` of length <= 4000 - at `$.message`")),
    ]  # fmt: skip
    return found


def framed_wish(changes: dict[str, object]) -> Words:
    """`decide` answered with one wish; bytes among the changes are spelled already."""
    wish = WISH | changes
    spelling = bytes([0x80 | len(wish)]) + b"".join(
        pack(key) + (item if isinstance(item, bytes) else pack(item)) for key, item in wish.items()
    )
    return answer("decide", b"\x81" + pack("decisions") + b"\x91" + spelling)


def pattern(regex: str, place: str) -> str:
    return f"Expected `str` matching regex {regex!r} - at `{place}`"


KEY = pattern(r"\A[\x21-\x7e]{1,128}\Z", "$.name")
KEY_PART = pattern(r"\A[\x21-\x7e]{0,128}\Z", "$.prefix")
FILE = pattern(r"\A[a-z0-9_-][a-z0-9._-]{0,63}\Z", "$.file")
LINE = pattern(r"\A[\t\x20-\x7e\xa0-\U0010ffff]*\Z", "$.lines[0]")


def requests() -> list[Attack]:
    """Well-framed questions whose bodies are not what the question takes."""
    rows = [
        ("a key of 129", "kv.get", {"name": "k" * 129}, {"name": "k" * 128}, KEY),
        ("no key", "kv.get", {"name": ""}, {"name": "k"}, KEY),
        ("a key with a space", "kv.get", {"name": "a b"}, {"name": "a-b"}, KEY),
        ("a key with a line end", "kv.get", {"name": "k\n"}, {"name": "k"}, KEY),
        ("a key in cyrillic", "kv.get", {"name": "\u043a"}, {"name": "k"}, KEY),
        ("a key of bytes", "kv.get", {"name": b"\xc4\x01k"}, {"name": "k"}, "Expected `str`, got `bytes` - at `$.name`"),
        ("another plugin's key", "kv.get", {"name": "k", "plugin": "test.honest"}, {"name": "k"}, "Object contains unknown field `plugin`"),
        ("a value of a text", "kv.put", {"name": "k", "value": "v"}, {"name": "k", "value": b"\xc4\x01v"}, "Expected `bytes`, got `str` - at `$.value`"),
        ("a value of 262145", "kv.put", {"name": "k", "value": pack(bytes(262_145))}, {"name": "k", "value": pack(bytes(262_144))}, "Expected `bytes` of length <= 262144 - at `$.value`"),
        ("a prefix of 129", "kv.keys", {"prefix": "k" * 129, "after": ""}, {"prefix": "k" * 128, "after": ""}, KEY_PART),
        ("a file above", "file.append", {"file": "../f", "lines": ["x"]}, {"file": "f", "lines": ["x"]}, FILE),
        ("a file of the root's", "file.append", {"file": "/etc/passwd", "lines": ["x"]}, {"file": "etc-passwd", "lines": ["x"]}, FILE),
        ("a hidden file", "file.append", {"file": ".f", "lines": ["x"]}, {"file": "f.", "lines": ["x"]}, FILE),
        ("a file in a folder", "file.append", {"file": "a/f", "lines": ["x"]}, {"file": "a-f", "lines": ["x"]}, FILE),
        ("a file with a NUL", "file.append", {"file": "f\0", "lines": ["x"]}, {"file": "f0", "lines": ["x"]}, FILE),
        ("a file with a line end", "file.append", {"file": "f\n", "lines": ["x"]}, {"file": "f", "lines": ["x"]}, FILE),
        ("a file of 65", "file.append", {"file": "f" * 65, "lines": ["x"]}, {"file": "f" * 64, "lines": ["x"]}, FILE),
        ("no lines", "file.append", {"file": "f", "lines": []}, {"file": "f", "lines": [""]}, "Expected `array` of length >= 1 - at `$.lines`"),
        ("1001 lines", "file.append", {"file": "f", "lines": ["x"] * 1001}, {"file": "f", "lines": ["x"] * 1000}, "Expected `array` of length <= 1000 - at `$.lines`"),
        ("two lines in one", "file.append", {"file": "f", "lines": ["a\nb"]}, {"file": "f", "lines": ["a", "b"]}, LINE),
        ("an escape in a line", "file.append", {"file": "f", "lines": ["\x1b[2J"]}, {"file": "f", "lines": ["\t[2J"]}, LINE),
        ("a C1 control in a line", "file.append", {"file": "f", "lines": ["\x9b2J"]}, {"file": "f", "lines": ["\xa02J"]}, LINE),
        ("a line of 65537", "file.append", {"file": "f", "lines": ["x" * 65_537]}, {"file": "f", "lines": ["x" * 65_536]}, "Expected `str` of length <= 65536 - at `$.lines[0]`"),
        ("something said with the time", "clock.now", {"zone": "utc"}, {}, "Object contains unknown field `zone`"),
    ]  # fmt: skip
    return [
        Attack(f"{method} with {name}", "idle", said(raw_ask(2, method, wrong)), said(raw_ask(2, method, right)), body_says(what))
        for name, method, wrong, right, what in rows
    ]


def raw_ask(number: int, method: str, body: dict[str, object]) -> bytes:
    """A request; bytes in its body are spelled already."""
    parts = [pack(key) + (item if isinstance(item, bytes) else pack(item)) for key, item in body.items()]
    return message(REQUEST, number, method, bytes([0x80 | len(body)]) + b"".join(parts))


def logs() -> list[Attack]:
    rows = [
        ("4001 letters", log("x" * 4001), log("x" * 4000), "Expected `str` of length <= 4000 - at `$.message`"),
        ("a level of its own", log(level="fatal"), log(level="error"), "Invalid enum value 'fatal' - at `$.level`"),
        ("a number for a level", log(level=1), log(), "Expected `str`, got `int` - at `$.level`"),
        ("bytes for a message", log(b"x"), log("x"), "Expected `str`, got `bytes` - at `$.message`"),
        ("a place of its own", log(at=1), log(), "Object contains unknown field `at`"),
    ]
    return [Attack(f"log with {name}", "idle", said(wrong), said(right), body_says(what)) for name, wrong, right, what in rows]


ATTACKS = [
    *lengths(), *envelopes(), *methods(), *moments(), *ids(), *floods(), *bombs(), *bodies(), *requests(), *logs(),
]  # fmt: skip
