"""What the agent has seen and done, counted and logged.

Laws: counts everything, logs little: a line when a set is first worth buying and when it is worth a cent more than
was ever told of it, few at once because the host ends a plugin that floods it, and the counts every so many
observations.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from complete_sets import CompleteSet
from pp_sdk import MICRO, log

CENT = MICRO // 100
TOLD_AT_ONCE = 20
TOLD_MOST = 1000  # sets whose telling is remembered; beyond it the oldest may be told anew


class Tally:
    """All since the plugin began. A stretch is the same set found in observations without a gap."""

    def __init__(self, every: int) -> None:
        self._every = every
        self._observations = 0
        self._seen: Counter[str] = Counter()
        self._stretches = self._implausible = self._best = self._sum = self._at_first = 0
        self._ends: Counter[str] = Counter()
        self._present: set[tuple[str, str]] = set()
        self._told: dict[tuple[str, str], int] = {}

    def saw(self, found: Sequence[CompleteSet], implausible: int) -> None:
        """One observation's sets; those above `implausible` micro-USD of profit are counted apart."""
        self._observations += 1
        self._implausible += sum(one.profit > implausible for one in found)
        plausible = [one for one in found if one.profit <= implausible]
        for one in plausible:
            self._seen[one.kind] += 1
            self._sum += one.profit
            self._best = max(self._best, one.profit)
            if (one.kind, one.name) not in self._present:
                self._stretches += 1
                self._at_first += one.profit
        self._present = {(one.kind, one.name) for one in plausible}
        news = [one for one in found if self._is_news(one)]
        for one in news[:TOLD_AT_ONCE]:
            self._tell(one, "" if one.profit <= implausible else "; implausible, not bought")
        if len(news) > TOLD_AT_ONCE:
            log.info(f"and {len(news) - TOLD_AT_ONCE} sets more in this observation")

    def wished(self) -> None:
        """A set was asked for."""
        self._ends["wished"] += 1

    def came_of(self, wished: CompleteSet, held: Mapping[tuple[str, str], int]) -> None:
        """What is held of a set that was asked for one observation ago, in micro-shares."""
        shares = [held.get((leg.market, leg.outcome), 0) for leg in wished.legs]
        if len(set(shares)) == 1:
            self._ends["complete" if shares[0] else "refused"] += 1
            return
        self._ends["broken"] += 1
        log.warning(
            f"{_name(wished)}: the legs differ, from {_shares(min(shares))} to {_shares(max(shares))} shares; "
            "what is beyond the smallest leg is a bet"
        )

    def summarise(self) -> None:
        """Log the counts, if it is time."""
        if self._observations % self._every:
            return
        kinds, ends = self._seen, self._ends
        log.info(
            f"summary after {self._observations} observations: {kinds.total()} violations in {self._stretches} "
            f"stretches (pair {kinds['pair']}, no {kinds['no']}, yes {kinds['yes']}), profit per set in micro-USD: "
            f"best {self._best}, sum {self._sum}, sum at first sight {self._at_first}; "
            f"implausible {self._implausible}; sets wished {ends['wished']}, complete {ends['complete']}, "
            f"broken {ends['broken']}, refused {ends['refused']}"
        )

    def _is_news(self, one: CompleteSet) -> bool:
        return one.profit >= self._told.get((one.kind, one.name), -CENT) + CENT

    def _tell(self, one: CompleteSet, remark: str) -> None:
        key = one.kind, one.name
        if len(self._told) >= TOLD_MOST:
            self._told.pop(next(iter(self._told)))
        self._told[key] = one.profit
        log.info(f"{described(one)}, {_shares(one.size)} sets on offer{remark}")


def described(one: CompleteSet) -> str:
    """The set, what it costs and pays, and its profit, in one line."""
    fees = one.payout - one.profit - one.asks
    return (
        f"{_name(one)}: asks sum to {one.asks} of {one.payout} micro-USD, fees {fees}, "
        f"profit {one.profit} micro-USD a set"
    )


def _name(one: CompleteSet) -> str:
    if one.kind == "pair":
        return f"YES and NO of {one.name}"
    return f"{one.kind.upper()} of {len(one.legs)} markets of {one.name}"


def _shares(micros: int) -> str:
    """12_340_000 -> '12.34'."""
    return f"{micros // MICRO}.{micros % MICRO // 10_000:02}"
