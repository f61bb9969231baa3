"""The assembler against a machine that runs its output."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pp_host.sandbox import bpf


def run(program, words):
    """A classic BPF machine, just large enough: `words` is seccomp_data as 32-bit words; returns the verdict."""
    instructions = list(struct.iter_unpack("=HBBI", program))
    accumulator, at = 0, 0
    while True:
        code, jump_true, jump_false, k = instructions[at]
        at += 1
        if code == 0x20:
            accumulator = words[k // 4]
        elif code == 0x54:
            accumulator &= k
        elif code == 0x05:
            at += k
        elif code == 0x15:
            at += jump_true if accumulator == k else jump_false
        elif code == 0x35:
            at += jump_true if accumulator >= k else jump_false
        elif code == 0x06:
            return k
        else:
            raise AssertionError(f"unknown instruction {code:#x}")


YES, NO = bpf.verdict(1), bpf.verdict(2)


def padded(code, length):
    """The same verdict behind `length` loads: stands for a long piece of code."""
    for _ in range(length):
        code = bpf.with_word(0, code)
    return code


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.sampled_from([0, 1, 253, 254, 255, 256, 600]))
def test_branches_reach_over_code_of_any_length(value, found, length):
    long = padded(YES, length)
    equal = bpf.assemble(bpf.with_word(0, bpf.if_equal(value, long, NO)))
    at_least = bpf.assemble(bpf.with_word(0, bpf.if_at_least(value, long, NO)))
    for word in (found, value):
        assert run(equal, [word]) == (1 if word == value else 2)
        assert run(at_least, [word]) == (1 if word >= value else 2)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=12, unique=True), st.integers(0, 10))
def test_any_of_several(values, found):
    program = bpf.assemble(bpf.with_word(0, bpf.if_any(values, padded(YES, 9), NO)))
    assert run(program, [found]) == (1 if found in values else 2)


@pytest.mark.parametrize(("half", "expected"), [(0, 1), (1, 2)])
def test_argument_halves(half, expected):
    words = [0] * 16
    words[4 + 2 * 3] = 0xFF07  # low half of the fourth argument; the high half is 0
    program = bpf.assemble(bpf.with_argument(3, half, 0xFF, bpf.if_equal(7, YES, NO)))
    assert run(program, words) == expected


def test_too_long_for_the_kernel():
    with pytest.raises(AssertionError):
        bpf.assemble(padded(YES, bpf.MOST_INSTRUCTIONS))
    assert bpf.assemble(padded(YES, bpf.MOST_INSTRUCTIONS - 1))
