"""How often: a token bucket on a monotonic clock, and a number for each call, which no clock changes."""

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


class PerCall:
    """`most` for each call that the host makes of the plugin, by `calls`, which counts them.

    On a tape the same calls bring the same answers, however fast it plays.
    """

    def __init__(self, most: int, calls: Callable[[], int]) -> None:
        self._most = most
        self._calls = calls
        self._call = calls()
        self._left = most

    def take(self) -> bool:
        """Take one; False when there is none left of this call's."""
        if self._call != (call := self._calls()):
            self._call, self._left = call, self._most
        if not self._left:
            return False
        self._left -= 1
        return True
