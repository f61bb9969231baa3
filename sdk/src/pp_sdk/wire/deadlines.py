"""The time a call may take.

Laws: a call has two clocks. Its inner one measures the plugin and stands still while the plugin waits on the
host; its outer one never stands still. One timer serves all calls: it is set for the earliest end and looks
again when it rings, so a call that is answered in time costs no timer at all.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Protocol

from msgspec import Struct


class Handle(Protocol):
    def cancel(self) -> None: ...


class Timers(Protocol):
    """The part of an event loop that is used here: monotonic seconds, and waking up later."""

    def time(self) -> float: ...
    def call_later(self, delay: float, callback: Callable[[], None], /) -> Handle: ...


class _Clock(Struct):
    left: float  # of the inner time, when `since` began
    since: float | None  # None while it stands still
    ends: float

    def end(self) -> float:
        return self.ends if self.since is None else min(self.since + self.left, self.ends)


class Deadlines:
    """Calls `expired(key)` once for every key whose time is over. Seconds throughout."""

    def __init__(self, timers: Timers, expired: Callable[[Hashable], None]) -> None:
        self._timers = timers
        self._expired = expired
        self._clocks: dict[Hashable, _Clock] = {}
        self._paused = 0
        self._handle: Handle | None = None
        self._rings = 0.0

    def start(self, key: Hashable, inner: float, outer: float) -> None:
        now = self._timers.time()
        self._clocks[key] = _Clock(inner, None if self._paused else now, now + outer)
        soonest = now + min(inner, outer)  # too early for a clock that stands still, which does no harm
        if self._handle is None or soonest < self._rings:
            self._ring_by(soonest)

    def stop(self, key: Hashable) -> None:
        """The call is over; a key that already expired may be stopped again."""
        self._clocks.pop(key, None)

    def pause(self) -> None:
        """The plugin waits on the host from here on. Pauses nest."""
        self._paused += 1
        now = self._timers.time()
        for clock in self._clocks.values():
            if clock.since is not None:
                clock.left -= now - clock.since
                clock.since = None

    def resume(self) -> None:
        """One reason to wait is gone."""
        self._paused -= 1
        if self._paused == 0:
            now = self._timers.time()
            for clock in self._clocks.values():
                clock.since = now
                self._ring_by(clock.end())

    def close(self) -> None:
        """Forget every call."""
        self._clocks.clear()
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _ring_by(self, moment: float) -> None:
        if self._handle is not None:
            if self._rings <= moment:
                return
            self._handle.cancel()
        self._rings = moment
        self._handle = self._timers.call_later(max(0.0, moment - self._timers.time()), self._ring)

    def _ring(self) -> None:
        self._handle = None
        now = self._timers.time()
        over = [key for key, clock in self._clocks.items() if clock.end() <= now]
        for key in over:
            del self._clocks[key]
        if self._clocks:
            self._ring_by(min(clock.end() for clock in self._clocks.values()))
        for key in over:
            self._expired(key)
