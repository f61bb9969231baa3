"""What reads a stranger's bytes: for each, valid examples, and what must hold of anything at all.

A check returns quietly when the bytes were taken in their one spelling, or refused by the documented error. Whatever
else happens is a bug, and fails the test.
"""

from __future__ import annotations

import base64
import json
import re
import struct
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import msgspec
from pp_host.errors import OperatorError
from pp_host.trust import archive, envelope, manifest, schema, yamltext
from pp_host.trust.keys import SigningKey
from pp_sdk.archive import ArchiveError, read_archive
from pp_sdk.table import Books, Columns, MarketRow, MarketTable, TableError, Texts, build, narrow
from pp_sdk.wire.connection import Connection, ErrorReceived, ReplyReceived
from pp_sdk.wire.frames import ERROR, EVENT, REPLY, FrameDecoder, ProtocolError, encode
from pp_sdk.wire.messages import METHODS, Failure, Side, State, decode_body

from tests.fuzz import table_judge

ROOT = Path(__file__).parents[2]
WIRE = ROOT / "tests" / "vectors" / "wire"
LINE = re.compile(r"plugin\.yaml:\d+: .")
ORDER = list(State)


class Target(NamedTuple):
    corpus: Callable[[], list[bytes]]
    check: Callable[[bytes, Random], None]
    rounds: int  # in a second or two


@cache
def dialogue() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((WIRE / "dialogue.json").read_text())["frames"]
    return found


def frames() -> list[bytes]:
    spoken = [bytes.fromhex(frame["hex"]) for frame in dialogue()]
    refused = json.loads((WIRE / "refused.json").read_text())["frames"]
    return [*spoken, b"".join(spoken[:6]), *(bytes.fromhex(frame["hex"]) for frame in refused)]


def check_frames(data: bytes, random: Random) -> None:
    """However the bytes are cut into reads, the same frames come out, each in the spelling it came in."""
    decoder, whole, spelled, at = FrameDecoder(), FrameDecoder(), b"", 0
    try:
        while at < len(data):
            size = random.choice((1, 2, 7, 64, 4096))
            for frame in decoder.feed(data[at : at + size]):
                spelled += encode(frame.type, frame.id, frame.method, frame.body)
            at += size
    except ProtocolError:
        refused = True
    else:
        refused = False
    assert data.startswith(spelled)
    try:
        assert b"".join(encode(f.type, f.id, f.method, f.body) for f in whole.feed(data)) == spelled
        assert not refused
    except ProtocolError:
        assert refused


def bodies() -> list[bytes]:
    """Which type, then the body."""
    found = []
    for frame in dialogue():
        (one,) = FrameDecoder().feed(bytes.fromhex(frame["hex"]))
        found.append(bytes([KINDS.index(kind_of(frame["method"], frame["type"]))]) + bytes(one.body))
    return found


def kind_of(method: str, kind: int) -> Any:
    return Failure if kind == ERROR else METHODS[method].reply if kind == REPLY else METHODS[method].request


KINDS = list(dict.fromkeys(kind_of(name, kind) for name in METHODS for kind in (0, REPLY, ERROR)))


def check_body(data: bytes, random: Random) -> None:
    kind = KINDS[data[0] % len(KINDS)] if data else None
    if kind is None:
        return
    with suppress(ProtocolError):
        value = decode_body(data[1:], kind)
        assert msgspec.msgpack.encode(value) == data[1:]


