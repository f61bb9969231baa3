from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pp_host import fees
from pp_sdk.table.layout import MOST_LEVELS

MICRO = 1_000_000
prices = st.integers(1, MICRO - 1)
shares = st.integers(0, 10**12)
rates = st.integers(0, MICRO)
exponents = st.integers(0, 4)


@settings(deadline=None)
@given(shares, prices, rates, exponents)
def test_the_fee_is_the_exact_formula_rounded_up_to_ten_micro_dollars(count, price, rate, exponent):
    p = Fraction(price, MICRO)
    exact = Fraction(count, MICRO) * Fraction(rate, MICRO) * (p * (1 - p)) ** exponent * MICRO
    assert fees.fee(count, price, rate, exponent) == ceil(exact / 10) * 10


@pytest.mark.parametrize(
    ("count", "price", "rate", "exponent", "expected"),
    [
        (100 * MICRO, 500_000, 70_000, 1, 1_750_000),  # the schedule's own example: 100 shares at 0.50, 7 %
        (100 * MICRO, 500_000, 0, 1, 0),
        (1, 500_000, 70_000, 1, 10),  # the smallest fee there is
        (MICRO, 10_000, 70_000, 0, 70_000),
        (MICRO, 100_000, 1_000_000, 2, 8_100),
    ],
)
def test_known_fees(count, price, rate, exponent, expected):
    assert fees.fee(count, price, rate, exponent) == expected


@settings(deadline=None)
@given(shares, prices)
def test_amounts_are_rounded_against_us(count, price):
    exact = Fraction(count * price, MICRO)
    assert fees.paid(count, price) == ceil(exact)
    assert fees.received(count, price) == floor(exact)


@settings(deadline=None)
@given(prices, prices, rates, exponents)
def test_a_share_never_gets_cheaper_as_its_price_rises(one, other, rate, exponent):
    low, high = sorted((one, other))
    assert fees.unit_cost(low, rate, exponent) <= fees.unit_cost(high, rate, exponent)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 10**9), prices), min_size=1, max_size=20), rates, exponents)
def test_no_way_through_the_book_costs_more_than_the_worst_case(fills, rate, exponent):
    limit = max(price for _, price in fills)
    spent = sum(fees.paid(n, price) + fees.fee(n, price, rate, exponent) for n, price in fills)
    assert spent <= fees.worst_cost(sum(n for n, _ in fills), limit, rate, exponent)


def test_the_worst_case_counts_a_fill_for_every_level_a_table_can_hold():
    assert fees.FILLS_MOST == MOST_LEVELS


@settings(deadline=None)
@given(st.integers(-(10**9), 10**12), prices, rates, exponents)
def test_what_is_affordable_is_the_most_that_is(money, price, rate, exponent):
    count = fees.affordable(money, price, rate, exponent)
    if count:
        assert fees.worst_cost(count, price, rate, exponent) <= money
    assert fees.worst_cost(count + 1, price, rate, exponent) > money
