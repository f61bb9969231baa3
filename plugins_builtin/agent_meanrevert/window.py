"""Mean and standard deviation of the values of a window of time.

Laws: sums are integers, so that a value which leaves takes out exactly what it brought in; only what is answered is a
float. Times are microseconds of observation time, values micro-USD; every observation that is kept counts alike, and
at most MOST_POINTS are, spread over the window.
"""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

MOST_POINTS = 512  # of each outcome: a thousand outcomes fit the memory that the plugin asks for


class Spread(NamedTuple):
    """Of how many values, their mean, and the standard deviation around it, micro-USD."""

    points: int
    mean: float
    deviation: float


class Window:
    """The values of the last `span` microseconds."""

    def __init__(self, span: int) -> None:
        self._span = span
        self._points: deque[tuple[int, int]] = deque()
        self._sum = 0
        self._squares = 0

    def before(self, at: int) -> Spread:
        """What the window ending at `at` holds; a clock that went back empties it."""
        points = self._points
        back = bool(points) and at < points[-1][0]
        while points and (back or points[0][0] <= at - self._span):
            self._count(points.popleft()[1], -1)
        number = len(points)
        if not number:
            return Spread(0, 0.0, 0.0)
        return Spread(number, self._sum / number, math.sqrt(number * self._squares - self._sum**2) / number)

    def add(self, at: int, value: int) -> None:
        """Take in `value`, seen at `at`, unless the last one is hardly older."""
        if self._points and 0 <= at - self._points[-1][0] < self._span // MOST_POINTS:
            return
        self._points.append((at, value))
        self._count(value, +1)

    def _count(self, value: int, times: int) -> None:
        self._sum += times * value
        self._squares += times * value * value