def check_dialogue(data: bytes, random: Random) -> None:
    """A host in mid-dialogue is told `data` by its plugin: it moves downwards, owes little, and types all it takes."""
    host, told = Connection(Side.HOST), random.randrange(len(dialogue()))
    plugin = [bytes.fromhex(frame["hex"]) for frame in dialogue()[:told] if frame["sender"] == "plugin"]
    asked: dict[int, str] = {}
    for frame in dialogue()[:told]:
        if frame["sender"] == "plugin":
            host.receive(plugin.pop(0))
        elif frame["type"] == 0:
            body = decode_body(
                FrameDecoder().feed(bytes.fromhex(frame["hex"]))[0].body, kind_of(frame["method"], 0)
            )
            number, _ = host.request(frame["method"], body)
            asked[number] = frame["method"]
        elif frame["type"] == EVENT:
            host.cancel(frame["body"]["id"])
        else:
            host._owed.pop(frame["id"], None)  # its words do not matter here, only that it was answered
    before = ORDER.index(host.state)
    with suppress(ProtocolError):
        for one in host.receive(data):
            if isinstance(one, ReplyReceived):
                decode_body(one.body, METHODS[asked[one.id]].reply)
            elif not isinstance(one, ErrorReceived):
                decode_body(one.body, METHODS[one.method].request)
    assert ORDER.index(host.state) >= before
    assert len(host._owed) <= 64


TWO = [
    MarketRow(id="m1", status=2, yes_payout=10**6, yes_bids=((2, 5), (1, 5)), yes_asks=((3, 5), (4, 6), (9, 0)), venue="v"),
    MarketRow(id="m2", question="\u00e9?", no_bids=((3, 1),), no_asks=((4, 1), (5, 1)), fee_rate=1, ends_at=7, venue="v"),
]  # fmt: skip


def tables() -> list[bytes]:
    rows = json.loads((WIRE / "tables.json").read_text())["tables"]
    return [*(bytes.fromhex(table["hex"]) for table in rows if table["hex"]), bytes(build(TWO).block)]


def check_table(data: bytes, random: Random) -> None:
    """Taken exactly when the second judge takes it too; and then in its one spelling, whole and in part."""
    right = table_judge.accepts(data)
    with suppress(TableError):
        table = MarketTable.decode(data)
        assert right, "taken, and not a table by the protocol's page"
        right = False
        assert build([row.to_market_row() for row in table]).block == data
        some = [index for index in range(len(table)) if random.random() < 0.5]
        assert narrow(table, some).block == build([table[index].to_market_row() for index in some]).block
    assert not right, "refused, and a table by the protocol's page"


def resized(data: bytes, random: Random) -> None:
    """The same with a header that tells the right length, as an attacker would write it."""
    check_table(data[:8] + struct.pack("<Q", len(data)) + data[16:], random)


def odd_tables(data: bytes, random: Random) -> None:
    """Tables whose parts fit together and whose values lie at their bounds, or just beyond."""
    rows = random.choice((1, 1, 2, 3))
    sides = {
        side: [odd_book(random, side.endswith("bid")) for _ in range(rows)] for side in table_judge.SIDES
    }
    ints = {name: [odd(random, *bounds) for _ in range(rows)] for name, bounds in table_judge.COLUMNS.items()}
    if random.random() < 0.95:
        ints["yes_payout"] = [
            pays * (status == 2) for status, pays in zip(ints["status"], ints["yes_payout"], strict=True)
        ]
    valid = {name: flags([cell != 0 for cell in ints[name]], random) for name in table_judge.NULLABLE}
    for side, books in sides.items():
        ints[side] = [book[0][0] if book else 0 for book in books]
        ints[f"{side}_size"] = [book[0][1] if book else 0 for book in books]
        valid[side] = valid[f"{side}_size"] = flags([book != () for book in books], random)
    texts = {
        name: [odd_text(random, name, most) for _ in range(rows)] for name, most in table_judge.TEXTS.items()
    }
    columns = Columns(texts=Texts.of(texts), ints=ints, valid=valid, books=Books.of(sides.values()))
    check_table(columns.block(), random)


def odd(random: Random, low: int, high: int) -> int:
    return random.choice((low, high) if random.random() < 0.99 else (low - 1, high + 1))


def odd_book(random: Random, falling: bool) -> tuple[tuple[int, int], ...]:
    if random.random() < 0.5:
        return ()
    depth = random.choice((1, 1, 2, 3, 20) * 8 + (21,))
    start = random.choice(((1, 500) if falling else (600, 999_979)) * 20 + (0, 490, 510, 999_980))
    prices = [*range(start, start + depth)]
    if random.random() < 0.05:
        random.shuffle(prices)
    return tuple((price, random.choice((0, 1, 2**62))) for price in (reversed(prices) if falling else prices))


