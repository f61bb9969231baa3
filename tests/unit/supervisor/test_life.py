"""The life table and the patience with plugins that fall."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from pp_host.limits import SupervisionLimits
from pp_host.supervisor.life import TRANSITIONS, Happening, Life, Patience

ENDS = {Life.STOPPED, Life.QUARANTINED}


def test_every_life_can_be_stopped_and_none_leaves_stopped() -> None:
    for life in Life:
        stoppable = (life, Happening.STOP) in TRANSITIONS
        assert stoppable == (life not in {Life.STOPPED, Life.STOPPING, Life.QUARANTINED})
    assert not [life for life, _ in TRANSITIONS if life is Life.STOPPED]


def test_nothing_leads_out_of_quarantine() -> None:
    assert {what for life, what in TRANSITIONS if life is Life.QUARANTINED} == set()


@given(st.lists(st.sampled_from(Happening)))
def test_a_walk_through_the_table_never_runs_without_a_start(walk: list[Happening]) -> None:
    life, started = Life.NEW, False
    for happening in walk:
        if (life, happening) in TRANSITIONS:
            life = TRANSITIONS[(life, happening)]
            started |= happening is Happening.START
    assert started or life in {Life.NEW, Life.STOPPED}


def test_patience_ends_with_the_fourth_fall_in_a_minute() -> None:
    patience = Patience(SupervisionLimits(restarts=3, restart_window_seconds=60, backoff_first_seconds=0.5))
    assert [patience.next_wait(at, jitter=1.0) for at in (0.0, 1.0, 2.0)] == [0.5, 1.0, 2.0]
    assert patience.next_wait(3.0, jitter=1.0) is None


def test_patience_returns_when_the_falls_are_long_ago() -> None:
    patience = Patience(SupervisionLimits(restarts=3, restart_window_seconds=60, backoff_first_seconds=0.5))
    for at in (0.0, 1.0, 2.0):
        patience.next_wait(at, jitter=1.0)
    assert patience.next_wait(63.0, jitter=1.0) == 0.5


@given(st.floats(0, 1))
def test_jitter_takes_at_most_half_of_the_wait(jitter: float) -> None:
    wait = Patience().next_wait(0.0, jitter)
    assert wait is not None
    assert 0.25 <= wait <= 0.5
