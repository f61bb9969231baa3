"""Frames under hostile bytes: a frame comes out whole, or ProtocolError does, and nothing else."""

from __future__ import annotations

import tracemalloc

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pp_sdk.wire.frames import (
    ERROR,
    EVENT,
    FRAME_BYTES,
    LITTLE_BYTES,
    MOST_ID,
    REPLY,
    REQUEST,
    Frame,
    FrameDecoder,
    FrameTooLarge,
    ProtocolError,
    encode,
)

METHOD = st.from_regex(r"[a-z][a-z0-9_.]{0,63}", fullmatch=True)
BODY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.text(st.characters(codec="utf-8"))
    | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab", max_size=3), inner, max_size=4),
    max_leaves=8,
)
FRAMES = st.lists(
    st.tuples(st.sampled_from([REQUEST, REPLY, ERROR]), st.integers(1, MOST_ID), METHOD, BODY)
    | st.tuples(st.just(EVENT), st.just(0), METHOD, BODY),
    max_size=5,
)


def framed(payload):
    return len(payload).to_bytes(4, "little") + payload


def enveloped(*fields):
    return framed(msgspec.msgpack.encode(fields))


def raised(data):
    with pytest.raises(ProtocolError) as caught:
        FrameDecoder().feed(data)
    return str(caught.value)


@settings(deadline=None, max_examples=50)
@given(FRAMES, st.lists(st.integers(1, 7), min_size=1))
def test_frames_come_out_as_they_went_in_however_they_are_cut(frames, cuts):
    data = b"".join(encode(*frame) for frame in frames)
    decoder = FrameDecoder()
    out = []
    turn = 0
    while data:
        size = cuts[turn % len(cuts)]
        piece, data, turn = data[:size], data[size:], turn + 1
        out += decoder.feed(piece)
    assert decoder.begun is None
    assert [(one.type, one.id, one.method, msgspec.msgpack.decode(one.body)) for one in out] == frames
    assert [encode(one.type, one.id, one.method, one.body) for one in out] == [
        encode(*frame) for frame in frames
    ]


@settings(deadline=None, max_examples=50)
@given(st.binary(max_size=64), st.booleans())
def test_noise_is_refused_or_is_a_frame(noise, with_length):
    data = framed(noise) if with_length and noise else noise
    try:
        frames = FrameDecoder().feed(data)
    except ProtocolError:
        return
    assert (
        b"".join(encode(one.type, one.id, one.method, one.body) for one in frames) == data[: sum_of(frames)]
    )


def sum_of(frames):
    return sum(len(encode(one.type, one.id, one.method, one.body)) for one in frames)