def odd_text(random: Random, name: str, most: int) -> str:
    own = [f"{name}{number}" for number in range(40)] if name == "id" else ["x", "", "\u00e9"] * 13
    return random.choice(
        [*own, "x" * most, "\u00e9" * (most // 2), *(("", "x" * (most + 1)) if random.random() < 0.3 else ())]
    )


def flags(known: list[bool], random: Random) -> bytes:
    bits = sum(1 << index for index, one in enumerate(known) if one)
    return (bits ^ (random.random() < 0.005)).to_bytes(8, "little")


def manifests() -> list[bytes]:
    found = [path.read_bytes() for path in sorted(ROOT.glob("plugins_builtin/*/plugin.yaml"))]
    return [*found, b"schema: x\n", b"a: [1, {b: c}]\n"]


def check_manifest(data: bytes, random: Random) -> None:
    """One line that names file and line, or a manifest whose text is text."""
    for read in (lambda: yamltext.load(data, manifest.FILE).value, lambda: manifest.parse(data)):
        try:
            msgspec.msgpack.encode(read())
        except OperatorError as error:
            assert LINE.match(str(error)) or "larger than" in str(error), error
            assert "\n" not in str(error)
            assert len(str(error)) < 1000


def schemas() -> list[bytes]:
    return [path.read_bytes() for path in sorted(ROOT.glob("plugins_builtin/*/*.json"))]


def check_schema(data: bytes, random: Random) -> None:
    with suppress(OperatorError):
        settings = schema.validate_config(schema.read_schema(data, "config.json"), {})
        msgspec.msgpack.encode(settings)  # what `configure` will carry


def archives() -> list[bytes]:
    files = {"plugin.yaml": b"id: x\n", "agent.py": b"plugin = 1\n" * 20, "data/words.txt": b""}
    return [archive.write(files), archive.write({"a": b""}), archive.write({})]


def check_archive(data: bytes, random: Random) -> None:
    """The host takes only what it would write; the loader inside reads no byte beyond what it was given."""
    with suppress(OperatorError):
        assert archive.write(archive.read(data)) == data
    with suppress(ArchiveError):
        for view in read_archive(memoryview(data)).values():
            assert len(view) <= len(data)


def envelopes() -> list[bytes]:
    statement = envelope.state("0" * 64, "org.example.x", "1.0.0", "1" * 64, datetime(2026, 1, 1, tzinfo=UTC))
    return [envelope.sign(statement, SigningKey.generate())]


def check_envelope(data: bytes, random: Random) -> None:
    with suppress(OperatorError):
        assert envelope.encode(envelope.decode(data)) == data


def check_statement(data: bytes, random: Random) -> None:
    """The same with the changes inside the payload."""
    (whole,) = envelopes()
    inner = json.loads(whole)["dsseEnvelope"]["payload"]
    check_envelope(whole.replace(inner.encode(), base64.b64encode(data)), random)


def statements() -> list[bytes]:
    return [base64.b64decode(json.loads(one)["dsseEnvelope"]["payload"]) for one in envelopes()]


TARGETS = {
    "frames": Target(frames, check_frames, 8000),
    "bodies": Target(bodies, check_body, 20_000),
    "dialogue": Target(frames, check_dialogue, 1500),
    "tables": Target(tables, check_table, 3000),
    "tables of the right length": Target(tables, resized, 3000),
    "tables of odd values": Target(lambda: [b""], odd_tables, 800),
    "manifest": Target(manifests, check_manifest, 120),
    "settings": Target(schemas, check_schema, 4000),
    "archive": Target(archives, check_archive, 6000),
    "envelope": Target(envelopes, check_envelope, 8000),
    "statement": Target(statements, check_statement, 1500),
}
