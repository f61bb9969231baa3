"""Arithmetic on a whole int64 array at once, in one big integer.

An array of n cells, read little-endian, is one Python integer of n lanes of 64 bits. While every cell of two
arrays is below 2**63, adding them adds lane by lane and no carry leaves a lane; a lane's top bit then tells
that its sum reached 2**63. So one addition compares every cell with its bound: about 15 ns per cell where a
loop takes 80. "Marks" are lanes that hold only their top bit, set where the question is answered with yes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

BITS: Final = 64
TOP: Final = 1 << 63
_DIGITS: Final = bytes.maketrans(b"01", b"\x00\x01")


def load(cells: memoryview) -> int:
    """The lanes of an int64 view."""
    return int.from_bytes(cells, "little")


@lru_cache(maxsize=32)  # a table needs about twenty; a long one costs a mebibyte each
def fill(value: int, count: int) -> int:
    """`count` lanes that all hold `value`."""
    return int.from_bytes(value.to_bytes(8, "little") * count, "little")


def negative(lanes: int, count: int) -> int:
    """Marks where a cell is below zero. Every other question here needs this one answered with no."""
    return lanes & fill(TOP, count)


def above(lanes: int, slack: int, count: int) -> int:
    """Marks where a cell exceeds its bound; `slack` holds 2**63 - 1 - bound per lane."""
    return (lanes + slack) & fill(TOP, count)


def nonzero(lanes: int, count: int) -> int:
    """Marks where a cell is not 0."""
    return (lanes + fill(TOP - 1, count)) & fill(TOP, count)


def less(left: int, right: int, count: int) -> int:
    """Marks where the cell of `left` is smaller than that of `right`."""
    top = fill(TOP, count)
    return (((left | top) - right) & top) ^ top


def difference(left: int, right: int, count: int) -> int:
    """Lanes of left - right; no cell of `left` may be smaller."""
    top = fill(TOP, count)
    return ((left | top) - right) ^ top


def part(lanes: int, start: int, count: int) -> int:
    """`count` lanes from lane `start` on."""
    return (lanes >> (BITS * start)) & ((1 << (BITS * count)) - 1)


def flags(marks: int, count: int) -> bytes:
    """Marks as one byte per lane, 0 or 1."""
    return (marks >> 63).to_bytes(8 * count, "little")[::8]


def bit_flags(bits: int, count: int) -> bytes:
    """The lowest `count` bits of an integer as one byte each, 0 or 1."""
    digits = f"{bits:0{count}b}" if count else ""  # the shortest spelling of a number has one digit
    return digits.encode().translate(_DIGITS)[::-1]


def first(marks: int) -> int:
    """The index of the first marked lane."""
    return ((marks & -marks).bit_length() - 1) // BITS
