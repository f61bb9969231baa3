"""One of five briefs, and for each a rule that chooses markets by what the table holds: price, spread, end and words.

It reads no news and no history and has no opinion: a rule says which markets a brief is about, never that one of them
is worth its price. What the table does not say is not taken for good: a market without the quotes that a rule looks at,
or without the end that it needs, is not selected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from phrases import Phrases
from pp_sdk import MICRO, OPEN, MarketTable, Observation, Row, hookimpl

CENT = MICRO // 100
DAY = 86_400 * MICRO


class Quoted(NamedTuple):
    """An open market's quotes, micro-USD: the gap of the outcome that is quoted closest, and the middle of YES."""

    row: int
    spread: int
    middle: int
    ends_at: int | None


class WordsStrategy:
    """`select` works on whole columns and remembers its scores for `score`."""

    def __init__(self) -> None:
        self.configure({})

    @hookimpl
    def configure(self, config: dict[str, int | str]) -> None:
        self._most = int(config.get("most", 20))
        self._spread = int(config.get("most_spread_cents", 10)) * CENT
        self._edge = int(config.get("least_price_cents", 5)) * CENT
        self._sure = int(config.get("sure_cents", 85)) * CENT
        self._horizon = int(config.get("ends_within_days", 60)) * DAY
        self._phrases = {
            topic: Phrases(str(config.get(f"{topic}_words", ""))) for topic in ("news", "politics", "sports")
        }
        self._rules: dict[str, Callable[[Quoted, Observation], float | None]] = {
            "value": self._value,
            "contrarian": self._contrarian,
            "news": self._news,
            "politics": lambda quoted, seen: self._topic("politics", quoted, seen),
            "sports": lambda quoted, seen: self._topic("sports", quoted, seen),
        }
        self._scores: dict[str, float] = {}

    @hookimpl
    def select(self, observation: Observation) -> list[str]:
        brief = observation.brief
        if brief is None:
            raise ValueError("this strategy chooses by its brief, and was given none")
        rule = self._rules[brief.name]
        ids = observation.markets.cells("id")
        fitting = [
            (-score, ids[quoted.row])
            for quoted in self._quoted(observation.markets, observation.now)
            if (score := rule(quoted, observation)) is not None
        ]
        self._scores = {market: -score for score, market in sorted(fitting)[: self._most]}
        return list(self._scores)

    @hookimpl
    def score(self, market: Row) -> float:
        return self._scores[market.id]

    def _quoted(self, markets: MarketTable, now: int) -> list[Quoted]:
        """Open markets that have not ended and of which an outcome has a bid and an ask close enough."""
        names = ("status", "ends_at", "yes_bid", "yes_ask", "no_bid", "no_ask")
        found = []
        for row, cells in enumerate(zip(*map(markets.cells, names), strict=True)):
            status, ends_at, *quotes = cells
            if status == OPEN and (ends_at is None or ends_at > now):
                sides = [side for side in _sides(*quotes) if side[0] <= self._spread]
                if sides:
                    found.append(Quoted(row, *min(sides), ends_at))
        return found

    def _tightness(self, quoted: Quoted) -> float:
        """Without a gap 1, at the widest that is allowed 0."""
        return 1 - quoted.spread / self._spread

    def _value(self, quoted: Quoted, _: Observation) -> float | None:
        fits = self._edge <= quoted.middle <= MICRO - self._edge
        return self._tightness(quoted) if fits else None

    def _contrarian(self, quoted: Quoted, _: Observation) -> float | None:
        surest = max(quoted.middle, MICRO - quoted.middle)
        return (surest - self._sure) / (MICRO - self._sure) if surest >= self._sure else None

    def _news(self, quoted: Quoted, seen: Observation) -> float | None:
        left = None if quoted.ends_at is None else quoted.ends_at - seen.now
        if left is None or left > self._horizon or not self._says("news", quoted, seen):
            return None
        return 1 - left / self._horizon

    def _topic(self, topic: str, quoted: Quoted, seen: Observation) -> float | None:
        return self._tightness(quoted) if self._says(topic, quoted, seen) else None

    def _says(self, topic: str, quoted: Quoted, seen: Observation) -> bool:
        return self._phrases[topic].found_in(seen.markets[quoted.row])


def _sides(
    yes_bid: int | None, yes_ask: int | None, no_bid: int | None, no_ask: int | None
) -> Iterator[tuple[int, int]]:
    """The gap of each outcome that has a bid and an ask, and the middle as a price of YES."""
    if yes_bid is not None and yes_ask is not None:
        yield yes_ask - yes_bid, (yes_ask + yes_bid) // 2
    if no_bid is not None and no_ask is not None:
        yield no_ask - no_bid, MICRO - (no_ask + no_bid) // 2


plugin = WordsStrategy()
