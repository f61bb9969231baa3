"""A rule, not a forecast: an outcome offered `deviations` standard deviations below its own mean of the window, and at
least `gap_cents` below it, is bought, and sold once somebody bids the mean."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pp_sdk import MICRO, NO, OPEN, YES, Decision, MarketTable, Observation, hookimpl
from window import Spread, Window

CENT = MICRO // 100


class Seen(NamedTuple):
    """An outcome with its quotes, micro-USD, and what its window held before them."""

    market: str
    outcome: str
    bid: int
    ask: int
    spread: Spread


class MeanRevertAgent:
    """Remembers the middles of each outcome over one window of time."""

    def __init__(self) -> None:
        self.configure({})

    @hookimpl
    def configure(self, config: dict[str, float]) -> None:
        self._deviations = config.get("deviations", 2)
        self._gap = config.get("gap_cents", 5) * CENT
        self._span = int(config.get("window_micros", 3600 * MICRO))
        self._least_points = config.get("least_points", 20)
        self._most = int(config.get("most_decisions", 5))
        self._windows: dict[tuple[str, str], Window] = {}

    @hookimpl
    def decide(self, observation: Observation) -> list[Decision]:
        account = observation.account
        held = {(own.market, own.outcome) for own in account.positions} if account else set()
        buys: list[tuple[float, Decision]] = []
        sells: list[Decision] = []
        for seen in self._seen(observation.markets, observation.now):
            spread = seen.spread
            if (seen.market, seen.outcome) in held:
                if seen.bid >= spread.mean:
                    sells.append(_sell(seen))
            elif spread.mean - seen.ask >= max(self._gap, self._deviations * spread.deviation):
                buys.append((spread.mean - seen.ask, _buy(seen)))
        buys.sort(key=lambda pair: (-pair[0], pair[1].market))
        return (sells + [wish for _, wish in buys])[: self._most]

    def _seen(self, markets: MarketTable, now: int) -> Iterator[Seen]:
        """Every outcome whose past is known; what is not quoted on both sides is forgotten."""
        windows, self._windows = self._windows, {}
        for row in markets:
            for outcome, bid, ask in ((YES, row.yes_bid, row.yes_ask), (NO, row.no_bid, row.no_ask)):
                if row.status != OPEN or bid is None or ask is None:
                    continue
                key = row.id, outcome
                window = self._windows[key] = windows.get(key) or Window(self._span)
                spread = window.before(now)
                window.add(now, (bid + ask) // 2)
                if spread.points >= self._least_points:
                    yield Seen(row.id, outcome, bid, ask, spread)


def _buy(seen: Seen) -> Decision:
    spread = seen.spread
    gap = (spread.mean - seen.ask) / CENT
    return Decision(
        market=seen.market,
        outcome=seen.outcome,
        side="buy",
        probability=_probability(spread.mean),
        confidence=0.5,
        limit_price=seen.ask,
        rationale=(
            f"ask is {gap:.1f} cents below the mean of {spread.points} observations, "
            f"whose standard deviation is {spread.deviation / CENT:.1f} cents"
        ),
    )


def _sell(seen: Seen) -> Decision:
    mean = seen.spread.mean
    return Decision(
        market=seen.market,
        outcome=seen.outcome,
        side="sell",
        probability=_probability(mean),
        confidence=0.5,
        rationale=f"back at its mean of {mean / CENT:.1f} cents",
    )


def _probability(price: float) -> float:
    return min(max(price / MICRO, 0.001), 0.999)


plugin = MeanRevertAgent()
