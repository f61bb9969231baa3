"""The fake host speaks the real protocol, in this process and without walls: `python -m pytest my_agent`."""

from __future__ import annotations

from pathlib import Path

from pp_sdk import CLOSED
from pp_sdk.testing import FakeHost, check_agent, market

FOLDER = Path(__file__).parents[1]


def test_it_buys_a_favourite_a_little_above_its_price():
    with FakeHost(FOLDER, {"edge_cents": 4}) as host:
        (wish,) = host.decide(market("rain", bid=78, ask=80))
    assert (wish.market, wish.outcome, wish.side) == ("rain", "yes", "buy")
    assert (wish.probability, wish.limit_price) == (0.84, 800_000)


def test_it_leaves_the_rest_alone():
    with FakeHost(FOLDER) as host:
        assert host.decide(market("even"), market("over", bid=78, ask=80, status=CLOSED)) == []


def test_it_keeps_the_contract():
    check_agent(FOLDER)
