"""The sample markets: the same for a seed and a time, honest on average, settled once they end."""

from __future__ import annotations

from pathlib import Path

import pytest
from pp_sdk import MICRO, OPEN, RESOLVED, MarketTable
from pp_sdk.testing import FakeHost

FOLDER = Path(__file__).parents[1]
MINUTE = 60 * MICRO
START = 1_767_225_600 * MICRO


@pytest.fixture
def host():
    with FakeHost(FOLDER, {"markets": 12, "seed": 7}, now=START) as opened:
        yield opened


def show(host: FakeHost, minute: int, *held: str) -> MarketTable:
    host.now = START + minute * MINUTE
    return host.snapshot(*held)


def test_every_slot_holds_one_open_market(host):
    rows = [row for row in show(host, 0) if row.status == OPEN]
    assert len({row.event for row in rows}) == len(rows) == 12
    for row in rows:
        assert row.yes_bid is not None
        assert row.quoted_at == START
        assert row.ends_at is not None
        assert row.ends_at > START


def test_the_books_of_both_outcomes_mirror_each_other(host):
    for row in show(host, 3):
        mirrored = tuple((MICRO - price, size) for price, size in row.book("yes", "ask"))
        assert row.book("no", "bid") == mirrored
        assert all(price % row.tick == 0 for price, _ in row.book("yes", "bid") + row.book("yes", "ask"))


def test_a_seed_and_a_time_are_the_same_markets_whatever_was_asked_before(host):
    for minute in range(50):
        walked = show(host, minute)
    with FakeHost(FOLDER, {"markets": 12, "seed": 7}) as fresh:
        assert show(fresh, 49).digest == walked.digest
    with FakeHost(FOLDER, {"markets": 12, "seed": 8}) as other:
        assert show(other, 49).digest != walked.digest


def test_a_clock_that_goes_back_shows_what_it_showed(host):
    before = show(host, 10).digest
    show(host, 30)
    assert show(host, 10).digest == before


def test_an_ended_market_is_resolved_for_whoever_holds_it(host):
    first = next(row for row in show(host, 0) if row.status == OPEN)
    name = first.id
    paid = set()
    for minute in range(500):
        row = show(host, minute, name).get(name)
        assert row is not None
        if row.status == RESOLVED:
            paid.add(row.yes_payout)
    assert paid in ({0}, {MICRO})
    later = show(host, 499)
    assert later.get(name) is None


def test_what_is_no_market_of_ours_is_not_made_up(host):
    held = ("", "sample-7-999-1", "sample-8-000-1", "sample-7-000-99999999", "sample-7-0a0-1", "elsewhere")
    assert [row.id for row in show(host, 0, *held)] == [row.id for row in show(host, 0)]


def test_quotes_are_fair_on_average():
    """The middle is an unbiased forecast: over many markets YES is paid about as often as its middle said."""
    said, paid = 0.0, 0
    with FakeHost(FOLDER, {"markets": 400, "seed": 3, "lifetime_minutes": 10}) as host:
        opened = {
            row.id: row.yes_mid for row in show(host, 0) if row.status == OPEN and row.yes_mid is not None
        }
        ended = show(host, 60, *opened)
    for name, middle in opened.items():
        row = ended.get(name)
        assert row is not None
        assert row.yes_payout is not None
        said += middle / MICRO
        paid += row.yes_payout == MICRO
    assert abs(said - paid) < 4 * (0.25 * len(opened)) ** 0.5
