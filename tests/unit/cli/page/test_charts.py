"""Axes hold what they are made for, at ticks that a person can read."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pp_host.cli.page.charts import dollars, gain, money_axis, time_axis

MONEY = st.integers(-(10**15), 10**15)
SECOND = 1_000_000


@given(MONEY, MONEY)
@example(0, 0)
@example(0, 1)
@example(-118_180_000, 0)
def test_a_money_axis_holds_its_values_at_even_ticks_with_words_of_their_own(one, other):
    low, high = sorted((one, other))
    axis = money_axis(low, high)
    assert axis.low == axis.ticks[0] <= low <= high <= axis.ticks[-1] == axis.high
    steps = {after - before for before, after in zip(axis.ticks, axis.ticks[1:], strict=False)}
    assert len(steps) == 1
    assert str(steps.pop()).rstrip("0") in {"1", "2", "5"}
    assert 2 <= len(axis.ticks) <= 7
    assert len(set(axis.labels)) == len(axis.ticks)
    for tick, label in zip(axis.ticks, axis.labels, strict=True):
        assert round(float(label.replace(",", "")) * SECOND) == tick
    assert 0 <= axis.place(low) <= axis.place(high) <= 1


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (0, 0, ("0.00", "1.00")),
        (1000 * SECOND, 1000 * SECOND, ("1,000.00", "1,001.00")),
        (-300_000, -300_000, ("-1.00", "0.00")),
        (0, 1, ("0.00", "0.01")),
        (0, 4 * SECOND, ("0", "1", "2", "3", "4")),
    ],
)
def test_a_flat_line_stands_between_whole_dollars_and_no_tick_is_below_a_cent(low, high, labels):
    assert money_axis(low, high).labels == labels


@pytest.mark.parametrize(
    ("micros", "amount", "gained"),
    [
        (-4_930_000, "-$ 4.93", "-$ 4.93"),
        (119_200_000, "$ 119.20", "+$ 119.20"),
        (0, "$ 0.00", "$ 0.00"),
        (-1_234_567_890_000, "-$ 1,234,567.89", "-$ 1,234,567.89"),
    ],
)
def test_the_sign_stands_before_the_currency(micros, amount, gained):
    assert (dollars(micros), gain(micros)) == (amount, gained)


@given(st.integers(0, 4_000_000_000 * SECOND), st.integers(0, 5 * 365 * 86_400 * SECOND))
def test_a_time_axis_has_its_ticks_within(first, span):
    axis = time_axis(first, first + span)
    assert (axis.low, axis.high) == (first, first + span)
    assert 1 <= len(axis.ticks) <= 9
    assert all(first <= tick <= first + span for tick in axis.ticks)
    assert len(axis.labels) == len(axis.ticks)


@pytest.mark.parametrize(
    ("span", "labels"),
    [
        (0, ("00:00:00",)),
        (3, ("00:00:00", "00:00:01", "00:00:02", "00:00:03")),
        (59 * 60, ("00:00", "00:15", "00:30", "00:45")),
        (2 * 86_400, ("01 Jan 00:00", "01 Jan 12:00", "02 Jan 00:00", "02 Jan 12:00", "03 Jan 00:00")),
        (6 * 86_400, ("01 Jan", "02 Jan", "03 Jan", "04 Jan", "05 Jan", "06 Jan", "07 Jan")),
    ],
)
def test_ticks_are_at_times_that_have_names(span, labels):
    start = 1_767_225_600 * SECOND  # 2026-01-01
    assert time_axis(start, start + span * SECOND).labels == labels
