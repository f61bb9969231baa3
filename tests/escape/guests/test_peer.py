"""`pp sandbox peer`: a stranger's bytes at the host, which treats them as any plugin's."""

import json
import struct

import pytest
from pp_sdk.wire.frames import ERROR, EVENT, REPLY, REQUEST, encode
from pp_sdk.wire.messages import (
    ClockNow,
    Failure,
    Hello,
    KvGet,
    Loaded,
    LogWrite,
    Snapshot,
)

LINE = encode(EVENT, 0, "log.write", LogWrite(level="info", message="x"))
HELLO = Hello(protocol=1, sdk="0", python="3", selfcheck={}, ext={})
EMPTY_MAPS = struct.pack("<I", 1 << 20) + (
    b"\x94\x03\x00\xa9log.write\xdd" + struct.pack(">I", 1 << 20)
).ljust(1 << 20, b"\x80")
DEEP = struct.pack("<I", 1 << 20) + b"\x91" * (1 << 20)
ASKS = b"".join(encode(REQUEST, number, "clock.now", ClockNow()) for number in range(2, 22, 2))

# What the host hears after a good beginning: outcome, messages it took.
RUNNING = {
    "nothing": (b"", "ok", 0),
    "lines of log": (LINE * 1000, "ok", 1000),
    "questions": (ASKS, "ok", 10),
    "a refused question": (encode(REQUEST, 2, "kv.get", KvGet(name="x")), "ok", 1),
    "the answer": (encode(REPLY, 5, "snapshot", Snapshot(table=b"x")), "ok", 1),
    "an error for an answer": (encode(ERROR, 5, "snapshot", Failure(code="x", message="x")), "ok", 1),
    "too many lines": (LINE * 5000, "violation", 4000),
    "a length lie": (b"\xff\xff\xff\xff", "violation", 0),
    "a frame without bytes": (bytes(4), "violation", 0),
    "noise": (bytes(range(256)) * 64, "violation", 0),
    "a million empty maps": (EMPTY_MAPS, "violation", 0),
    "a million lists in each other": (DEEP, "violation", 0),
    "an answer to nothing": (encode(REPLY, 99, "snapshot", Snapshot(table=b"")), "violation", 0),
    "hello again": (encode(EVENT, 0, "hello", HELLO), "violation", 0),
    "what only the host may ask": (encode(REQUEST, 2, "stop", {}), "violation", 0),
    "the host's parity": (encode(REQUEST, 3, "clock.now", ClockNow()), "violation", 0),
    "questions, each answered before the next are read": (
        b"".join(encode(REQUEST, number, "clock.now", ClockNow()) for number in range(2, 202, 2)),
        "ok",
        100,
    ),
    "half a frame": (LINE * 3 + LINE[:-1], "violation", 3),
}


@pytest.fixture
def stream(tmp_path):
    """stream(data): a file that holds it."""

    def make(data):
        file = tmp_path / "stream"
        file.write_bytes(data)
        return file

    return make


@pytest.mark.parametrize("name", RUNNING)
def test_after_a_good_beginning(sandbox, stream, name):
    data, outcome, accepted = RUNNING[name]
    status, told = sandbox("peer", "--after", "running", stream(data))
    growth = told.pop("host_rss_growth")
    assert told == {"outcome": outcome, "accepted": accepted}
    assert status == (0 if outcome == "ok" else 3)
    assert 0 <= growth < 32 << 20


@pytest.mark.parametrize(
    ("after", "data", "outcome", "accepted"),
    [
        ("opened", b"", "ok", 0),
        ("opened", LINE, "violation", 0),
        ("opened", b"GET / HTTP/1.1\r\n\r\n", "violation", 0),
        ("opened", encode(EVENT, 0, "hello", HELLO), "setup_error", 1),
        ("greeted", LINE, "ok", 1),
        ("greeted", encode(REPLY, 1, "load", Loaded(hooks=[])) + LINE, "ok", 2),
        ("greeted", encode(REQUEST, 2, "kv.get", KvGet(name="x")), "violation", 0),
        ("loaded", encode(REQUEST, 2, "kv.get", KvGet(name="x")), "ok", 1),
        ("loaded", encode(REPLY, 1, "load", Loaded(hooks=[])), "violation", 0),
    ],
)
def test_in_every_state(sandbox, stream, after, data, outcome, accepted):
    _, told = sandbox("peer", "--after", after, stream(data))
    assert (told["outcome"], told["accepted"]) == (outcome, accepted)


def test_the_deadline_ends_a_stream_that_goes_on(sandbox, stream):
    _, told = sandbox("peer", "--after", "running", "--seconds", 1, stream(LINE[:-1]))
    assert told["outcome"] == "timeout"


def test_as_an_operator_types_it(pp, stream):
    done = pp("peer", "--json", stream(b"\xff" * 100))
    assert done.returncode == 3, done.stderr
    assert json.loads(done.stdout).keys() == {"outcome", "accepted", "host_rss_growth"}
    assert pp("peer", "--after", "running", stream(LINE)).returncode == 0


def test_a_large_stream_costs_the_host_no_more_than_a_small_one(pp, stream):
    """24 MiB of well-formed lines: they end it at the four thousandth, and the rest is never read."""
    small, large = (
        json.loads(pp("peer", "--json", "--after", "running", stream(LINE * count)).stdout)["host_rss_growth"]
        for count in (100, 1_000_000)
    )
    assert large < small + (8 << 20)
