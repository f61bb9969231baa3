"""A small assembler for seccomp's classic BPF: code is composed from pieces that always end in a verdict.

Because no piece falls through, pieces can be nested freely, and every jump is forward by construction.
Spec: the kernel's Documentation/userspace-api/seccomp_filter.rst and include/uapi/linux/seccomp.h.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

_LOAD: Final = 0x20  # A = 32-bit word of seccomp_data at offset k
_AND: Final = 0x54
_JUMP: Final = 0x05
_EQUAL: Final = 0x15
_AT_LEAST: Final = 0x35
_RETURN: Final = 0x06

NUMBER_OFFSET: Final = 0
ARCH_OFFSET: Final = 4
_ARGUMENTS_OFFSET: Final = 16
MOST_INSTRUCTIONS: Final = 4096  # BPF_MAXINSNS


class Instruction(NamedTuple):
    code: int
    jump_true: int
    jump_false: int
    k: int


Code = tuple[Instruction, ...]


def verdict(action: int) -> Code:
    return (Instruction(_RETURN, 0, 0, action),)


def with_word(offset: int, then: Code) -> Code:
    """Load the word at `offset`, then go on."""
    return (Instruction(_LOAD, 0, 0, offset), *then)


def with_argument(index: int, half: int, mask: int, then: Code) -> Code:
    """Load half 0 (low) or 1 (high) of an argument, masked. Both machines are little endian."""
    loaded = Instruction(_LOAD, 0, 0, _ARGUMENTS_OFFSET + 8 * index + 4 * half)
    return (loaded, Instruction(_AND, 0, 0, mask), *then)


def if_equal(value: int, then: Code, otherwise: Code) -> Code:
    return _branch(_EQUAL, value, then, otherwise)


def if_at_least(value: int, then: Code, otherwise: Code) -> Code:
    return _branch(_AT_LEAST, value, then, otherwise)


def if_any(values: Sequence[int], then: Code, otherwise: Code) -> Code:
    """`then` is laid out once: each value but the last jumps over the tests that remain."""
    tests: Code = ()
    for remaining, value in enumerate(reversed(values)):
        jump_false = 0 if remaining else len(then)
        tests = (Instruction(_EQUAL, remaining, jump_false, value), *tests)
    return (*tests, *then, *otherwise)


def _branch(code: int, value: int, then: Code, otherwise: Code) -> Code:
    if len(then) <= 0xFF:
        return (Instruction(code, 0, len(then), value), *then, *otherwise)
    # conditional jumps reach 255 instructions, the unconditional one any number
    return (Instruction(code, 1, 0, value), Instruction(_JUMP, 0, 0, len(then)), *then, *otherwise)


def assemble(code: Code) -> bytes:
    """The bytes of `struct sock_filter[]`."""
    assert len(code) <= MOST_INSTRUCTIONS
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)