@settings(deadline=None, max_examples=50)
@given(FRAMES.filter(bool), st.data())
def test_a_flipped_bit_is_refused_or_is_another_frame(frames, data):
    wire = bytearray(encode(*frames[0]))
    bit = data.draw(st.integers(32, 8 * len(wire) - 1))
    wire[bit // 8] ^= 1 << bit % 8
    try:
        out = FrameDecoder().feed(bytes(wire))
    except ProtocolError:
        return
    assert [encode(one.type, one.id, one.method, one.body) for one in out] == [bytes(wire)]


@pytest.mark.parametrize("length", [0, FRAME_BYTES + 1, 2**31, 2**32 - 1])
def test_a_lying_length_is_refused_before_anything_is_kept(length):
    tracemalloc.start()
    try:
        assert f"a frame of {length} bytes" in raised(length.to_bytes(4, "little"))
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_a_frame_that_is_too_long_is_refused_even_when_it_comes_whole():
    payload = msgspec.msgpack.encode((REQUEST, 1, "m", bytes(FRAME_BYTES)))
    assert f"a frame of {len(payload)} bytes" in raised(framed(payload))


def test_the_longest_frame_passes_and_one_byte_more_does_not():
    room = (
        FRAME_BYTES - len(enveloped(REQUEST, 1, "m", b"")) + 4 - 3
    )  # bin32 needs three bytes more than bin8
    longest = encode(REQUEST, 1, "m", bytes(room))
    assert len(longest) == FRAME_BYTES + 4
    assert len(FrameDecoder().feed(longest)) == 1
    with pytest.raises(FrameTooLarge, match=f"a frame holds {FRAME_BYTES}"):
        encode(REQUEST, 1, "m", bytes(room + 1))


@pytest.mark.parametrize(
    "payload",
    [
        msgspec.msgpack.encode((0, 1, "m", None)) + b"\0",  # trailing byte
        msgspec.msgpack.encode((0, 1, "m")),  # too few
        msgspec.msgpack.encode((0, 1, "m", None, None)),  # too many
        msgspec.msgpack.encode({"type": 0}),
        b"\xdc\x00\x04\x00\x01\xa1m\xc0",  # array16 for four
        b"\x94\xcc\x00\x01\xa1m\xc0",  # uint8 for 0
        b"\x94\x00\xcd\x00\x01\xa1m\xc0",  # uint16 for 1
        b"\x94\x00\x01\xd9\x01m\xc0",  # str8 for one character
        b"\x94\x00\x01\xc4\x01m\xc0",  # bytes for the name
        b"\x94\x00\x01\xa1m\xc1",  # a code that msgpack never uses
        b"\x94\x00\x01\xa1m",  # no body
        b"\x94\x00\x01\xa1m\xc6\xff\xff\xff\xff",  # a body that claims four gigabytes
        b"\x94\x00\x01\xa1m\xdd\xff\xff\xff\xff",  # a list that claims four billion
        b"\x94\x00\x01\xa2\xc3\x28\xc0",  # not UTF-8
        b"\x94\xc2\x01\xa1m\xc0",  # false for 0
        b"\xc0",
    ],
    ids=lambda payload: payload.hex(),
)
def test_anything_but_the_one_spelling_of_an_envelope_is_refused(payload):
    assert raised(framed(payload))


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ((4, 1, "m", None), "not an envelope"),
        ((-1, 1, "m", None), "not an envelope"),
        ((0, -1, "m", None), "not an envelope"),
        ((0, MOST_ID + 1, "m", None), "not an envelope"),
        ((0, 1.0, "m", None), "not an envelope"),
        ((0, 1, "m" * 65, None), "not an envelope"),
        ((0, 1, "", None), "not a method's name"),
        ((0, 1, "M", None), "not a method's name"),
        ((0, 1, "m\n", None), "not a method's name"),
        ((0, 1, "__class__", None), "not a method's name"),
        ((0, 1, "dеcide", None), "not a method's name"),  # noqa: RUF001  # a Cyrillic letter is the attack
        ((0, 0, "m", None), "events have id 0"),
        ((3, 1, "m", None), "events have id 0"),
    ],
)
def test_envelopes_with_fields_out_of_bounds_are_refused(fields, complaint):
    assert complaint in raised(enveloped(*fields))


def test_a_depth_bomb_is_refused():
    bomb = msgspec.msgpack.encode((0, 1, "m", None))[:-1] + b"\x91" * 500_000 + b"\xc0"
    assert "not an envelope" in raised(framed(bomb))


def test_an_amplification_bomb_stays_raw():
    maps = b"\xdd" + (1_000_000).to_bytes(4, "big") + b"\x80" * 1_000_000
    data = encode(REQUEST, 1, "m", msgspec.Raw(maps))
    tracemalloc.start()
    try:
        (frame,) = FrameDecoder().feed(data)
        assert tracemalloc.get_traced_memory()[1] < 6 * FRAME_BYTES
    finally:
        tracemalloc.stop()
    assert bytes(frame.body) == maps


def test_begun_numbers_the_frame_that_is_not_whole():
    decoder = FrameDecoder()
    data = encode(REQUEST, 1, "m", None)
    assert decoder.begun is None
    assert decoder.feed(data[:3]) == []
    assert decoder.begun == 0
    assert len(decoder.feed(data[3:] + data + data[:1])) == 2
    assert decoder.begun == 2
    assert len(decoder.feed(data[1:])) == 1
    assert decoder.begun is None
    assert len(decoder.feed(data)) == 1
    decoder.feed(data[:5])
    assert decoder.begun == 4


def test_little_is_wanted_at_once_but_all_that_a_long_frame_lacks():
    decoder = FrameDecoder()
    short, long = encode(REQUEST, 1, "m", None), encode(REQUEST, 3, "m", b"x" * 9000)
    assert decoder.wanted == LITTLE_BYTES
    decoder.feed(short + long[:100])
    assert decoder.wanted == len(long) - 100
    decoder.feed(long[100:-5])
    assert decoder.wanted == LITTLE_BYTES
    decoder.feed(long[-5:] + long[:2])  # not even its length is known
    assert decoder.wanted == LITTLE_BYTES


def test_a_frame_is_frozen():
    with pytest.raises(AttributeError):
        Frame(0, 1, "m", msgspec.Raw(b"\xc0")).id = 2


def test_what_is_said_of_a_broken_frame_is_short_whatever_was_in_it():
    assert str(ProtocolError("x" * 301)) == "x" * 300 + "..."
    assert str(ProtocolError("x" * 300)) == "x" * 300
