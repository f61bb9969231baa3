"""How often: a token bucket on a monotonic clock, and a number for each call, which no clock changes.

Laws: who is refused something, or ended, is so by the number of calls; a clock only makes answers wait. On a tape the
same calls bring the same answers, however fast it plays.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

import anyio

PACE_SECONDS = 0.02  # between two looks whether there are tokens again


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

    async def wait(self, amount: float) -> None:
        """Take `amount` tokens, no more than the burst, as soon as there are so many."""
        while not self.take(amount):
            await anyio.sleep(PACE_SECONDS)


class Called(Protocol):
    """A plugin by its calls: how many there were, and how often the last of them calls a hook (`notify` for each of its
    events, every other hook once)."""

    @property
    def calls(self) -> int: ...
    @property
    def hook_calls(self) -> int: ...


class PerCall:
    """`most` for each call of a hook, in one sum for all that one message of the host's brings.

    What is said between two calls counts for the one before.
    """

    def __init__(self, most: int, plugin: Called) -> None:
        self._most = most
        self._plugin = plugin
        self._call = plugin.calls
        self._left = most

    def take(self) -> bool:
        """Take one; False when there is none left of this call's."""
        if self._call != self._plugin.calls:
            self._call, self._left = self._plugin.calls, self._most * self._plugin.hook_calls
        if not self._left:
            return False
        self._left -= 1
        return True
