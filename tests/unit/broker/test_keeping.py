"""What a plugin asks to keep: its own and nothing else, with its capability, so often, and in the record."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import pytest
from msgspec import Raw, Struct
from pp_host.broker.asker import Asker, Means
from pp_host.broker.keeping import CAPABILITIES
from pp_host.broker.quota import PerCall, TokenBucket
from pp_host.broker.table import REQUESTS, Broker
from pp_host.errors import PluginViolation, RecordError, RequestRefused
from pp_host.limits import LIMITS
from pp_host.model import SECOND, PluginRef
from pp_sdk.testing.fake_host import PATIENCE
from pp_sdk.testing.storage import FILES_MOST, REFUSALS_PER_CALL, WRITES_PER_CALL
from pp_sdk.wire import messages
from pp_sdk.wire.frames import ProtocolError

pytestmark = pytest.mark.anyio
PLUGIN = PluginRef("test.plugin", "1.0.0", "0" * 64)
VALUE = b"\x00secret"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Record:
    def __init__(self) -> None:
        self.entries: list[tuple[str, dict[str, Any], dict[str, Any]]] = []
        self.broken = False

    def append(self, event: str, subject: Any, **more: Any) -> int:
        if self.broken:
            raise RecordError("full")
        self.entries.append((event, dict(subject), more))
        return len(self.entries) - 1

    async def durable(self, seq: int) -> None:
        raise AssertionError


class Values:
    """A store in a dictionary that refuses what the test says."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.refuse: RequestRefused | None = None

    def get(self, name: str) -> bytes | None:
        return self.kept.get(name)

    def names(self, prefix: str, after: str) -> tuple[list[str], bool]:
        return [name for name in sorted(self.kept) if name.startswith(prefix) and name > after], False

    def put(self, name: str, value: bytes) -> None:
        if self.refuse is not None:
            raise self.refuse
        self.kept[name] = value

    def delete(self, name: str) -> bool:
        return self.kept.pop(name, None) is not None


class Lines:
    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def append(self, name: str, data: bytes) -> int:
        self.files[name] = self.files.get(name, b"") + data
        return 7


@pytest.fixture
def record() -> Record:
    return Record()


@pytest.fixture
def ask(record: Record) -> Any:
    """ask(asker, method, **fields): the answer to a request whose body is made of the fields."""
    broker = Broker(Means(None, record))  # type: ignore[arg-type]  # nobody asks for the time

    async def asking(asker: Asker, method: str, **fields: Any) -> Struct:
        return await broker.answer(asker, method, Raw(msgspec.msgpack.encode(fields)))

    return asking


@pytest.fixture
def asker(new_asker: Any) -> Asker:
    made: Asker = new_asker(values=Values(), lines=Lines())
    return made


BODIES: dict[str, dict[str, Any]] = {
    "kv.get": {"name": "k"},
    "kv.put": {"name": "k", "value": b"v"},
    "kv.delete": {"name": "k"},
    "kv.keys": {"prefix": "", "after": ""},
    "file.append": {"file": "f", "lines": ["x"]},
}


async def test_a_value_goes_in_and_comes_out(ask: Any, asker: Asker, record: Record) -> None:
    assert await ask(asker, "kv.put", name="a/b", value=VALUE) == messages.Done()
    assert await ask(asker, "kv.get", name="a/b") == messages.KvValue(value=VALUE)
    assert await ask(asker, "kv.keys", prefix="a/", after="") == messages.KvPage(names=["a/b"], more=False)
    assert await ask(asker, "kv.delete", name="a/b") == messages.Done()
    assert await ask(asker, "kv.get", name="a/b") == messages.KvValue(value=None)
    digest = hashlib.sha256(VALUE).hexdigest()
    assert [(event, subject) for event, subject, _ in record.entries] == [
        ("storage.put", {"key": "a/b", "bytes": 7, "sha256": digest}),
        ("storage.delete", {"key": "a/b", "existed": True}),
    ]
    assert {
        (more["plugin"], more["verdict"], more["capability"], more["rule"]) for _, _, more in record.entries
    } == {(PLUGIN, "allow", "storage.kv", "grant")}


async def test_lines_are_whole_and_recorded_by_their_digest(ask: Any, asker: Asker, record: Record) -> None:
    assert await ask(asker, "file.append", file="f.txt", lines=["one", "zw\u00f6lf\t"]) == messages.Done()
    data = "one\nzw\u00f6lf\t\n".encode()
    assert asker.lines.files == {"f.txt": data}
    ((event, subject, _),) = record.entries
    digest = hashlib.sha256(data).hexdigest()
    assert (event, subject) == (
        "storage.append",
        {"file": "f.txt", "lines": 2, "bytes": len(data), "sha256": digest, "cut": 7},
    )


