"""A rule, not a forecast: an outcome whose middle has risen by `rise_cents` within the window is bought in the hope
that part of the rise comes once more, and sold when nothing is left of the rise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from lookback import Lookback
from pp_sdk import MICRO, NO, OPEN, YES, Decision, MarketTable, Observation, hookimpl

CENT = MICRO // 100


class Risen(NamedTuple):
    """An outcome with its quotes and how far its middle has risen over the window, micro-USD."""

    market: str
    outcome: str
    bid: int
    ask: int
    rise: int


class MomentumAgent:
    """Remembers the middles of each outcome over one window of time."""

    def __init__(self) -> None:
        self.configure({})

    @hookimpl
    def configure(self, config: dict[str, int]) -> None:
        self._least = config.get("rise_cents", 3) * CENT
        self._span = config.get("window_micros", 600 * MICRO)
        self._goes_on = config.get("goes_on_percent", 50)
        self._faded = config.get("fade_cents", 0) * CENT
        self._most = config.get("most_decisions", 5)
        self._past: dict[tuple[str, str], Lookback] = {}

    @hookimpl
    def decide(self, observation: Observation) -> list[Decision]:
        account = observation.account
        held = {(own.market, own.outcome) for own in account.positions} if account else set()
        buys: list[Risen] = []
        sells: list[Decision] = []
        for risen in self._risen(observation.markets, observation.now):
            if (risen.market, risen.outcome) in held:
                if risen.rise <= self._faded:
                    sells.append(_sell(risen))
            elif risen.rise >= self._least and self._expected(risen) > risen.ask:
                buys.append(risen)
        buys.sort(key=lambda risen: (-risen.rise, risen.market))
        return (sells + [self._buy(risen) for risen in buys])[: self._most]

    def _risen(self, markets: MarketTable, now: int) -> Iterator[Risen]:
        """Every outcome whose past is known; what is not quoted on both sides is forgotten."""
        past, self._past = self._past, {}
        for row in markets:
            for outcome, bid, ask in ((YES, row.yes_bid, row.yes_ask), (NO, row.no_bid, row.no_ask)):
                if row.status != OPEN or bid is None or ask is None:
                    continue
                key = row.id, outcome
                lookback = self._past[key] = past.get(key) or Lookback(self._span)
                rise = lookback.rise(now, (bid + ask) // 2)
                if rise is not None:
                    yield Risen(row.id, outcome, bid, ask, rise)

    def _expected(self, risen: Risen) -> int:
        """The price it hopes for, micro-USD."""
        return (risen.bid + risen.ask) // 2 + risen.rise * self._goes_on // 100

    def _buy(self, risen: Risen) -> Decision:
        return Decision(
            market=risen.market,
            outcome=risen.outcome,
            side="buy",
            probability=_probability(self._expected(risen)),
            confidence=0.5,
            limit_price=risen.ask,
            rationale=f"middle rose {risen.rise / CENT:.1f} cents in {self._span / MICRO:g} s",
        )


def _sell(risen: Risen) -> Decision:
    return Decision(
        market=risen.market,
        outcome=risen.outcome,
        side="sell",
        probability=_probability(risen.bid),
        confidence=0.5,
        rationale=f"momentum is gone: {risen.rise / CENT:+.1f} cents over the window",
    )


def _probability(price: int) -> float:
    return min(max(price / MICRO, 0.001), 0.999)


plugin = MomentumAgent()
