"""Deadlines on a clock that only the test moves."""

from __future__ import annotations

import pytest
from pp_sdk.wire.deadlines import Deadlines


@pytest.fixture
def expired():
    return []


@pytest.fixture
def deadlines(timers, expired):
    return Deadlines(timers, expired.append)


def test_a_call_expires_once_at_its_end(timers, deadlines, expired):
    deadlines.start("a", 5, 60)
    timers.advance(4.99)
    assert expired == []
    timers.advance(0.02)
    assert expired == ["a"]
    timers.advance(100)
    assert expired == ["a"]


def test_a_call_that_is_over_does_not_expire(timers, deadlines, expired):
    deadlines.start("a", 5, 60)
    deadlines.stop("a")
    timers.advance(100)
    assert expired == []


def test_calls_expire_in_the_order_of_their_ends(timers, deadlines, expired):
    deadlines.start("slow", 9, 60)
    deadlines.start("quick", 1, 60)
    deadlines.start("middle", 5, 60)
    assert len([one for one in timers.armed if not one.cancelled]) == 1
    timers.advance(20)
    assert expired == ["quick", "middle", "slow"]


def test_the_outer_clock_counts_even_when_it_is_the_shorter_one(timers, deadlines, expired):
    deadlines.start("a", 60, 5)
    timers.advance(5.1)
    assert expired == ["a"]


def test_the_inner_clock_stands_still_while_paused(timers, deadlines, expired):
    deadlines.start("a", 5, 60)
    timers.advance(3)
    deadlines.pause()
    timers.advance(40)
    deadlines.resume()
    timers.advance(1.9)
    assert expired == []
    timers.advance(0.2)
    assert expired == ["a"]


def test_the_outer_clock_does_not(timers, deadlines, expired):
    deadlines.start("a", 5, 60)
    deadlines.pause()
    timers.advance(59.9)
    assert expired == []
    timers.advance(0.2)
    assert expired == ["a"]


def test_pauses_nest(timers, deadlines, expired):
    deadlines.start("a", 5, 60)
    deadlines.pause()
    deadlines.pause()
    deadlines.resume()
    timers.advance(30)
    assert expired == []
    deadlines.resume()
    timers.advance(5.1)
    assert expired == ["a"]


def test_a_call_that_begins_in_a_pause_waits_for_its_end(timers, deadlines, expired):
    deadlines.pause()
    deadlines.start("a", 5, 60)
    timers.advance(30)
    deadlines.resume()
    timers.advance(4.9)
    assert expired == []
    timers.advance(0.2)
    assert expired == ["a"]


def test_answered_calls_cost_one_timer(timers, deadlines):
    for number in range(1000):
        deadlines.start(number, 5, 60)
        deadlines.stop(number)
    assert len(timers.armed) == 1


def test_closing_forgets_everything(timers, deadlines, expired):
    deadlines.start("a", 5, 60)
    deadlines.close()
    timers.advance(100)
    assert expired == []
