"""The momentum rule: what has risen within the window of time is bought, what rises no more is sold."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pp_sdk import CLOSED, MICRO, Account, Position
from pp_sdk.testing import START, FakeHost, check_agent, market

FOLDER = Path(__file__).parents[1]
MINUTE = 60 * MICRO
CONFIG = {"rise_cents": 3, "window_micros": 5 * MINUTE, "goes_on_percent": 100, "most_decisions": 2}


@pytest.fixture
def host():
    with FakeHost(FOLDER, CONFIG) as opened:
        yield opened


def show(host: FakeHost, minutes: float, *rows):
    """What the agent wishes when it sees these markets so many minutes after the start."""
    host.now = START + round(minutes * MINUTE)
    return host.decide(*rows)


def at(bid: int, name: str = "m", **fields):
    """A market one cent wide."""
    return market(name, bid=bid, ask=bid + 1, **fields)


def hold(host: FakeHost, name: str = "m", outcome: str = "yes") -> None:
    held = Position(market=name, outcome=outcome, shares=10_000, cost=4_000)
    host.account = Account(precision="ratio", equity=MICRO, cash=MICRO, positions=(held,))


def test_what_rose_over_the_window_is_bought_at_the_ask(host):
    assert show(host, 0, at(40)) == []
    (wish,) = show(host, 5, at(44))
    assert (wish.market, wish.outcome, wish.side, wish.limit_price) == ("m", "yes", "buy", 450_000)
    assert wish.probability == pytest.approx(0.445 + 0.04)
    assert wish.rationale == "middle rose 4.0 cents in 300 s"


def test_what_fell_is_bought_on_the_other_side(host):
    show(host, 0, at(40))
    (wish,) = show(host, 5, at(36))
    assert (wish.outcome, wish.limit_price) == ("no", 640_000)


def test_less_than_the_rise_is_left_alone(host):
    show(host, 0, at(40))
    assert show(host, 5, at(42)) == []


def test_a_rise_that_the_ask_has_eaten_is_left_alone():
    with FakeHost(FOLDER, CONFIG | {"goes_on_percent": 10}) as host:
        show(host, 0, at(40))
        assert show(host, 5, at(44)) == []


def test_time_counts_and_not_how_often_it_looked(host):
    """The same rise is bought at the same time whether it looked twice or thirty times."""
    for step in range(30):
        assert show(host, step / 6.1, at(40)) == []
    (often,) = show(host, 5, at(44))
    with FakeHost(FOLDER, CONFIG) as other:
        assert show(other, 0, at(40)) == []
        assert show(other, 1, at(44)) == [], "one minute is no window"
        assert show(other, 5.9, at(44)) == [often]


def test_a_rise_older_than_the_window_is_over(host):
    show(host, 0, at(40))
    assert show(host, 4, at(44)) == []
    assert len(show(host, 8, at(44))) == 1
    assert show(host, 9, at(44)) == []


def test_a_gap_longer_than_the_window_is_a_new_beginning(host):
    show(host, 0, at(40))
    show(host, 4, at(40))
    assert show(host, 9.1, at(50)) == []
    assert show(host, 13, at(50)) == []
    assert len(show(host, 14.1, at(54))) == 1


def test_a_clock_that_went_back_is_a_new_beginning(host):
    show(host, 10, at(40))
    assert show(host, 0, at(40)) == []
    assert show(host, 4, at(44)) == []
    assert len(show(host, 5, at(44))) == 1


@pytest.mark.parametrize("gone", [(), (market("m", bid=40, ask=None),), (market("m", status=CLOSED),)])
def test_a_market_that_left_closed_or_lost_a_side_is_learned_anew(host, gone):
    show(host, 0, at(40))
    assert show(host, 2, *gone) == []
    assert show(host, 5, at(44)) == []
    assert show(host, 6, at(44)) == []
    assert len(show(host, 10, at(48))) == 1


def test_it_sells_what_it_holds_once_the_rise_is_gone(host):
    show(host, 0, at(40))
    hold(host)
    assert show(host, 5, at(44)) == [], "it rises still, and is not bought twice"
    (wish,) = show(host, 10, at(44))
    assert (wish.market, wish.outcome, wish.side) == ("m", "yes", "sell")
    assert wish.rationale == "momentum is gone: +0.0 cents over the window"


def test_what_it_does_not_hold_is_not_sold(host):
    show(host, 0, at(40))
    assert show(host, 5, at(40)) == []


def test_it_names_its_largest_rises_and_no_more(host):
    show(host, 0, at(40, "a"), at(40, "b"), at(40, "c"))
    wishes = show(host, 5, at(44, "a"), at(48, "b"), at(46, "c"))
    assert [wish.market for wish in wishes] == ["b", "c"]


def test_it_keeps_the_contract():
    check_agent(FOLDER)
    check_agent(FOLDER, {"window_micros": MICRO, "rise_cents": 1})


STEPS = st.lists(st.tuples(st.integers(0, 400), st.integers(2, 97)), min_size=2, max_size=12)


@given(STEPS)
def test_it_buys_exactly_what_a_reader_of_the_whole_past_would(steps):
    """Seconds between observations and YES bids in cents, against the definition over the whole list."""
    span, now, past = 300, 0, []
    with FakeHost(FOLDER, CONFIG) as host:
        for wait, bid in steps:
            now += wait
            past = past if wait <= span else []
            past.append((now, bid))
            before = [price for when, price in past if when <= now - span]
            rise = bid - before[-1] if before else 0
            bought = {wish.outcome for wish in show(host, now / 60, at(bid))}
            assert bought == ({"yes"} if rise >= 3 else {"no"} if rise <= -3 else set())
