"""The value rule: buys what is quoted below its own average, sells what is back, and forgets what is gone."""

from __future__ import annotations

from pathlib import Path

import pytest
from pp_sdk import CLOSED, MICRO, Account, Position
from pp_sdk.testing import FakeHost, check_agent, market

FOLDER = Path(__file__).parents[1]
CONFIG = {"edge_cents": 3, "memory": 4, "most_decisions": 2}


@pytest.fixture
def host():
    with FakeHost(FOLDER, CONFIG) as opened:
        yield opened


def warm(host: FakeHost, *names: str, times: int = 4) -> None:
    """Shows the markets at 49 / 51 until the agent knows them."""
    for _ in range(times):
        assert host.decide(*(market(name, bid=49, ask=51) for name in names)) == []


def test_it_buys_an_outcome_below_its_average(host):
    warm(host, "m")
    (wish,) = host.decide(market("m", bid=38, ask=40))
    assert (wish.market, wish.outcome, wish.side, wish.limit_price) == ("m", "yes", "buy", 400_000)
    assert 0.45 < wish.probability < 0.5


def test_it_buys_no_when_yes_is_dear(host):
    warm(host, "m")
    (wish,) = host.decide(market("m", bid=60, ask=62))
    assert (wish.outcome, wish.side, wish.limit_price) == ("no", "buy", 400_000)


def test_a_small_gap_is_left_alone(host):
    warm(host, "m")
    assert host.decide(market("m", bid=48, ask=50)) == []


def test_it_waits_until_it_knows_a_market(host):
    warm(host, "m", times=2)
    assert host.decide(market("m", bid=38, ask=40)) == []


def test_a_market_that_is_not_open_is_no_market(host):
    warm(host, "m")
    assert host.decide(market("m", bid=38, ask=40, status=CLOSED)) == []


def test_it_names_its_best_wishes_and_no_more(host):
    warm(host, "a", "b", "c")
    wishes = host.decide(
        market("a", bid=43, ask=45), market("b", bid=33, ask=35), market("c", bid=38, ask=40)
    )
    assert [wish.market for wish in wishes] == ["b", "c"]


def test_it_sells_what_it_holds_once_it_is_back_and_does_not_buy_more(host):
    warm(host, "m")
    held = Position(market="m", outcome="yes", shares=10 * MICRO, cost=4 * MICRO)
    host.account = Account(precision="exact", equity=100 * MICRO, cash=96 * MICRO, positions=(held,))
    assert host.decide(market("m", bid=38, ask=40)) == []
    (wish,) = host.decide(market("m", bid=51, ask=53))
    assert (wish.market, wish.outcome, wish.side) == ("m", "yes", "sell")


def test_a_market_that_left_is_learned_anew(host):
    warm(host, "m")
    assert host.decide() == []
    assert host.decide(market("m", bid=38, ask=40)) == []


def test_it_keeps_the_contract():
    check_agent(FOLDER)
