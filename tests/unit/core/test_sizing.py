from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from pp_host.core.sizing import kelly, ppm, target
from pp_host.fees import unit_cost

from tests.unit.core.fakes import ROOMY

MICRO = 1_000_000


@settings(deadline=None)
@given(
    probability=st.integers(1, MICRO - 1),
    price=st.integers(1, MICRO - 1),
    rate=st.integers(0, 200_000),
    exponent=st.integers(0, 4),
    equity=st.integers(0, 10**13),
    fraction=st.integers(0, MICRO),
)
def test_kelly_maximises_expected_log_growth(probability, price, rate, exponent, equity, fraction):
    """Independent of the formula: at the full stake the derivative of p ln(1 + f b) + q ln(1 - f) is zero."""
    cost = unit_cost(price, rate, exponent)
    stake = kelly(probability, cost, equity, fraction)
    p, c = Fraction(probability, MICRO), cost / MICRO
    if p <= c:
        assert stake == 0
        return
    b, q = (1 - c) / c, 1 - p
    full = p - q / b
    assert p * b / (1 + full * b) == q / (1 - full)
    assert stake == math.floor(equity * full * Fraction(fraction, MICRO))


def test_a_known_stake():
    # p = 0.6 at 0.5: b = 1, f = 0.2; a quarter of it on 1,000 USD is 50 USD.
    assert kelly(600_000, Fraction(500_000), 1000 * MICRO, 250_000) == 50 * MICRO


def test_no_edge_no_stake_and_a_hair_of_edge_a_stake():
    assert kelly(500_000, Fraction(500_000), 1000 * MICRO, MICRO) == 0
    assert kelly(500_001, Fraction(500_000), 1000 * MICRO, MICRO) == 2000


def test_an_account_that_is_worth_nothing_stakes_nothing():
    assert kelly(600_000, Fraction(500_000), -5, MICRO) == 0


def test_what_is_held_counts_towards_the_stake():
    sizes = [
        target(ROOMY, probability=600_000, cost=Fraction(500_000), equity=1000 * MICRO, held=held)
        for held in (0, 20 * MICRO, 60 * MICRO)
    ]
    assert sizes == [50 * MICRO, 30 * MICRO, -10 * MICRO]


def test_fixed_spends_what_it_says():
    policy = replace(ROOMY, sizing="fixed", fixed_amount=7 * MICRO)
    assert target(policy, probability=600_000, cost=Fraction(500_000), equity=1, held=99) == 7 * MICRO


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0, 0), (1.0, MICRO), (0.57, 570_000), (1e-7, 0), (0.9999999, MICRO), (5e-324, 0),
        (math.nan, None), (math.inf, None), (-math.inf, None), (-1e-9, None), (1.0000001, None), (1e308, None),
    ],
)  # fmt: skip
def test_a_claim_becomes_parts_per_million_or_nothing(value, expected):
    assert ppm(value) == expected
