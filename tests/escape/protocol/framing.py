"""Attacks on what every message has: its length, its envelope, its method, its moment, its id, its number."""

from __future__ import annotations

import struct

from tests.escape.protocol.foreign import ERROR, EVENT, REPLY, REQUEST, framed, message, pack
from tests.escape.protocol.stage import ANSWERS, GREETING
from tests.escape.protocol.words import (
    MIB,
    Attack,
    answer,
    ask,
    decided,
    envelope_says,
    hello,
    log,
    said,
    spelled,
)


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
    found = [
        Attack(f"a frame of {name}", "hello", said(data), said(hello()), over.format(n))
        for name, data, n in rows
    ]
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
    unknown = (
        "http.fetch",
        "log_write",
        "log.write.",
        "log..write",
        "logwrite",
        "kv.get.all",
        "eval",
        "a" * 64,
    )
    hosts = ("load", "configure", "decide", "stop", "snapshot", "notify")
    body = {"level": "info", "message": "x"}
    right = said(log())
    found = [
        Attack(
            f"a method with {name}",
            "idle",
            said(message(EVENT, 0, method, body)),
            right,
            "not a method's name",
        )
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
        (
            "2^64-1",
            ask(2**64 - 1),
            ask(2**53 - 2),
            envelope_says(f"Expected `int` <= {2**53 - 1} - at `$[1]`"),
        ),
        ("negative", ask(-2), ask(2), envelope_says("Expected `int` >= 0 - at `$[1]`")),
        (
            "a float",
            spelled(REQUEST, 2.0, "clock.now", {}),
            ask(2),
            envelope_says("Expected `int`, got `float` - at `$[1]`"),
        ),
        (
            "uint16 for 2",
            spelled(REQUEST, b"\xcd\x00\x02", "clock.now", {}),
            ask(2),
            "envelope is not canonical",
        ),
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
    def gets(count: int) -> bytes:
        return b"".join(ask(2 * n, "kv.get", name="k") for n in range(1, count + 1))

    return [
        Attack("17 refused requests in a call", "idle", said(gets(17)), said(gets(16)),
               "more than 16 refused requests for each call of a hook"),
        Attack("4001 lines of log in a call", "idle", said(log() * 4001), said(log() * 4000),
               "more than 4000 lines of log for each call of a hook"),
    ]  # fmt: skip
