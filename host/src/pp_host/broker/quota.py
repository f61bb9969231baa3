"""A token bucket on a monotonic clock."""

from __future__ import annotations

import time
from collections.abc import Callable


class TokenBucket:
    """`rate` tokens a second up to `burst`; starts full. `clock` gives monotonic seconds."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._tokens = burst
        self._at = clock()

    @classmethod
    def a_second(cls, amount: int) -> TokenBucket:
        """`amount` a second, twice that at once."""
        return cls(amount, 2 * amount)

    @classmethod
    def a_minute(cls, amount: int) -> TokenBucket:
        """`amount` a minute, all of it at once if need be."""
        return cls(amount / 60, amount)

    def take(self, amount: float) -> bool:
        """Take `amount` tokens; False, and nothing taken, when there are too few."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if amount > self._tokens:
            return False
        self._tokens -= amount
        return True
