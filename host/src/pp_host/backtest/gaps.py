"""The longest stretches between moments that follow each other."""

from __future__ import annotations

from bisect import insort

from msgspec import Struct

MOST_GAPS = 5


class Gap(Struct, frozen=True, rename={"start": "from", "end": "to"}):
    """A stretch between two steps that follow each other, microseconds UTC."""

    start: int
    end: int
    length: int


class Gaps:
    """The longest so far, of moments told in the order of time."""

    def __init__(self) -> None:
        self.steps = 0
        self.first = self.newest = -1
        self._longest: list[tuple[int, int]] = []  # (minus the length, start)

    def step(self, at: int) -> None:
        """A moment; the same one again is none."""
        if at == self.newest:
            return
        if self.steps:
            insort(self._longest, (self.newest - at, self.newest))
            del self._longest[MOST_GAPS:]
        else:
            self.first = at
        self.steps += 1
        self.newest = at

    def told(self) -> list[Gap]:
        """Longest first; of equal ones the earlier first."""
        return [Gap(start, start - minus, -minus) for minus, start in self._longest]
