"""When a cycle is due."""

from __future__ import annotations

from itertools import islice

from pp_host.app.stage import _every
from pp_host.clock import SECOND, VirtualClock


def test_cycles_missed_while_the_machine_slept_are_left_out():
    clock = VirtualClock(0)
    moments = _every(60 * SECOND, 0, clock)
    assert [moment // SECOND for moment in islice(moments, 2)] == [0, 60]
    clock._now = 3_700 * SECOND  # an hour later
    assert [moment // SECOND for moment in islice(moments, 2)] == [3_660, 3_720]


def test_a_cycle_that_ran_late_delays_no_other():
    clock = VirtualClock(0)
    moments = _every(60 * SECOND, 0, clock)
    next(moments)
    clock._now = 70 * SECOND
    assert [moment // SECOND for moment in islice(moments, 2)] == [60, 120]
