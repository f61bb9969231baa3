"""An event loop whose time is virtual and whose ready queue is shuffled by a seed.

The same seed always gives the same run; time jumps to the next timer when nothing is ready, so that a day of waiting
takes no time. Real input and output would wait for real time: nothing in here does any.
"""

from __future__ import annotations

import asyncio
import heapq
import random
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class SimLoop(asyncio.SelectorEventLoop):
    """`steps` counts turns of the loop; `at_step` may hold something to do at one of them."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.rng = random.Random(seed)
        self.steps = 0
        self.at_step: dict[int, Callable[[], object]] = {}
        self._moment = 0.0

    def time(self) -> float:
        return self._moment

    def _run_once(self) -> None:
        self.steps += 1
        if action := self.at_step.pop(self.steps, None):
            action()
        ready = list(self._ready)
        self.rng.shuffle(ready)
        self._ready.clear()
        self._ready.extend(ready)
        if not ready:
            self._jump()
        super()._run_once()

    def _jump(self) -> None:
        """To the next timer that still means something."""
        while self._scheduled and self._scheduled[0]._cancelled:
            heapq.heappop(self._scheduled)._scheduled = False
            self._timer_cancelled_count -= 1
        if self._scheduled:
            self._moment = max(self._moment, self._scheduled[0]._when)


def run(main: Callable[[SimLoop], Coroutine[Any, Any, T]], seed: int) -> T:
    """`main(loop)` to its end, under the seed's order of events."""
    loop = SimLoop(seed)
    try:
        return loop.run_until_complete(main(loop))
    finally:
        loop.close()
