"""Bodies: each has one spelling, and nothing but the fields of its type."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pp_sdk.hooks import PluginHooks
from pp_sdk.session import HOOKS
from pp_sdk.types import Advice, Decision, Keep, Shrink, Veto
from pp_sdk.wire.frames import ProtocolError
from pp_sdk.wire.messages import (
    METHODS,
    Decided,
    Failure,
    Hello,
    Load,
    LogWrite,
    Now,
    Side,
    State,
    decode_body,
)

ENCODE = msgspec.msgpack.encode


def wish(**fields):
    return {
        "market": "m",
        "outcome": "yes",
        "side": "buy",
        "probability": 0.5,
        "confidence": 1.0,
        "limit_price": None,
        "max_spend": None,
        "rationale": "",
        **fields,
    }


@given(st.lists(st.builds(Decision, market=st.just("m"), outcome=st.just("yes"), side=st.sampled_from(["buy", "sell"]),
                          probability=st.floats(allow_nan=False), limit_price=st.none() | st.integers(-(2**62), 2**62)),
                max_size=5))  # fmt: skip
def test_a_body_that_was_encoded_here_comes_back(decisions):
    body = Decided(decisions=decisions)
    assert decode_body(ENCODE(body), Decided) == body


@pytest.mark.parametrize(
    ("advice", "wire"),
    [
        (Keep(), {"type": "keep"}),
        (Shrink(shares=5, reason="r"), {"type": "shrink", "shares": 5, "reason": "r"}),
        (Veto(reason="r"), {"type": "veto", "reason": "r"}),
    ],
)
def test_advice_is_told_apart_by_its_type(advice, wire):
    assert ENCODE(advice) == ENCODE(wire)
    assert decode_body(ENCODE(wire), Advice) == advice


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"now": 1, "later": 2}, Now),  # unknown field
        ({}, Now),  # missing field
        ({"now": "1"}, Now),
        ({"now": True}, Now),
        ({"now": -1}, Now),
        ({"now": 2**62 + 1}, Now),
        ([1], Now),
        (None, Now),
        ({"level": "loud", "message": ""}, LogWrite),
        ({"level": "info", "message": "x" * 4001}, LogWrite),
        ({"code": "Bad", "message": ""}, Failure),
        ({"code": "a\n", "message": ""}, Failure),
        ({"decisions": [wish()] * 257}, Decided),
        ({"decisions": [wish(side="hold")]}, Decided),
        ({"decisions": [wish(market="x" * 256)]}, Decided),
        ({"decisions": [wish(rationale="x" * 2001)]}, Decided),
        ({"decisions": [wish(limit_price=2**62 + 1)]}, Decided),
        ({"decisions": [wish(limit_price=0.5)]}, Decided),
        ({"decisions": [wish(key="secret")]}, Decided),
        ({"archive_bytes": 2**32 + 1, "module": "m", "object": "o", "hooks": []}, Load),
        ({"archive_bytes": 1, "module": "m", "object": "o", "hooks": ["steal"]}, Load),
        (
            {"protocol": 1, "sdk": "", "python": "", "selfcheck": {str(n): 1 for n in range(65)}, "ext": {}},
            Hello,
        ),
        (
            {"protocol": 1, "sdk": "", "python": "", "selfcheck": {}, "ext": {str(n): "" for n in range(17)}},
            Hello,
        ),
        ({"type": "allow"}, Advice),
        ({"type": "shrink", "shares": -1, "reason": ""}, Advice),
    ],
)
def test_bodies_outside_their_type_are_refused(body, kind):
    with pytest.raises(ProtocolError, match="not what the protocol says"):
        decode_body(ENCODE(body), kind)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"\x81\xa3now\xcd\x00\x01", Now),  # an integer in three bytes that fits in one
        (b"\xde\x00\x01\xa3now\x01", Now),  # map16 for one entry
        (b"\x82\xa3now\x01\xa3now\x01", Now),  # a key twice
        (ENCODE({"message": "", "level": "info"}), LogWrite),  # fields in another order
        (ENCODE({"decisions": [wish(probability=1)]}), Decided),  # an integer where a float belongs
        (
            ENCODE({"decisions": [{k: v for k, v in wish().items() if k != "rationale"}]}),
            Decided,
        ),  # a default left out
        (b"\x81\xa9decisions\xdc\x00\x00", Decided),  # array16 for none
    ],
)
def test_other_spellings_of_the_same_thing_are_refused(body, kind):
    assert msgspec.msgpack.decode(body, type=kind) is not None
    with pytest.raises(ProtocolError, match="not canonical"):
        decode_body(body, kind)


@pytest.mark.parametrize(
    "body", [b"", b"\xc1", b"\x81\xa3now", b"\x81\xa3now\x01\x00", b"\x91" * 100_000 + b"\xc0"]
)
def test_broken_bytes_are_refused(body):
    with pytest.raises(ProtocolError):
        decode_body(body, Now)


def test_nan_passes_the_wire_in_a_probability():
    """The core denies it; here it is a float like any other."""
    body = ENCODE({"decisions": [wish(probability=math.nan)]})
    assert math.isnan(decode_body(body, Decided).decisions[0].probability)


def test_the_table_is_whole():
    assert {method.sender for method in METHODS.values()} == set(Side)
    assert all(method.states for method in METHODS.values())
    assert {method.moves for method in METHODS.values()} == set(State) - {State.OPENED} | {None}
    assert [name for name, method in METHODS.items() if method.fds] == ["load", "select", "decide"]


def test_the_hooks_of_the_wire_are_the_hooks_of_the_specification():
    assert set(HOOKS) == {name for name in vars(PluginHooks) if not name.startswith("_")}


def test_only_the_configuration_is_untyped():
    """An untyped value would let a plugin's bytes grow into anything in the host."""
    untyped = set()
    for method in METHODS.values():
        for kind in (method.request, method.reply):
            for struct in msgspec.inspect.multi_type_info([kind]) if kind else ():
                _walk(struct, untyped)
    assert untyped == {"Configure.config"}


def _walk(info, untyped, path=""):
    if isinstance(info, msgspec.inspect.AnyType):
        untyped.add(path)
    if isinstance(info, msgspec.inspect.StructType):
        for field in info.fields:
            _walk(field.type, untyped, f"{info.cls.__name__}.{field.name}")
    for name in ("item_type", "key_type", "value_type"):
        if hasattr(info, name):
            _walk(getattr(info, name), untyped, path)
    for inner in getattr(info, "types", ()) or ():
        _walk(inner, untyped, path)
    if isinstance(getattr(info, "item_types", None), tuple):
        for inner in info.item_types:
            _walk(inner, untyped, path)
