"""What one walk over a tape's files found, before anything is played."""

from __future__ import annotations

from array import array
from heapq import merge
from itertools import groupby
from typing import NamedTuple


class Survey(NamedTuple):
    """Of one file: the distinct times (microseconds UTC), and which markets (indices) it states."""

    moments: array[int]
    markets: frozenset[int]

    @classmethod
    def nothing(cls) -> Survey:
        return cls(array("q"), frozenset())

    def joined(self, other: Survey) -> Survey:
        """Of both files."""
        both = (at for at, _ in groupby(merge(self.moments, other.moments)))
        return Survey(array("q", both), self.markets | other.markets)


class TapeSurvey(NamedTuple):
    """Of prices and books together, and of the books alone."""

    whole: Survey
    books: Survey
