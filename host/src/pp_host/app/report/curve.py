"""A series of any length in bounded memory: its extremes survive, detail gives way.

Laws: no value lies outside the stretch of its time, and the lowest and highest of all are kept with their times.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct

STRETCHES = 720  # a page or picture has no more points side by side; even, because they are merged in pairs


class Stretch(NamedTuple):
    """The values from one time up to another: lowest, highest, and the last of them."""

    first: int
    last: int
    low: int
    high: int
    end: int


class Point(NamedTuple):
    at: int
    value: int


class Curve(Struct, frozen=True):
    """`at`, `first` and `last` are microseconds UTC of the session's clock."""

    stretches: tuple[Stretch, ...] = ()
    lowest: Point | None = None
    highest: Point | None = None


class Tracer:
    """Takes values in the order of their times. When all stretches are full, each two become one."""

    def __init__(self, most: int = STRETCHES) -> None:
        self._most = most
        self._stretches: list[Stretch] = []
        self._values = 0
        self._each = 1  # values that a full stretch holds
        self._lowest: Point | None = None
        self._highest: Point | None = None

    def add(self, at: int, value: int) -> None:
        self._mark(Point(at, value))
        one = Stretch(at, at, value, value, value)
        if self._values % self._each:
            self._stretches[-1] = _joined(self._stretches[-1], one)
        else:
            if len(self._stretches) == self._most:
                self._halve()
            self._stretches.append(one)
        self._values += 1

    def curve(self) -> Curve:
        return Curve(tuple(self._stretches), self._lowest, self._highest)

    def _mark(self, point: Point) -> None:
        if self._lowest is None or point.value < self._lowest.value:
            self._lowest = point
        if self._highest is None or point.value > self._highest.value:
            self._highest = point

    def _halve(self) -> None:
        pairs = zip(self._stretches[::2], self._stretches[1::2], strict=True)
        self._stretches = [_joined(left, right) for left, right in pairs]
        self._each *= 2


def _joined(left: Stretch, right: Stretch) -> Stretch:
    low, high = min(left.low, right.low), max(left.high, right.high)
    return Stretch(left.first, right.last, low, high, right.end)
