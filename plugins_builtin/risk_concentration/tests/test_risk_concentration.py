"""Concentration: an order is cut to what its outcome, market and event have left of the equity, never below that."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pp_sdk import MICRO, Keep, Position, Proposal, RiskView, Shrink, Veto
from pp_sdk.testing import START, FakeHost

FOLDER = Path(__file__).parents[1]
USD = MICRO
BOUNDS = {"outcome_ppm": 50_000, "market_ppm": 80_000, "event_ppm": 100_000}  # of 1,000 USD: 50, 80, 100


@pytest.fixture
def host():
    with FakeHost(FOLDER, BOUNDS) as opened:
        yield opened


def order(market: str = "m", usd: int = 40, *, outcome: str = "yes", event: str = "rain", side: str = "buy"):
    """A purchase of `usd` dollars' worth at 0.50."""
    return Proposal(
        plugin="p", market=market, outcome=outcome, side=side, shares=2 * usd * USD, limit_price=500_000,
        venue="polymarket", event=event,
    )  # fmt: skip


def holding(market: str, usd: int, outcome: str = "yes") -> Position:
    return Position(market=market, outcome=outcome, shares=2 * usd * USD, cost=usd * USD)


def view(*positions: Position, equity: int = 1000 * USD) -> RiskView:
    return RiskView(now=START, equity=equity, cash=equity, exposure=0, positions=positions)


def test_what_fits_is_left_alone(host):
    assert host.advise(order(usd=50), view()) == Keep()
    assert host.advise(order(usd=40), view(holding("m", 10), holding("other", 900))) != Keep()
    assert host.advise(order(usd=40, event=""), view(holding("m", 10), holding("other", 900))) == Keep()


def test_an_outcome_is_cut_to_what_it_has_left(host):
    advice = host.advise(order(usd=40), view(holding("m", 20)))
    assert advice == Shrink(
        shares=60 * USD,
        reason="yes of m holds 20.00 USD of at most 50.00 USD (5 % of the equity of 1,000.00 USD)",
    )


def test_both_outcomes_count_towards_their_market(host):
    advice = host.advise(order(usd=40), view(holding("m", 10), holding("m", 45, "no")))
    assert advice == Shrink(
        shares=50 * USD,
        reason="market m holds 55.00 USD of at most 80.00 USD (8 % of the equity of 1,000.00 USD)",
    )


def test_nothing_left_is_a_veto(host):
    advice = host.advise(order(usd=1), view(holding("m", 30), holding("m", 30)))
    assert advice == Veto(
        reason="yes of m holds 60.00 USD of at most 50.00 USD (5 % of the equity of 1,000.00 USD)"
    )


def test_markets_of_one_event_count_together(host):
    assert host.advise(order("a", 50), view()) == Keep()
    assert host.advise(order("b", 30), view(holding("a", 50))) == Keep()
    advice = host.advise(order("c", 30), view(holding("a", 50), holding("b", 30)))
    assert advice == Shrink(
        shares=40 * USD,
        reason="event rain holds 80.00 USD of at most 100.00 USD (10 % of the equity of 1,000.00 USD)",
    )
    assert host.advise(order("d", 30, event="snow"), view(holding("a", 50), holding("b", 30))) == Keep()


def test_a_market_without_an_event_counts_towards_no_other(host):
    assert host.advise(order("a", 50, event=""), view()) == Keep()
    assert host.advise(order("b", 50), view(holding("a", 95))) == Keep()


def test_a_position_whose_event_was_never_seen_counts_towards_every_event(host):
    assert isinstance(host.advise(order("b", 50), view(holding("a", 95))), Shrink)
    host.advise(order("a", 1, event="snow"), view(holding("a", 95)))
    assert host.advise(order("b", 50), view(holding("a", 95))) == Keep()


def test_the_operator_may_leave_unseen_events_out():
    with FakeHost(FOLDER, BOUNDS | {"unknown_event": "ignore"}) as host:
        assert host.advise(order("b", 50), view(holding("a", 95))) == Keep()


def test_a_market_that_is_no_longer_held_is_forgotten(host):
    host.advise(order("a", 1, event="snow"), view())
    host.advise(order("b", 1), view())
    assert isinstance(host.advise(order("b", 50), view(holding("a", 95))), Shrink)


@pytest.mark.parametrize("equity", [0, -5])
def test_without_equity_nothing_is_bought(host, equity):
    advice = host.advise(order(usd=1), view(equity=equity))
    assert isinstance(advice, Veto)
    assert "account.read is not granted" in advice.reason


def test_a_sale_is_left_alone(host):
    assert host.advise(order(usd=500, side="sell"), view(holding("m", 500))) == Keep()


AMOUNTS = st.integers(0, 10**12)
POSITIONS = st.lists(
    st.builds(
        Position,
        market=st.sampled_from("abc"),
        outcome=st.sampled_from(["yes", "no"]),
        shares=AMOUNTS,
        cost=AMOUNTS,
    ),
    max_size=6,
)


@given(POSITIONS, st.integers(1, 10**13), st.integers(1, 10**9), st.integers(1, 999_999))
def test_what_it_leaves_is_the_most_that_keeps_every_bound(positions, equity, shares, price):
    proposal = Proposal(
        plugin="p", market="a", outcome="yes", side="buy", shares=shares, limit_price=price, event="rain"
    )
    with FakeHost(FOLDER, BOUNDS) as host:
        advice = host.advise(proposal, view(*positions, equity=equity))
    left = min(
        Fraction(equity * BOUNDS[bound], MICRO) - sum(held.cost for held in positions if counts(held))
        for bound, counts in (
            ("outcome_ppm", lambda held: (held.market, held.outcome) == ("a", "yes")),
            ("market_ppm", lambda held: held.market == "a"),
            ("event_ppm", lambda held: True),  # none of the others was asked about: they count
        )
    )
    allowed = {Keep: shares, Veto: 0}.get(type(advice), getattr(advice, "shares", 0))
    assert Fraction(allowed * price, MICRO) <= max(left, 0)
    if allowed < shares:
        assert Fraction((allowed + 1) * price, MICRO) > left - 1  # down to the micro-USD


def test_a_market_whose_event_is_not_told_counts_towards_every_event(host):
    """Its venue is not among those granted: the proposal names neither venue nor event nor end."""
    hidden = Proposal(plugin="p", market="a", outcome="yes", side="buy", shares=2 * USD, limit_price=500_000)
    host.advise(hidden, view(holding("a", 95)))
    assert isinstance(host.advise(order("b", 50), view(holding("a", 95))), Shrink)
