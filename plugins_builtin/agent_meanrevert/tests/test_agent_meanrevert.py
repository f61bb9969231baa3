"""The mean reversion rule: unusual by the market's own measure and by cents is bought, the mean is sold."""

from __future__ import annotations

import statistics
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pp_sdk import CLOSED, MICRO, Account, Position
from pp_sdk.testing import START, FakeHost, check_agent, market

FOLDER = Path(__file__).parents[1]
MINUTE = 60 * MICRO
CONFIG = {
    "deviations": 2, "gap_cents": 3, "window_micros": 10 * MINUTE, "least_points": 4, "most_decisions": 2,
}  # fmt: skip


@pytest.fixture
def host():
    with FakeHost(FOLDER, CONFIG) as opened:
        yield opened


def show(host: FakeHost, minutes: float, *rows):
    host.now = START + round(minutes * MINUTE)
    return host.decide(*rows)


def at(bid: int, name: str = "m", **fields):
    """A market two cents wide: its middle is a cent above the bid."""
    return market(name, bid=bid, ask=bid + 2, **fields)


def warm(host: FakeHost, *names: str, swing: int = 0, times: int = 6) -> None:
    """Middles of 50 cents, swinging to both sides by `swing`."""
    for minute in range(times):
        rows = (at(49 + (swing if minute % 2 else -swing), name) for name in names)
        assert show(host, minute, *rows) == []


def hold(host: FakeHost, outcome: str = "yes") -> None:
    held = Position(market="m", outcome=outcome, shares=10_000, cost=4_000)
    host.account = Account(precision="ratio", equity=MICRO, cash=MICRO, positions=(held,))


def test_what_is_far_below_its_mean_is_bought_at_the_ask(host):
    warm(host, "m", swing=1)
    (wish,) = show(host, 6, at(44))
    assert (wish.market, wish.outcome, wish.side, wish.limit_price) == ("m", "yes", "buy", 460_000)
    assert wish.probability == pytest.approx(0.5)
    assert wish.rationale == (
        "ask is 4.0 cents below the mean of 6 observations, whose standard deviation is 1.0 cents"
    )


def test_what_is_dear_is_bought_on_the_other_side(host):
    warm(host, "m", swing=1)
    (wish,) = show(host, 6, at(54))
    assert (wish.outcome, wish.limit_price) == ("no", 460_000)


def test_what_is_usual_for_a_restless_market_is_left_alone(host):
    """The same ask as above; only the past is another."""
    warm(host, "m", swing=3)
    assert show(host, 6, at(44)) == []


def test_what_is_unusual_but_not_worth_its_costs_is_left_alone(host):
    warm(host, "m")
    assert show(host, 6, at(46)) == []
    with FakeHost(FOLDER, CONFIG | {"gap_cents": 2}) as cheaper:
        warm(cheaper, "m")
        assert len(show(cheaper, 6, at(46))) == 1


def test_it_waits_until_it_knows_a_market(host):
    warm(host, "m", times=3)
    assert show(host, 3, at(40)) == []


def test_what_is_older_than_the_window_is_forgotten(host):
    warm(host, "m")
    assert show(host, 16, at(40)) == []


def test_a_clock_that_went_back_is_a_new_beginning(host):
    warm(host, "m")
    assert show(host, 0, at(40)) == []
    assert show(host, 1, at(40)) == []


@pytest.mark.parametrize("gone", [(), (market("m", bid=40, ask=None),), (at(40, status=CLOSED),)])
def test_a_market_that_left_closed_or_lost_a_side_is_learned_anew(host, gone):
    warm(host, "m")
    assert show(host, 6, *gone) == []
    assert show(host, 7, at(40)) == []


def test_it_sells_at_the_mean_what_it_holds_and_does_not_buy_more(host):
    warm(host, "m")
    hold(host)
    assert show(host, 6, at(40)) == []
    (wish,) = show(host, 7, at(50))
    assert (wish.market, wish.outcome, wish.side) == ("m", "yes", "sell")
    assert wish.rationale == "back at its mean of 48.7 cents"


def test_what_it_does_not_hold_is_not_sold(host):
    warm(host, "m")
    assert show(host, 6, at(49)) == []


def test_it_names_its_largest_gaps_and_no_more(host):
    warm(host, "a", "b", "c")
    wishes = show(host, 6, at(44, "a"), at(40, "b"), at(42, "c"))
    assert [wish.market for wish in wishes] == ["b", "c"]


def test_it_keeps_the_contract():
    check_agent(FOLDER)
    check_agent(FOLDER, {"least_points": 3, "deviations": 0.5})


@given(st.lists(st.integers(2, 96), min_size=1, max_size=20))
def test_it_buys_exactly_what_the_definition_says(bids):
    """YES bids in cents, a minute apart, against mean and deviation of the whole past cut to the window."""
    with FakeHost(FOLDER, CONFIG) as host:
        for minute, bid in enumerate(bids):
            bought = {wish.outcome for wish in show(host, minute, at(bid))}
            past = [Fraction(earlier + 1) for earlier in bids[max(0, minute - 9) : minute]]
            if len(past) < 4:
                assert bought == set()
                continue
            mean, deviation = statistics.mean(past), statistics.pstdev(map(float, past))
            for outcome, gap in (("yes", mean - (bid + 2)), ("no", 100 - mean - (100 - bid))):
                needed = max(3.0, 2 * deviation)
                if abs(float(gap) - needed) > 1e-9:
                    assert (outcome in bought) is (gap > needed)
