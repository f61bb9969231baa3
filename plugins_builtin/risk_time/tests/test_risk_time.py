"""Distance from the end: near, past and unknown ends are vetoed in words, everything else is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pp_sdk import Keep, Proposal, RiskView, Veto
from pp_sdk.testing import START, FakeHost

FOLDER = Path(__file__).parents[1]
MINUTE = 60_000_000
VIEW = RiskView(now=START, equity=0, cash=0, exposure=0)  # as without account.read


def order(ends_at: int | None, side: str = "buy") -> Proposal:
    return Proposal(
        plugin="p", market="m", outcome="yes", side=side, shares=5, limit_price=7, ends_at=ends_at
    )


def advise(ends_at: int | None, side: str = "buy", **config: int | str):
    with FakeHost(FOLDER, config) as host:
        return host.advise(order(ends_at, side), VIEW)


@pytest.mark.parametrize(
    ("left", "reason"),
    [
        (10 * MINUTE, "m ends in 10 min 0 s; nothing is bought within 10 min of the end"),
        (90_000_000, "m ends in 1 min 30 s; nothing is bought within 10 min of the end"),
        (0, "m ended 0 min 0 s ago; nothing is bought within 10 min of the end"),
        (-3 * MINUTE, "m ended 3 min 0 s ago; nothing is bought within 10 min of the end"),
    ],
)
def test_an_end_that_is_near_or_past_is_a_veto_in_words(left, reason):
    assert advise(START + left) == Veto(reason=reason)


def test_an_end_far_enough_away_is_left_alone():
    assert advise(START + 10 * MINUTE + 1) == Keep()


def test_a_sale_is_left_alone():
    assert advise(START + MINUTE, side="sell") == Keep()


def test_the_distance_is_the_operators():
    assert advise(START + 30 * MINUTE, minutes=60) != Keep()
    assert advise(START + 30 * MINUTE, minutes=29) == Keep()
    assert advise(START + 1, minutes=0) == Keep()
    assert advise(START, minutes=0) != Keep()


def test_an_unknown_end_counts_as_near_unless_the_operator_says_otherwise():
    assert advise(None, unknown_end="keep") == Keep()
    refused = advise(None)
    assert isinstance(refused, Veto)
    assert "market.read is not granted" in refused.reason
    assert 'unknown_end = "keep"' in refused.reason


@given(st.integers(0, 2**62), st.integers(0, 10_000))
def test_it_is_a_veto_exactly_within_the_distance(ends_at, minutes):
    advice = advise(ends_at, minutes=minutes)
    assert isinstance(advice, Veto) is (ends_at - START <= minutes * MINUTE)
