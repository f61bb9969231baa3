"""A figure: what was measured against which floor, and whether its target is met."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, median, quantiles
from typing import Any, Literal, NamedTuple

from tests.bench.rounds import Round


class Target(NamedTuple):
    """`of`: whether it bounds the ratio, or what was measured itself, in the figure's unit."""

    sense: Literal["<=", ">="]
    value: float
    of: Literal["ratio", "ours"] = "ratio"

    def met(self, value: float) -> bool:
        return value <= self.value if self.sense == "<=" else value >= self.value

    def text(self, unit: str) -> str:
        return f"{self.sense} {self.value:g}{'x' if self.of == 'ratio' else ' ' + unit}"


class Pair(NamedTuple):
    """One round's two values."""

    ours: float
    floor: float


@dataclass(frozen=True)
class Figure:
    """pairs: one for each round, in `unit`; target: None for what is reported and bounds nothing.

    faster: the ratio is the floor over ours: how many times faster than a peer.
    """

    pairs: Sequence[Pair]
    target: Target | None = None
    unit: Literal["us", "mb", "p99/p50"] = "us"
    faster: bool = False
    more: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        ratios = [pair.floor / pair.ours if self.faster else pair.ours / pair.floor for pair in self.pairs]
        values = {"ratio": median(ratios), "ours": median(pair.ours for pair in self.pairs)}
        return {
            "ratio": round(values["ratio"], 3),
            f"floor_{self.unit}": round(median(pair.floor for pair in self.pairs), 3),
            f"ours_{self.unit}": round(values["ours"], 3),
            "rounds": len(self.pairs),
            "ratios": [round(min(ratios), 3), round(max(ratios), 3)],
            "target": self.target and self.target.text(self.unit),
            "met": self.target and self.target.met(values[self.target.of]),
            **self.more,
        }


@dataclass(frozen=True)
class Absent:
    """In place of a figure that cannot be had here."""

    why: str

    def document(self) -> dict[str, Any]:
        return {"not_here": self.why}


def p50(nanoseconds: Sequence[int]) -> float:
    """Microseconds."""
    return median(nanoseconds) / 1000


def mean(nanoseconds: Sequence[int]) -> float:
    """Microseconds."""
    return fmean(nanoseconds) / 1000


def tail(nanoseconds: Sequence[int]) -> float:
    """p99 over p50."""
    return quantiles(nanoseconds, n=100)[98] / median(nanoseconds)


def pairs(
    rounds: Sequence[Round], ours: str, floor: str, of: Callable[[Sequence[int]], float] = p50
) -> list[Pair]:
    return [Pair(of(taken[ours]), of(taken[floor])) for taken in rounds]


def ratio(several: Sequence[Pair]) -> float:
    return round(median(pair.ours / pair.floor for pair in several), 3)
