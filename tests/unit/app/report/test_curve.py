"""A curve of any length keeps its extremes, its end and its order, in bounded space."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pp_host.app.report.curve import Point, Tracer

SERIES = st.lists(st.tuples(st.integers(0, 5), st.integers(-(10**12), 10**12)), min_size=1, max_size=200)


def traced(values, most):
    tracer, points, at = Tracer(most), [], 0
    for wait, value in values:
        at += wait
        points.append(Point(at, value))
        tracer.add(at, value)
    return tracer.curve(), points


@given(values=SERIES, most=st.sampled_from([2, 4, 10]))
def test_nothing_is_made_up_and_no_extreme_is_lost(values, most):
    curve, points = traced(values, most)
    assert 0 < len(curve.stretches) <= most
    assert curve.lowest.value == min(point.value for point in points)
    assert curve.highest.value == max(point.value for point in points)
    assert curve.stretches[-1].last == points[-1]
    drawn = [point for stretch in curve.stretches for point in stretch.points]
    assert set(drawn) <= set(points)
    assert [point.at for point in drawn] == sorted(point.at for point in drawn)


@given(values=SERIES)
def test_every_value_lies_within_its_stretch(values):
    curve, points = traced(values, 4)
    each = 1
    while each * 4 < len(points):
        each *= 2
    parts = [points[start : start + each] for start in range(0, len(points), each)]
    assert len(parts) == len(curve.stretches)
    for part, stretch in zip(parts, curve.stretches, strict=True):
        assert stretch.low.value == min(point.value for point in part)
        assert stretch.high.value == max(point.value for point in part)
        assert {stretch.low, stretch.high} <= set(part)
        assert stretch.last == part[-1]


def test_a_short_series_is_kept_whole():
    curve, points = traced([(1, 5), (1, -3), (1, 8)], 4)
    assert [point for stretch in curve.stretches for point in stretch.points] == points


@pytest.mark.parametrize("length", [719, 720, 721, 1440, 1441, 70_321])
def test_a_spike_of_one_step_survives_any_length(length):
    tracer = Tracer()
    for at in range(length):
        tracer.add(at, 10**9 if at == length // 2 else at % 7)
    curve = tracer.curve()
    assert curve.highest == Point(length // 2, 10**9)
    assert len(curve.stretches) <= 720
