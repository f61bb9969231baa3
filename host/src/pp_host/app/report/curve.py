"""A series of any length in bounded memory: its extremes survive, detail gives way.

Laws: no value lies outside its stretch, and the lowest and the highest of every stretch are kept with their times.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct

STRETCHES = 720  # a page or picture has no more points side by side; even, because they are merged in pairs


class Point(NamedTuple):
    at: int
    value: int


class Stretch(NamedTuple):
    """Values that follow each other: the lowest, the highest and the last of them."""

    low: Point
    high: Point
    last: Point

    @property
    def points(self) -> list[Point]:
        """Each once, in the order of their times."""
        return sorted(set(self), key=lambda point: point.at)


class Curve(Struct, frozen=True):
    """Times are microseconds UTC of the session's clock."""

    stretches: tuple[Stretch, ...] = ()

    @property
    def lowest(self) -> Point:
        return min((each.low for each in self.stretches), key=lambda point: point.value)

    @property
    def highest(self) -> Point:
        return max((each.high for each in self.stretches), key=lambda point: point.value)


class Tracer:
    """Takes values in the order of their times. When there are too many stretches, each two become one."""

    def __init__(self, most: int = STRETCHES) -> None:
        self._most = most
        self._stretches: list[Stretch] = []
        self._values = 0
        self._each = 1  # values that a full stretch holds

    def add(self, at: int, value: int) -> None:
        point = Point(at, value)
        one = Stretch(point, point, point)
        if self._values % self._each:
            self._stretches[-1] = _joined(self._stretches[-1], one)
        else:
            if len(self._stretches) == self._most:
                self._halve()
            self._stretches.append(one)
        self._values += 1

    def curve(self) -> Curve:
        return Curve(tuple(self._stretches))

    def _halve(self) -> None:
        pairs = zip(self._stretches[::2], self._stretches[1::2], strict=True)
        self._stretches = [_joined(left, right) for left, right in pairs]
        self._each *= 2


def _joined(left: Stretch, right: Stretch) -> Stretch:
    """The earlier of two equal extremes stays."""
    low = right.low if right.low.value < left.low.value else left.low
    high = right.high if right.high.value > left.high.value else left.high
    return Stretch(low, high, right.last)
