"""Right spellings of wrong values: what a fuzzer of bytes seldom writes."""

from __future__ import annotations

import copy
import json
from contextlib import suppress
from functools import cache
from random import Random
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pp_host.errors import OperatorError
from pp_host.trust import manifest
from pp_sdk.wire.connection import Connection, NotNow
from pp_sdk.wire.frames import FrameDecoder, ProtocolError
from pp_sdk.wire.messages import METHODS, Side, State, decode_body

from tests.escape.protocol.foreign import message, pack
from tests.fuzz.targets import KINDS, LINE, check_table, dialogue, kind_of, manifests, tables

numbers = st.integers(-(2**63), 2**64 - 1) | st.sampled_from(
    [-1, 0, 1, 2**31, 2**53, 2**62, 2**62 + 1, 2**63]
)
words = st.text(max_size=300) | st.sampled_from(
    ["hello", "decide", "log.write", "kv.get", "x" * 4001, "\x1b[2J", "m1"]
)
leaves = st.none() | st.booleans() | numbers | st.floats() | words | st.binary(max_size=40)
anything = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(words, inner, max_size=5),
    max_leaves=12,
)


@given(
    state=st.sampled_from(State),
    kind=numbers,
    number=numbers,
    method=st.sampled_from(list(METHODS)) | words,
    body=anything,
)
def test_any_envelope_in_any_state_is_legal_or_refused(
    state: State, kind: int, number: int, method: str, body: Any
) -> None:
    host = Connection(Side.HOST)
    host.enter(state)
    with suppress(ProtocolError):
        for one in host.receive(message(kind % 5, number, method, body)):
            rule = METHODS[one.method]  # type: ignore[union-attr]  # nothing was asked, so nothing is answered
            assert rule.sender is Side.PLUGIN
            assert state in rule.states


@given(kind=st.sampled_from(KINDS), body=anything)
def test_any_value_as_a_body_is_of_its_type_or_refused(kind: Any, body: Any) -> None:
    spelled = pack(body)
    with suppress(ProtocolError):
        assert msgspec.msgpack.encode(decode_body(spelled, kind)) == spelled


@cache
def spoken() -> list[tuple[Any, Any]]:
    """Every body of the vectors as its type and its plain value."""
    found = []
    for frame in dialogue():
        (one,) = FrameDecoder().feed(bytes.fromhex(frame["hex"]))
        found.append((kind_of(frame["method"], frame["type"]), msgspec.msgpack.decode(one.body)))
    return found


def places(value: Any) -> list[tuple[Any, ...]]:
    """The way to everything inside a value."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(), *((key, *way) for key, inner in pairs for way in places(inner))]


def changed(value: Any, way: tuple[Any, ...], to: Any) -> Any:
    if not way:
        return to
    made = copy.copy(value)
    made[way[0]] = changed(made[way[0]], way[1:], to)
    return made


@given(data=st.data(), to=anything)
def test_a_right_body_with_one_value_changed_is_of_its_type_or_refused(data: st.DataObject, to: Any) -> None:
    kind, body = data.draw(st.sampled_from(spoken()))
    spelled = pack(changed(body, data.draw(st.sampled_from(places(body))), to))
    with suppress(ProtocolError):
        assert msgspec.msgpack.encode(decode_body(spelled, kind)) == spelled


@given(
    data=st.data(),
    to=st.integers(-(2**63), 2**63 - 1) | st.sampled_from([0, 1, -1, 2, 999_999, 10**6, 2**62]),
)
def test_two_judges_agree_on_a_right_table_with_one_cell_changed(data: st.DataObject, to: int) -> None:
    block = bytearray(data.draw(st.sampled_from([one for one in tables() if len(one) > 48 + 8])))
    at = 48 + 8 * data.draw(st.integers(0, (len(block) - 48) // 8 - 1))
    block[at : at + 8] = to.to_bytes(8, "little", signed=True)
    check_table(bytes(block), Random(0))


@given(data=st.data(), to=anything)
def test_a_right_manifest_with_one_value_changed_is_one_or_a_line_that_says_where(
    data: st.DataObject, to: Any
) -> None:
    """JSON is YAML; what JSON cannot say is said as a text."""
    whole = yaml.safe_load(data.draw(st.sampled_from(manifests()[:-2])))
    way = data.draw(st.sampled_from(places(whole)))
    text = json.dumps(changed(whole, way, to), default=str, ensure_ascii=data.draw(st.booleans()))
    try:
        manifest.parse(text.encode(errors="replace"))
    except OperatorError as error:
        assert LINE.match(str(error)) or "larger than" in str(error), error
        assert "\n" not in str(error)


def test_the_unchanged_are_taken() -> None:
    for kind, body in spoken():
        decode_body(pack(body), kind)
    for text in manifests()[:-2]:
        manifest.parse(json.dumps(yaml.safe_load(text)).encode())


@pytest.mark.parametrize("state", State)
def test_a_host_never_says_what_the_table_does_not_allow(state: State) -> None:
    """The other direction: our own side refuses to speak out of turn, so a plugin may rely on the table."""
    host = Connection(Side.HOST)
    host.enter(state)
    for name, method in METHODS.items():
        allowed = method.sender is Side.HOST and state in method.states
        if method.reply is None and name != "cancel":
            with pytest.raises(NotNow):
                host.event(name, None)
        elif name != "cancel" and not allowed:
            with pytest.raises(NotNow):
                host.request(name, None)
