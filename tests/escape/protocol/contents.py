"""Attacks on what is in a message: bombs, and bodies that are not what their method prescribes."""

from __future__ import annotations

import struct

from tests.escape.protocol.foreign import ERROR, EVENT, REQUEST, message, pack
from tests.escape.protocol.stage import ANSWERS, GREETING
from tests.escape.protocol.words import (
    MIB,
    TOO_DEEP,
    TRUNCATED,
    WISH,
    Attack,
    answer,
    body_says,
    cut,
    decided,
    framed_wish,
    hello,
    log,
    raw_ask,
    said,
)


def bombs() -> list[Attack]:
    """Little on the wire that is much in memory, deep on a stack, or long in a claim."""
    maps = b"\xdd" + struct.pack(">I", MIB - 64) + b"\x80" * (MIB - 64)
    deep, claims = b"\x91" * (MIB - 64), b"\xff" * 4
    line = said(log())
    lines = {"file": "f", "lines": ["x"]}

    def append(spelling: bytes) -> bytes:
        return message(
            REQUEST, 2, "file.append", b"\x82" + pack("file") + pack("f") + pack("lines") + spelling
        )

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

    greeted(
        "true for its version",
        hello(protocol=True),
        body_says("Expected `int`, got `bool` - at `$.protocol`"),
    )
    greeted(
        "1.0 for its version", hello(protocol=1.0), body_says("Expected `int`, got `float` - at `$.protocol`")
    )
    greeted("another version", hello(protocol=2), "speaks protocol 2, this host 1")
    greeted("a field more", hello(token=""), body_says("Object contains unknown field `token`"))
    greeted(
        "a field less",
        message(EVENT, 0, "hello", {k: v for k, v in GREETING.items() if k != "python"}),
        body_says("Object missing required field `python`"),
    )
    greeted(
        "an optional field left out",
        message(EVENT, 0, "hello", {k: v for k, v in GREETING.items() if k != "ext"}),
        "body is not canonical",
    )
    greeted(
        "its fields in another order",
        message(EVENT, 0, "hello", dict(reversed(GREETING.items()))),
        "body is not canonical",
    )
    greeted(
        "a long name",
        hello(sdk="x" * 256),
        body_says("Expected `str` of length <= 255 - at `$.sdk`"),
        hello(sdk="x" * 255),
    )
    greeted(
        "a long name of wide letters",
        hello(sdk="\U0001f600" * 256),
        body_says("Expected `str` of length <= 255 - at `$.sdk`"),
        hello(sdk="\U0001f600" * 255),
    )
    greeted(
        "17 extensions",
        hello(ext={str(n): "" for n in range(17)}),
        body_says("Expected `object` of length <= 16 - at `$.ext`"),
        hello(ext={str(n): "" for n in range(16)}),
    )
    greeted(
        "an extension twice",
        message(EVENT, 0, "hello", pack(GREETING)[:-1] + b"\x82\xa1a\xa0\xa1a\xa0"),
        "body is not canonical",
        hello(ext={"a": "", "b": ""}),
    )
    greeted(
        "a number for an extension",
        hello(ext={"a": 1}),
        body_says("Expected `str`, got `int` - at `$.ext[...]`"),
        hello(ext={"a": "1"}),
    )
    greeted(
        "65 findings",
        hello(selfcheck={str(n): 1 for n in range(65)}),
        body_says("Expected `object` of length <= 64 - at `$.selfcheck`"),
        hello(selfcheck={str(n): 1 for n in range(64)}),
    )
    greeted("nil for a body", message(EVENT, 0, "hello", None), body_says("Expected `object`, got `None`"))
    greeted(
        "an array for a body",
        message(EVENT, 0, "hello", list(GREETING.values())),
        body_says("Expected `object`, got `array`"),
    )
    greeted(
        "an extension type",
        message(EVENT, 0, "hello", b"\xd4\x01\x00"),
        body_says("Expected `object`, got `ext`"),
    )
    greeted(
        "a timestamp",
        message(EVENT, 0, "hello", b"\xd6\xff" + bytes(4)),
        body_says("Expected `object`, got `ext`"),
    )

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
        (
            "a bool for a price",
            {"limit_price": True},
            {"limit_price": 1},
            "Expected `int | null`, got `bool` - at `$.decisions[0].limit_price`",
        ),
        (
            "a float for a price",
            {"limit_price": 0.5},
            {"limit_price": 500_000},
            "Expected `int | null`, got `float` - at `$.decisions[0].limit_price`",
        ),
        (
            "a text for a price",
            {"limit_price": "1"},
            {"limit_price": 1},
            "Expected `int | null`, got `str` - at `$.decisions[0].limit_price`",
        ),
        (
            "a price of 2^63",
            {"limit_price": 2**63},
            {"limit_price": 2**62},
            f"Expected `int` <= {2**62} - at `$.decisions[0].limit_price`",
        ),
        (
            "a price above 2^62",
            {"limit_price": 2**62 + 1},
            {"limit_price": 2**62},
            f"Expected `int` <= {2**62} - at `$.decisions[0].limit_price`",
        ),
        (
            "a spend of -2^63",
            {"max_spend": -(2**63)},
            {"max_spend": -(2**62)},
            f"Expected `int` >= -{2**62} - at `$.decisions[0].max_spend`",
        ),
        (
            "a text for a probability",
            {"probability": "0.5"},
            {},
            "Expected `float`, got `str` - at `$.decisions[0].probability`",
        ),
        (
            "nil for a probability",
            {"probability": None},
            {},
            "Expected `float`, got `None` - at `$.decisions[0].probability`",
        ),
        (
            "true for a probability",
            {"probability": True},
            {"probability": 1.0},
            "Expected `float`, got `bool` - at `$.decisions[0].probability`",
        ),
        (
            "a side of its own",
            {"side": "hold"},
            {"side": "sell"},
            "Invalid enum value 'hold' - at `$.decisions[0].side`",
        ),
        (
            "nil for a market",
            {"market": None},
            {"market": ""},
            "Expected `str`, got `None` - at `$.decisions[0].market`",
        ),
        (
            "a market of 256",
            {"market": "x" * 256},
            {"market": "x" * 255},
            "Expected `str` of length <= 255 - at `$.decisions[0].market`",
        ),
        (
            "a rationale of 2001",
            {"rationale": "x" * 2001},
            {"rationale": "x" * 2000},
            "Expected `str` of length <= 2000 - at `$.decisions[0].rationale`",
        ),
        (
            "a surrogate in its rationale",
            {"rationale": b"\xa3\xed\xa0\x80"},
            {"rationale": "\ufffd"},
            "'utf-8' codec can't decode byte 0xed in position 0: invalid continuation byte",
        ),
        (
            "an overlong NUL in its rationale",
            {"rationale": b"\xa2\xc0\x80"},
            {"rationale": "\0"},
            "'utf-8' codec can't decode byte 0xc0 in position 0: invalid start byte",
        ),
        (
            "half a letter in its rationale",
            {"rationale": b"\xa1\xc3"},
            {"rationale": "\u00c3"},
            "'utf-8' codec can't decode byte 0xc3 in position 0: unexpected end of data",
        ),
        (
            "a field of money more",
            {"shares": 5},
            {},
            "Object contains unknown field `shares` - at `$.decisions[0]`",
        ),
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
        Attack(
            f"{method} with {name}",
            "idle",
            said(raw_ask(2, method, wrong)),
            said(raw_ask(2, method, right)),
            body_says(what),
        )
        for name, method, wrong, right, what in rows
    ]


def logs() -> list[Attack]:
    rows = [
        (
            "4001 letters",
            log("x" * 4001),
            log("x" * 4000),
            "Expected `str` of length <= 4000 - at `$.message`",
        ),
        (
            "a level of its own",
            log(level="fatal"),
            log(level="error"),
            "Invalid enum value 'fatal' - at `$.level`",
        ),
        ("a number for a level", log(level=1), log(), "Expected `str`, got `int` - at `$.level`"),
        ("bytes for a message", log(b"x"), log("x"), "Expected `str`, got `bytes` - at `$.message`"),
        ("a place of its own", log(at=1), log(), "Object contains unknown field `at`"),
    ]
    return [
        Attack(f"log with {name}", "idle", said(wrong), said(right), body_says(what))
        for name, wrong, right, what in rows
    ]
