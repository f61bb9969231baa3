"""Figures as words: exact, whatever they are."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pp_host.figures import decimal, dollars, moment, seconds, shares


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (dollars(50_000_000), "$ 50.00"),
        (dollars(840), "$ 0.00084"),
        (dollars(-1), "-$ 0.000001"),
        (dollars(1_234_567_890_000), "$ 1,234,567.89"),
        (shares(12_345_000), "12.345 shares"),
        (seconds(7_204_000_000), "7,204 s"),
        (seconds(500_000), "0.5 s"),
        (seconds(10_000_000), "10 s"),
        (moment(1_772_236_800_000_000), "2026-02-28 00:00:00 UTC"),
        (moment(1_772_236_810_500_000), "2026-02-28 00:00:10.5 UTC"),
        (moment(0), "1970-01-01 00:00:00 UTC"),
    ],
)
def test_a_figure_is_said_in_the_units_people_use(said, words):
    assert said == words


@given(millionths=st.integers(-(2**62), 2**62), least=st.integers(0, 6))
def test_nothing_is_rounded_away(millionths, least):
    assert Decimal(decimal(millionths, least).replace(",", "")) * 1_000_000 == millionths
