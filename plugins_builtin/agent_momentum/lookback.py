"""What a price was some time ago, from observations that come when they come.

Laws: times are microseconds of observation time, values micro-USD. What was seen last at a moment holds until the next
observation; a gap longer than the window, or a clock that went back, is a new beginning.
"""

from __future__ import annotations

from collections import deque

MOST_POINTS = 512  # of each outcome: a thousand outcomes fit the memory that the plugin asks for


class Lookback:
    """One price over a window of `span` microseconds, and the last value from before it."""

    def __init__(self, span: int) -> None:
        self._span = span
        self._points: deque[tuple[int, int]] = deque()

    def rise(self, at: int, value: int) -> int | None:
        """Take in `value` at `at`; how far it is above the value of `span` ago, None while that is not known."""
        points = self._points
        if points and not 0 <= at - points[-1][0] <= self._span:
            points.clear()
        if points and at - points[-1][0] < self._span // MOST_POINTS:
            points[-1] = points[-1][0], value
        else:
            points.append((at, value))
        while len(points) > 1 and points[1][0] <= at - self._span:
            points.popleft()
        began, before = points[0]
        return value - before if began <= at - self._span else None