def test_every_request_that_keeps_things_names_its_capability() -> None:
    assert set(CAPABILITIES) == set(BODIES) == set(REQUESTS) - {"clock.now"}


@pytest.mark.parametrize("method", BODIES)
async def test_without_the_capability_it_is_refused_recorded_and_goes_on(
    ask: Any, asker: Asker, new_asker: Any, record: Record, method: str
) -> None:
    bare = new_asker()
    with pytest.raises(RequestRefused) as refused:
        await ask(bare, method, **BODIES[method])
    assert (refused.value.code, str(refused.value)) == (
        "not_granted",
        f"{CAPABILITIES[method]} was not granted to this plugin",
    )
    ((event, subject, more),) = record.entries
    assert (event, subject) == ("capability.deny", {"method": method, "code": "not_granted"})
    assert (more["capability"], more["verdict"], more["plugin"]) == (CAPABILITIES[method], "deny", PLUGIN)
    await ask(asker, method, **BODIES[method])  # the same, granted


async def test_who_goes_on_asking_for_what_was_refused_ends(
    ask: Any, new_asker: Any, called: Any, record: Record
) -> None:
    bare, most = new_asker(), LIMITS.wire.refusals_per_call
    for _ in range(5):  # calls, as fast as a tape brings them
        for _ in range(most):
            with pytest.raises(RequestRefused):
                await ask(bare, "kv.get", name="k")
        called.calls += 1
    for _ in range(most):
        with pytest.raises(RequestRefused):
            await ask(bare, "kv.get", name="k")
    with pytest.raises(PluginViolation, match="more than 16 refused requests for each call of a hook"):
        await ask(bare, "kv.get", name="k")
    assert len(record.entries) == 6 * most + 1


async def test_a_refused_put_is_no_entry_but_its_refusal(ask: Any, asker: Asker, record: Record) -> None:
    asker.values.refuse = RequestRefused("over_quota", "too much")
    with pytest.raises(RequestRefused, match="too much"):
        await ask(asker, "kv.put", name="k", value=VALUE)
    assert [(event, subject["code"]) for event, subject, _ in record.entries] == [
        ("capability.deny", "over_quota")
    ]
    assert asker.values.kept == {}
    asker.values.refuse = None
    await ask(asker, "kv.put", name="k", value=VALUE)
    assert asker.values.kept == {"k": VALUE}


async def test_so_many_changes_a_call_and_reads_do_not_count(
    ask: Any, new_asker: Any, called: Any, record: Record
) -> None:
    asker = new_asker(values=Values(), lines=Lines(), writes=PerCall(3, called))
    await ask(asker, "kv.put", name="a", value=b"")
    await ask(asker, "kv.delete", name="a")
    await ask(asker, "file.append", file="f", lines=[""])
    for method in ("kv.put", "kv.delete", "file.append"):
        with pytest.raises(RequestRefused) as refused:
            await ask(asker, method, **BODIES[method])
        assert refused.value.code == "too_often"
    for _ in range(100):
        await ask(asker, "kv.get", name="a")
    assert (asker.values.kept, asker.lines.files) == ({}, {"f": b"\n"})
    assert len(record.entries) == 6, "three changes, three refusals, no reads"
    called.calls += 1
    await ask(asker, "kv.put", name="a", value=b"")


@pytest.mark.parametrize("events", [1, 2, 64])
async def test_a_delivery_of_many_events_is_as_many_calls_of_the_hook(
    ask: Any, asker: Asker, called: Any, events: int
) -> None:
    most = LIMITS.keep.writes_per_call
    called.calls, called.hook_calls = 1, events
    for _ in range(most * events):
        await ask(asker, "file.append", file="f", lines=["x"])
    with pytest.raises(RequestRefused) as refused:
        await ask(asker, "file.append", file="f", lines=["x"])
    assert (refused.value.code, str(refused.value)) == (
        "too_often",
        "no more than 16 changes for each call of a hook",
    )
    called.calls, called.hook_calls = 2, 1
    for _ in range(most):
        await ask(asker, "file.append", file="f", lines=["x"])
    with pytest.raises(RequestRefused, match="no more than 16 changes"):
        await ask(asker, "file.append", file="f", lines=["x"])
    assert asker.lines.files["f"] == b"x\n" * most * (events + 1)


