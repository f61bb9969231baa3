"""Entries: one spelling, no floats, nothing in that could not be read back."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pp_host.errors import EntryRefused, RecordError
from pp_host.limits import LIMITS
from pp_host.record.entry import EVENTS, HOST, Actor, Entry, as_map, decode, encode, timestamp

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "RECORD.md"

keys = st.text(st.characters(max_codepoint=127), max_size=8)
text = st.text(max_size=20)
integers = st.integers(-(2**70), 2**70)
values = st.recursive(
    st.none() | st.booleans() | integers | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=8,
)
actors = st.builds(Actor, st.sampled_from(["host", "plugin", "operator"]), text, text, text)


def entry(**changed):
    fields = {
        "seq": 5,
        "ts": "2026-11-22T16:55:21.000000Z",
        "mono_ns": 1,
        "boot": "b",
        "run": "r",
        "actor": HOST,
        "event": "snapshot",
        "subject": {"rows": 3},
    }
    return Entry(**(fields | changed))


@st.composite
def entries(draw):
    seq = draw(st.integers(1, 2**63))
    return entry(
        seq=seq,
        cause=draw(st.none() | st.integers(0, seq - 1)),
        actor=draw(actors),
        capability=draw(text),
        verdict=draw(st.sampled_from(["", "allow", "deny", "error"])),
        rule=draw(text),
        subject=draw(st.dictionaries(keys, values, max_size=5)),
    )


@given(entries())
def test_an_entry_is_read_as_written_and_written_as_read(given_entry):
    body = encode(given_entry)
    assert decode(body) == given_entry
    assert encode(decode(body)) == body


@given(entries(), st.data())
def test_a_changed_byte_gives_another_entry_or_none(given_entry, data):
    body = bytearray(encode(given_entry))
    body[data.draw(st.integers(0, len(body) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        other = decode(bytes(body))
    except RecordError:
        return
    assert other != given_entry
    assert encode(other) == body


class Side(StrEnum):
    BUY = "buy"


class Wish(msgspec.Struct):
    side: Side
    legs: tuple[int, ...] = (1, 2)


def test_structs_and_enums_are_written_as_their_values():
    body = encode(entry(subject=as_map(Wish(Side.BUY)) | {"inner": Wish(Side.BUY), "bare": Side.BUY}))
    subject = decode(body).subject
    assert subject == {
        "side": "buy",
        "legs": [1, 2],
        "inner": {"side": "buy", "legs": [1, 2]},
        "bare": "buy",
    }


class Row(msgspec.Struct, array_like=True):
    a: int


def test_a_struct_that_is_written_as_a_list_is_no_subject():
    with pytest.raises(EntryRefused, match="Row is not written as a map"):
        as_map(Row(1))


class Weighed(msgspec.Struct):
    weight: float


@pytest.mark.parametrize(
    "value",
    [1.0, 0.5, float("nan"), float("inf"), [1, 2.5], {"deep": [{"er": -0.0}]}, Weighed(0.5), (1.5,)],
    ids=repr,
)
def test_a_float_is_refused_wherever_it_hides(value):
    with pytest.raises(EntryRefused, match="holds a float"):
        encode(entry(subject={"price": value}))
    assert decode(encode(entry(subject={"price": 1, "deep": [{"er": 0}]}))).subject["price"] == 1


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (b"raw", "holds a bytes"),
        ({1, 2}, "holds a set"),
        ({1: "a"}, "str keys"),
        ("\ud800", "surrogates"),
        ({"ü": 1}, "not ASCII"),
        (object(), "object"),
    ],
)
def test_what_is_not_plain_is_refused(value, says):
    with pytest.raises(EntryRefused, match=says):
        encode(entry(subject={"a": value}))


def test_a_value_may_be_any_text_but_a_key_may_not():
    assert decode(encode(entry(subject={"name": "ü\u202e\x1b\n"}))).subject == {"name": "ü\u202e\x1b\n"}
    with pytest.raises(EntryRefused, match="key 'ü' is not ASCII"):
        encode(entry(subject={"ü": "name"}))


@pytest.mark.parametrize("nested", [{}, []])
def test_a_bottomless_subject_is_refused(nested):
    for _ in range(100_000):
        nested = [nested]
    with pytest.raises(EntryRefused, match="recursion"):
        encode(entry(subject={"a": nested}))
    while nested:  # taken apart by hand, or freeing it would recurse as deep
        nested = nested.pop()


def test_a_subject_has_sixteen_levels():
    levels = LIMITS.record.subject_levels

    def nested(depth):
        return {"a": nested(depth - 1)} if depth else 1

    assert decode(encode(entry(subject=nested(levels)))).subject == nested(levels)
    with pytest.raises(EntryRefused, match="nested deeper than 16 levels"):
        encode(entry(subject=nested(levels + 1)))


@pytest.mark.parametrize("field", ["run", "capability", "rule", "verdict", "cause", "actor"])
def test_a_field_of_another_type_never_gets_in(field):
    with pytest.raises(EntryRefused, match="record entry snapshot"):
        encode(entry(**{field: 1.5}))
    with pytest.raises(EntryRefused, match="record entry snapshot"):
        encode(entry(**{field: "perhaps" if field == "verdict" else ["x"]}))


def test_an_entry_may_be_as_long_as_the_limit_and_no_longer():
    room = LIMITS.record.entry_bytes - len(encode(entry(subject={"a": ""})))
    assert len(encode(entry(subject={"a": "x" * room}))) == LIMITS.record.entry_bytes == 65_535
    with pytest.raises(EntryRefused, match="65536 bytes, more than 65535"):
        encode(entry(subject={"a": "x" * (room + 1)}))


@pytest.mark.parametrize("cause", [5, 6, -1])
def test_a_cause_comes_before_its_effect(cause):
    with pytest.raises(EntryRefused, match=r"cause|>= 0"):
        encode(entry(cause=cause))
    assert decode(encode(entry(cause=4))).cause == 4


BODY = encode(entry())


@pytest.mark.parametrize(
    "body",
    [
        b" " + BODY,
        BODY + b"\n",
        BODY.replace(b'"rows":3', b'"rows": 3'),
        BODY.replace(b'"rows":3', b'"rows":3,"rows":3'),
        BODY.replace(b'"rows":3', b'"rows":3.0'),
        BODY.replace(b'"rows":3', b'"rows":3e0'),
        BODY.replace(b'"rows":3', b'"rows":-0'),
        BODY.replace(b'"rows":3', b'"b":1,"a":1'),
        BODY.replace(b'"rows":3', '"ü":3'.encode()),
        BODY.replace(b"snapshot", b"snaps\\u0068ot"),
        BODY.replace(b'"rule":"",', b""),
        BODY.replace(b'"rule":""', b'"rule":"","sale":""'),
        BODY.replace(b'"v":1', b'"v":2'),
        BODY.replace(b'"v":1', b'"v":1.0'),
        BODY.replace(b'"seq":5', b'"seq":-5'),
        BODY.replace(b"00Z", b"0Z"),
        BODY.replace(b"00Z", b"00+00:00"),
        BODY.replace(b'"verdict":""', b'"verdict":"maybe"'),
        BODY.replace(b'"subject":{"rows":3}', b'"subject":[]'),
        b"[" * 50_000,
        b"",
        b"\xff",
        json.dumps(json.loads(BODY)).encode(),
    ],
)
def test_no_other_spelling_is_an_entry(body):
    with pytest.raises(RecordError, match="not an entry"):
        decode(body)
    assert decode(BODY) == entry()


def test_times_have_six_digits():
    assert timestamp(0) == "1970-01-01T00:00:00.000000Z"
    assert timestamp(1_769_903_999_000_001) == "2026-01-31T23:59:59.000001Z"
    assert timestamp(1_769_904_000_000_000) == "2026-02-01T00:00:00.000000Z"


def test_the_document_lists_every_event_with_its_words():
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    documented = [
        line for line in lines if line.startswith("| `") and line.count("|") == 3 and line.endswith(". |")
    ]
    assert documented == [f"| `{event}` | {words} |" for event, words in EVENTS.items()]


def test_the_document_lists_every_key_of_an_entry():
    told = DOCUMENT.read_text(encoding="utf-8").partition("## Entry")[2].partition("## Events")[0]
    assert [name for name in Entry.__struct_fields__ if f"`{name}`" not in told] == []
