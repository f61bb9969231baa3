"""The protocol's bytes, pinned: what these vectors say, every SDK in every language must say.

A change that breaks one of them is another protocol and needs another version number.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from pp_sdk.events import Detail, Event
from pp_sdk.table import MarketRow, MarketTable, build
from pp_sdk.wire.connection import Connection, EventReceived
from pp_sdk.wire.frames import ERROR, EVENT, REPLY, REQUEST, FrameDecoder, ProtocolError, encode
from pp_sdk.wire.messages import METHODS, Failure, Side, State, decode_body

VECTORS = Path(__file__).parent / "wire"


def vectors(name: str, key: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((VECTORS / f"{name}.json").read_text())[key]
    return found


DIALOGUE = vectors("dialogue", "frames")
TABLES = vectors("tables", "tables")
REFUSED = vectors("refused", "frames")


def kind(vector):
    """The type of a vector's body."""
    method = METHODS[vector["method"]]
    return {REQUEST: method.request, EVENT: method.request, REPLY: method.reply, ERROR: Failure}[
        vector["type"]
    ]


def plain(body):
    """A body as JSON would have it, bytes in hexadecimal."""
    value = msgspec.to_builtins(body, builtin_types=(bytes,))
    return {name: item.hex() if isinstance(item, bytes) else item for name, item in value.items()}


@pytest.mark.parametrize(
    "vector", DIALOGUE, ids=lambda vector: f"{vector['type']}-{vector['id']}-{vector['method']}"
)
def test_a_frame_has_these_bytes_and_no_others(vector):
    data = bytes.fromhex(vector["hex"])
    (frame,) = FrameDecoder().feed(data)
    body = decode_body(frame.body, kind(vector))
    assert (frame.type, frame.id, frame.method) == (vector["type"], vector["id"], vector["method"])
    assert json.loads(json.dumps(plain(body))) == vector["body"]
    assert list(plain(body)) == list(vector["body"])
    assert encode(frame.type, frame.id, frame.method, body) == data


def test_the_dialogue_is_legal_from_end_to_end():
    ends = {Side.HOST: Connection(Side.HOST), Side.PLUGIN: Connection(Side.PLUGIN)}
    for vector in DIALOGUE:
        sender = Side(vector["sender"])
        receiver = Side.PLUGIN if sender is Side.HOST else Side.HOST
        data = bytes.fromhex(vector["hex"])
        assert said(ends[sender], vector) == data
        received = ends[receiver].receive(data)
        dropped = vector["type"] == ERROR and vector["body"]["code"] == "cancelled"
        assert len(received) == (0 if dropped else 1)
    assert ends[Side.HOST].state is State.STOPPING


def said(end: Connection, vector: dict[str, Any]) -> bytes:
    """What `end` says when it is asked to say this."""
    body = decode_body(FrameDecoder().feed(bytes.fromhex(vector["hex"]))[0].body, kind(vector))
    if vector["method"] == "cancel":
        return end.cancel(body.id)
    match vector["type"]:
        case 0:
            return end.request(vector["method"], body)[1]
        case 1:
            return end.reply(vector["id"], body)
        case 2:
            return end.fail(vector["id"], body)
        case _:
            return end.event(vector["method"], body)


def test_every_message_has_a_vector():
    seen = {(vector["method"], vector["type"]) for vector in DIALOGUE}
    for name, method in METHODS.items():
        assert (name, EVENT if method.reply is None else REQUEST) in seen
    answers = {name for name, kind in seen if kind == REPLY}
    assert answers >= {name for name, method in METHODS.items() if method.reply is not None}
    assert {REQUEST, REPLY, ERROR, EVENT} == {kind for _, kind in seen}


def test_every_kind_of_event_has_a_vector():
    told = [event for vector in DIALOGUE for event in vector["body"].get("events", ())]
    assert {event["kind"] for event in told} == {kind.__struct_config__.tag for kind in get_args(Event)}
    assert {event["detail"] for event in told} == set(get_args(Detail))


@pytest.mark.parametrize("vector", TABLES, ids=lambda vector: vector["name"])
def test_a_table_has_these_bytes_and_no_others(vector):
    rows = [msgspec.convert(row, MarketRow) for row in vector["rows"]]
    block = build(rows).block
    assert hashlib.sha256(block).hexdigest() == vector["sha256"]
    assert vector["hex"] in {block.hex(), None}
    assert [row.to_market_row() for row in MarketTable.decode(block)] == rows


@pytest.mark.parametrize("vector", REFUSED, ids=lambda vector: vector["meaning"])
def test_a_host_refuses_these_bytes(vector):
    with pytest.raises(ProtocolError) as caught:
        Connection(Side.HOST).receive(bytes.fromhex(vector["hex"]))
    assert vector["error"] in str(caught.value)


def test_a_host_takes_the_first_frame_of_the_dialogue():
    (hello,) = Connection(Side.HOST).receive(bytes.fromhex(DIALOGUE[0]["hex"]))
    assert isinstance(hello, EventReceived)
