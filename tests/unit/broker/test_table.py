"""What a plugin may say, and how often."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import Raw, Struct
from pp_host.broker.asker import Asker, Means
from pp_host.broker.quota import TokenBucket
from pp_host.broker.table import EVENTS, REQUESTS, Broker
from pp_host.errors import PluginViolation, RequestRefused
from pp_host.limits import LIMITS
from pp_host.model import PluginRef
from pp_sdk.wire import messages
from pp_sdk.wire.frames import ProtocolError
from pp_sdk.wire.messages import METHODS, Side

pytestmark = pytest.mark.anyio
PLUGIN = PluginRef("test.plugin", "1.0.0", "0" * 64)
LINE = Raw(msgspec.msgpack.encode(messages.LogWrite(level="info", message="hello")))
NOTHING = Raw(msgspec.msgpack.encode(messages.ClockNow()))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Clock:
    def now(self) -> int:
        return 42

    async def wait_until(self, moment: int) -> None:
        raise AssertionError


class Record:
    def __init__(self) -> None:
        self.entries: list[tuple[str, dict[str, Any], dict[str, Any]]] = []

    def append(self, event: str, subject: Any, **more: Any) -> int:
        self.entries.append((event, dict(subject), more))
        return len(self.entries) - 1

    async def durable(self, seq: int) -> None:
        raise AssertionError


@pytest.fixture
def record() -> Record:
    return Record()


@pytest.fixture
def asker(new_asker: Any) -> Asker:
    made: Asker = new_asker()
    return made


def test_every_message_of_a_plugin_has_exactly_one_handler() -> None:
    said = {name for name, method in METHODS.items() if method.sender is Side.PLUGIN and name != "hello"}
    assert set(EVENTS) == {name for name in said if METHODS[name].reply is None}
    assert set(REQUESTS) == {name for name in said if METHODS[name].reply is not None}


def test_a_log_line_is_recorded_as_the_plugins(record: Record, asker: Asker) -> None:
    Broker(Means(Clock(), record)).hear(asker, "log.write", LINE)
    (event, subject, more) = record.entries[0]
    assert (event, subject["message"], more["plugin"]) == ("plugin.log", "hello", PLUGIN)


async def test_the_clock_is_the_runs(record: Record, asker: Asker) -> None:
    assert await Broker(Means(Clock(), record)).answer(asker, "clock.now", NOTHING) == messages.Now(now=42)


async def test_what_nobody_may_ask_ends_the_plugin(record: Record, asker: Asker) -> None:
    broker = Broker(Means(Clock(), record))
    with pytest.raises(PluginViolation, match="nobody may"):
        await broker.answer(asker, "http.fetch", NOTHING)
    with pytest.raises(PluginViolation, match="nobody may"):
        broker.hear(asker, "clock.now", NOTHING)


async def test_a_body_of_another_shape_ends_the_plugin(record: Record, asker: Asker) -> None:
    with pytest.raises(ProtocolError):
        await Broker(Means(Clock(), record)).answer(asker, "clock.now", LINE)


def test_too_many_lines_of_log_in_one_call_end_the_plugin(record: Record, asker: Asker, called: Any) -> None:
    broker, most = Broker(Means(Clock(), record)), LIMITS.wire.log_lines_per_call
    for _ in range(3):  # calls, as fast as a tape brings them
        assert heard_until_refused(broker, asker, LINE, most) == ""
        called.calls += 1
    told = heard_until_refused(broker, asker, LINE, most + 1)
    assert told == "more than 4000 lines of log for each call of a hook"


async def test_too_many_requests_wait_and_never_end_the_plugin(record: Record, new_asker: Any) -> None:
    now, looks = [0.0], []

    def clock() -> float:
        looks.append(now[0])
        now[0] += 0.01
        return now[0]

    broker, bucket = Broker(Means(Clock(), record)), TokenBucket(20, 2, clock)
    asker, before = new_asker(requests=bucket), len(looks)
    for _ in range(8):
        assert await broker.answer(asker, "clock.now", NOTHING) == messages.Now(now=42)
    assert len(looks) - before > 8, "some were asked to wait"
    assert record.entries == []


def test_too_much_log_is_left_out_of_the_record(record: Record, asker: Asker) -> None:
    broker = Broker(Means(Clock(), record))
    long = Raw(msgspec.msgpack.encode(messages.LogWrite(level="info", message="x" * 4000)))
    assert heard_until_refused(broker, asker, long, 100) == ""
    assert 50 < len(record.entries) < 60, "256 KiB of lines of 4.5 KiB"


def heard_until_refused(broker: Broker, asker: Asker, line: Raw, most: int) -> str:
    """What ended the plugin, or an empty string when nothing did."""
    for _ in range(most):
        try:
            broker.hear(asker, "log.write", line)
        except PluginViolation as violation:
            return str(violation)
    return ""


async def test_a_refusal_is_recorded_and_too_many_end_the_plugin(record: Record, asker: Asker) -> None:
    async def refuse(means: Means, asker: Asker, body: Raw) -> Struct:
        raise RequestRefused("over_budget", "not today")

    broker = Broker(Means(Clock(), record), requests={"clock.now": refuse})
    for _ in range(LIMITS.wire.refusals_per_call):
        with pytest.raises(RequestRefused):
            await broker.answer(asker, "clock.now", NOTHING)
    with pytest.raises(PluginViolation, match="more than 16 refused requests for each call of a hook"):
        await broker.answer(asker, "clock.now", NOTHING)
    assert {event for event, _, _ in record.entries} == {"capability.deny"}


def test_a_bucket_refills_with_time() -> None:
    now = [0.0]
    bucket = TokenBucket(10, 20, lambda: now[0])
    assert bucket.take(20)
    assert not bucket.take(1)
    now[0] = 0.1
    assert bucket.take(1)
    assert not bucket.take(1)
    now[0] = 1000.0
    assert bucket.take(20)
    assert not bucket.take(1)
