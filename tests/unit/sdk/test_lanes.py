"""Every answer the lanes give is the one a plain loop gives."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pp_sdk.table import lanes

CELL = st.integers(0, 2**63 - 1) | st.sampled_from([0, 1, 20, 999_999, 2**62, 2**63 - 1])
PAIRS = st.lists(st.tuples(CELL, CELL), min_size=1, max_size=70)


def load(cells):
    return lanes.load(memoryview(array("q", cells)))


def marked(marks, count):
    return [bool(flag) for flag in lanes.flags(marks, count)]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=70))
def test_negative_marks_the_cells_below_zero(cells):
    assert marked(lanes.negative(load(cells), len(cells)), len(cells)) == [cell < 0 for cell in cells]


@settings(deadline=None, max_examples=50)
@given(st.lists(CELL, max_size=70), CELL)
def test_above_marks_the_cells_beyond_a_bound(cells, bound):
    slack = lanes.fill(lanes.TOP - 1 - bound, len(cells))
    assert marked(lanes.above(load(cells), slack, len(cells)), len(cells)) == [cell > bound for cell in cells]


@settings(deadline=None, max_examples=50)
@given(st.lists(CELL, max_size=70))
def test_nonzero_marks_all_but_zeros(cells):
    assert marked(lanes.nonzero(load(cells), len(cells)), len(cells)) == [cell != 0 for cell in cells]


@settings(deadline=None, max_examples=50)
@given(PAIRS)
def test_less_compares_lane_by_lane(pairs):
    left, right = zip(*pairs, strict=True)
    assert marked(lanes.less(load(left), load(right), len(pairs)), len(pairs)) == [a < b for a, b in pairs]


@settings(deadline=None, max_examples=50)
@given(PAIRS)
def test_difference_subtracts_lane_by_lane(pairs):
    more = [max(pair) for pair in pairs]
    less = [min(pair) for pair in pairs]
    expected = load([a - b for a, b in zip(more, less, strict=True)])
    assert lanes.difference(load(more), load(less), len(pairs)) == expected


@settings(deadline=None, max_examples=50)
@given(st.lists(CELL, min_size=1, max_size=70), st.data())
def test_part_cuts_lanes_out(cells, data):
    start = data.draw(st.integers(0, len(cells)))
    count = data.draw(st.integers(0, len(cells) - start))
    assert lanes.part(load(cells), start, count) == load(cells[start : start + count])


@settings(deadline=None, max_examples=50)
@given(st.lists(st.booleans(), max_size=200))
def test_bit_flags_are_the_bits_in_order(bits):
    number = sum(1 << index for index, bit in enumerate(bits) if bit)
    assert list(lanes.bit_flags(number, len(bits))) == [int(bit) for bit in bits]


@pytest.mark.parametrize("index", [0, 1, 63, 64])
def test_first_finds_the_first_mark(index):
    cells = [0] * index + [5, 0, 7]
    assert lanes.first(lanes.nonzero(load(cells), len(cells))) == index