async def test_reading_without_end_is_paced_and_never_refused(
    ask: Any, new_asker: Any, record: Record
) -> None:
    now = [0.0]
    looks = []

    def clock() -> float:
        looks.append(now[0])
        now[0] += 0.5
        return now[0]

    asker = new_asker(values=Values(), read_bytes=TokenBucket(100, 200, clock))
    asker.values.kept["k"] = bytes(100)
    before = len(looks)
    for _ in range(6):
        assert await ask(asker, "kv.get", name="k") == messages.KvValue(value=bytes(100))
    assert len(looks) - before > 6, "some were asked to wait"
    assert record.entries == []


def test_the_fake_host_has_the_hosts_bounds() -> None:
    assert LIMITS.keep.writes_per_call == WRITES_PER_CALL
    assert LIMITS.wire.refusals_per_call == REFUSALS_PER_CALL
    assert LIMITS.keep.files == FILES_MOST
    assert LIMITS.supervision.output_batch_seconds == PATIENCE / SECOND


async def test_each_reaches_its_own_whatever_it_names(ask: Any, asker: Asker, new_asker: Any) -> None:
    neighbour = new_asker("test.neighbour", values=Values())
    await ask(neighbour, "kv.put", name="k", value=VALUE)
    for name in ("k", "test.neighbour/k", "../test.neighbour/k", "test.neighbour.db", "%", "_", "'--", "*"):
        assert await ask(asker, "kv.get", name=name) == messages.KvValue(value=None)
    assert await ask(asker, "kv.keys", prefix="", after="") == messages.KvPage(names=[], more=False)
    assert await ask(neighbour, "kv.get", name="k") == messages.KvValue(value=VALUE)


@pytest.mark.parametrize("name", ["", "a b", "a\0b", "a\n", "\u00e9", "x" * 129, "\x7f"])
async def test_what_is_no_key_ends_the_plugin(ask: Any, asker: Asker, name: str) -> None:
    for method, more in (("kv.get", {}), ("kv.put", {"value": b""}), ("kv.delete", {})):
        with pytest.raises(ProtocolError, match="not what the protocol says"):
            await ask(asker, method, name=name, **more)
    assert asker.values.kept == {}


@pytest.mark.parametrize("name", ["x", "x" * 128, "a/../b", "..", "/etc/passwd", "~!'\"$;"])
async def test_any_other_name_is_a_key_and_no_path(ask: Any, asker: Asker, name: str) -> None:
    await ask(asker, "kv.put", name=name, value=VALUE)
    assert asker.values.kept == {name: VALUE}


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".hidden", "a/b", "/etc/passwd", "../f", "a\0", "a\n", "A", "\u00e9", "x" * 65]
)
async def test_what_is_no_files_name_ends_the_plugin(ask: Any, asker: Asker, name: str) -> None:
    with pytest.raises(ProtocolError, match="not what the protocol says"):
        await ask(asker, "file.append", file=name, lines=["x"])
    assert asker.lines.files == {}


@pytest.mark.parametrize("name", ["f", "a..b", "-rf", "_", "x" * 64, "events-2026-01-31.jsonl"])
async def test_any_other_name_is_a_file(ask: Any, asker: Asker, name: str) -> None:
    await ask(asker, "file.append", file=name, lines=["x"])
    assert asker.lines.files == {name: b"x\n"}


@pytest.mark.parametrize("line", ["a\nb", "a\r", "\x1b[2J", "\0", "\x7f", "\x85", "x" * 65_537])
async def test_what_is_no_line_ends_the_plugin(ask: Any, asker: Asker, line: str) -> None:
    with pytest.raises(ProtocolError, match="not what the protocol says"):
        await ask(asker, "file.append", file="f", lines=["fine", line])
    assert asker.lines.files == {}


@pytest.mark.parametrize("lines", [[], ["x"] * 1001])
async def test_so_many_lines_at_once(ask: Any, asker: Asker, lines: list[str]) -> None:
    with pytest.raises(ProtocolError):
        await ask(asker, "file.append", file="f", lines=lines)
    await ask(asker, "file.append", file="f", lines=["x"] * 1000)
    assert asker.lines.files["f"].count(b"\n") == 1000


async def test_a_value_has_a_size(ask: Any, asker: Asker) -> None:
    with pytest.raises(ProtocolError):
        await ask(asker, "kv.put", name="k", value=bytes(messages.VALUE_BYTES + 1))
    await ask(asker, "kv.put", name="k", value=bytes(messages.VALUE_BYTES))
    assert len(asker.values.kept["k"]) == 262_144
