"""Synthetic binary markets for the demo, for paper trading without an account, and for tests.

Every market is a function of the seed and the time alone, so that a restart finds it where it was. Its hidden value
is a random walk that ends at a known minute; the fair price is the chance that the walk ends above zero, which makes
it a martingale that reaches 0 or 1. Quotes wander around the fair price and come back: that is the error a value
rule can find.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

from pp_sdk import MICRO, RESOLVED, MarketRow, MarketTable, SnapshotRequest, build, hookimpl

MINUTE = 60 * MICRO
TICK = 10_000
MIN_SIZE = 5 * MICRO
LEVELS = 5
FEE_RATE = 40_000  # 4 %: the venue's middle category
SHOWN_AFTER_END = 5  # minutes a resolved market stays visible
TOPICS = ("rain in Lisbon", "a new record", "the bill passes", "the home side wins", "the launch holds")


class Market:
    """One market from its first minute to its last."""

    def __init__(self, seed: int, slot: int, generation: int, first_minute: int, minutes: int) -> None:
        self.id = f"sample-{seed}-{slot:03d}-{generation}"
        self.event = f"sample-{seed}-{slot:03d}"
        self.question = f"Sample {slot:03d}: {TOPICS[slot % len(TOPICS)]}, round {generation}?"
        self.first = first_minute
        self.last = first_minute + minutes
        self._random = random.Random(f"{seed}/{slot}/{generation}")  # noqa: S311  # repeatable on purpose
        self._at = first_minute
        self._walk = self._random.gauss(0.0, 0.6) * math.sqrt(minutes)
        self._error = 0.0

    def advance(self, minute: int) -> None:
        """Walk to `minute`; never backwards."""
        while self._at < min(minute, self.last):
            self._walk += self._random.gauss(0.0, 1.0)
            self._error = 0.85 * self._error + self._random.gauss(0.0, 0.02)
            self._at += 1

    @property
    def fair(self) -> float:
        """The chance, 0..1, that the walk ends above zero."""
        return 0.5 * (1.0 + math.erf(self._walk / math.sqrt(2.0 * max(self.last - self._at, 1))))

    def row(self, minute: int, now: int) -> MarketRow:
        """The market as it is quoted at `minute`, or resolved when it has ended."""
        self.advance(minute)
        if minute >= self.last:
            return self._row(now, status=RESOLVED, yes_payout=MICRO if self._walk > 0 else 0)
        middle = min(max(self.fair + self._error, 0.03), 0.97)
        width = 1 + self.last % 2
        bid = min(max(int(middle * MICRO) // TICK - width // 2, 1), 98)
        yes_bids = tuple(self._levels(bid, -1))
        yes_asks = tuple(self._levels(bid + width, +1))
        return self._row(
            now,
            yes_bids=yes_bids,
            yes_asks=yes_asks,
            no_bids=tuple((MICRO - price, size) for price, size in yes_asks),
            no_asks=tuple((MICRO - price, size) for price, size in yes_bids),
            quoted_at=now,
        )

    def _levels(self, best: int, step: int) -> Iterator[tuple[int, int]]:
        depth = 40 + (self.last * 7 + best) % 60
        for level in range(LEVELS):
            ticks = best + step * level
            if 1 <= ticks <= 99:
                yield ticks * TICK, depth * (level + 1) * MICRO

    def _row(self, now: int, **quotes: object) -> MarketRow:
        return MarketRow(
            id=self.id,
            event=self.event,
            question=self.question,
            category="sample",
            venue="sample",
            tick=TICK,
            min_size=MIN_SIZE,
            opened_at=self.first * MINUTE,
            ends_at=self.last * MINUTE,
            fee_rate=FEE_RATE,
            fee_exponent=1,
            **quotes,  # type: ignore[arg-type]  # the callers above name MarketRow's own fields
        )


class SampleSource:
    """Slots that each hold one market after another, for ever."""

    def __init__(self) -> None:
        self.configure({})

    @hookimpl
    def configure(self, config: dict[str, int]) -> None:
        self._seed = config.get("seed", 7)
        self._slots = config.get("markets", 40)
        self._minutes = config.get("lifetime_minutes", 45)
        self._live: dict[str, Market] = {}

    @hookimpl
    def snapshot(self, request: SnapshotRequest) -> MarketTable:
        minute = request.now // MINUTE
        wanted = {
            self._market(slot, generation).id: (slot, generation) for slot, generation in self._shown(minute)
        }
        for held in request.held:
            if (place := self._place(held)) is not None and place[1] <= self._generation(place[0], minute):
                wanted[held] = place
        self._live = {name: self._live[name] for name in wanted if name in self._live}
        rows = []
        for name, place in wanted.items():
            market = self._live.get(name)
            if market is None or market._at > minute:  # noqa: SLF001  # same module; a clock set back starts the walk anew
                market = self._live[name] = self._market(*place)
            rows.append(market.row(minute, request.now))
        return build(rows)

    def _shown(self, minute: int) -> Iterator[tuple[int, int]]:
        for slot in range(self._slots):
            generation = self._generation(slot, minute)
            yield slot, generation
            if minute - self._first_minute(slot, generation) < SHOWN_AFTER_END and generation > 0:
                yield slot, generation - 1

    def _lifetime(self, slot: int) -> int:
        return self._minutes + slot % 7 * max(1, self._minutes // 10)

    def _generation(self, slot: int, minute: int) -> int:
        return (minute + slot * 13) // self._lifetime(slot)

    def _first_minute(self, slot: int, generation: int) -> int:
        return generation * self._lifetime(slot) - slot * 13

    def _market(self, slot: int, generation: int) -> Market:
        return Market(
            self._seed, slot, generation, self._first_minute(slot, generation), self._lifetime(slot)
        )

    def _place(self, name: str) -> tuple[int, int] | None:
        parts = name.split("-")
        if len(parts) != 4 or parts[:2] != ["sample", str(self._seed)] or not (parts[2] + parts[3]).isdigit():
            return None
        slot, generation = int(parts[2]), int(parts[3])
        return (slot, generation) if slot < self._slots else None


plugin = SampleSource()
