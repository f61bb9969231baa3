"""A rule, not a forecast: an outcome quoted `edge_cents` below its own moving average is worth buying, and one that
is back at its average is worth selling. It shows what an agent looks like and finds the sample markets' error."""

from __future__ import annotations

from pp_sdk import MICRO, NO, OPEN, YES, Account, Decision, MarketTable, Observation, hookimpl

CENT = MICRO // 100


class ValueAgent:
    """Remembers one exponential average of the YES middle per market."""

    def __init__(self) -> None:
        self.configure({})

    @hookimpl
    def configure(self, config: dict[str, int]) -> None:
        self._edge = config.get("edge_cents", 2) * CENT
        self._memory = config.get("memory", 12)
        self._most = config.get("most_decisions", 5)
        self._average: dict[str, float] = {}
        self._seen: dict[str, int] = {}

    @hookimpl
    def decide(self, observation: Observation) -> list[Decision]:
        buys: list[tuple[float, Decision]] = []
        sells: list[Decision] = []
        held = _held(observation.account)
        present = set()
        for market in observation.markets:
            middle = market.yes_mid
            if market.status != OPEN or middle is None:
                continue
            present.add(market.id)
            average = self._remember(market.id, middle)
            if self._seen[market.id] < self._memory:
                continue
            for outcome, fair, ask, bid in (
                (YES, average, market.yes_ask, market.yes_bid),
                (NO, MICRO - average, market.no_ask, market.no_bid),
            ):
                if (market.id, outcome) in held:
                    if bid is not None and bid >= fair:
                        sells.append(_sell(market.id, outcome, fair))
                elif ask is not None and fair - ask >= self._edge:
                    buys.append((fair - ask, _buy(market.id, outcome, fair, ask)))
        self._forget(present, observation.markets)
        buys.sort(key=lambda pair: (-pair[0], pair[1].market))
        return (sells + [decision for _, decision in buys])[: self._most]

    def _remember(self, market: str, middle: int) -> float:
        seen = self._seen[market] = self._seen.get(market, 0) + 1
        weight = 1.0 / min(seen, self._memory)
        average = self._average.get(market, float(middle))
        average += weight * (middle - average)
        self._average[market] = average
        return average

    def _forget(self, present: set[str], markets: MarketTable) -> None:
        if len(self._average) > len(present):
            shown = {market.id for market in markets}
            for gone in [name for name in self._average if name not in shown]:
                del self._average[gone], self._seen[gone]


def _held(account: Account | None) -> set[tuple[str, str]]:
    return {(held.market, held.outcome) for held in account.positions} if account else set()


def _buy(market: str, outcome: str, fair: float, ask: int) -> Decision:
    gap = (fair - ask) / CENT
    return Decision(
        market=market,
        outcome=outcome,
        side="buy",
        probability=min(max(fair / MICRO, 0.001), 0.999),
        confidence=0.5,
        limit_price=ask,
        rationale=f"ask is {gap:.1f} cents below its moving average",
    )


def _sell(market: str, outcome: str, fair: float) -> Decision:
    return Decision(
        market=market,
        outcome=outcome,
        side="sell",
        probability=min(max(fair / MICRO, 0.001), 0.999),
        confidence=0.5,
        rationale="back at its moving average",
    )


plugin = ValueAgent()
