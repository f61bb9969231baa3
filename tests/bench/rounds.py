"""Rounds: everybody who is compared is measured in every round, in short turns, beside what bounds him.

Machines are shared; what disturbs one turn disturbs its neighbours. So a figure is made of ratios within a round, and
of these the median.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from time import perf_counter_ns as now

Turn = Callable[[int], Awaitable[list[int]]]
"""Makes so many calls; nanoseconds of each."""

Round = Mapping[str, list[int]]
"""All of one round's nanoseconds, by contender."""


@dataclass(frozen=True)
class Effort:
    """How much is measured: rounds; turns of each contender in a round; calls in a turn; plugins side by side.

    tell: is told of each round that is over.
    """

    rounds: int
    turns: int
    calls: int
    plugins: int
    tell: Callable[[str], None]

    def each_round(self, what: str) -> Iterator[int]:
        for number in range(self.rounds):
            yield number
            self.tell(f"{what}: round {number + 1} of {self.rounds}")

    async def spend(self, what: str, contenders: Mapping[str, Turn]) -> list[Round]:
        """Rounds of turns, in reversed order every second time. What is measured was warmed up before."""
        for turn in contenders.values():
            await turn(self.calls)
        return [await self._round(contenders) for _ in self.each_round(what)]

    async def _round(self, contenders: Mapping[str, Turn]) -> Round:
        taken: dict[str, list[int]] = {name: [] for name in contenders}
        order = list(contenders)
        for _ in range(self.turns):
            for name in order:
                taken[name] += await contenders[name](self.calls)
            order.reverse()
        return taken


def blocking(ask: Callable[[], object]) -> Turn:
    async def turn(calls: int) -> list[int]:
        taken = []
        for _ in range(calls):
            begun = now()
            ask()
            taken.append(now() - begun)
        return taken

    return turn


def awaited(ask: Callable[[], Awaitable[object]]) -> Turn:
    async def turn(calls: int) -> list[int]:
        taken = []
        for _ in range(calls):
            begun = now()
            await ask()
            taken.append(now() - begun)
        return taken

    return turn


def settled(turn: Turn, flush: Callable[[], None]) -> Turn:
    """The turn and then all of it on disk, so that nobody else's turn pays for it: the last call does."""

    async def whole(calls: int) -> list[int]:
        taken = await turn(calls)
        begun = now()
        flush()
        taken[-1] += now() - begun
        return taken

    return whole
