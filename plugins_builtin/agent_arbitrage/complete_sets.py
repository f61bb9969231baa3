"""Sets of outcomes that together pay a known least amount, and what one of each leg costs.

Laws: pure; exact fractions, a profit is rounded down. Each kind says what it rests on:
    pair  YES and NO of one market pay 1 USD: on nothing else
    no    NO of k markets of an event pays at least k - 1 USD: on at most one of them coming true. It needs no others,
          so that markets which cannot be bought, or do not help, are left out
    yes   YES of all markets of an event pays 1 USD: on one of those shown coming true. Nothing in a table proves it
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from legs import Leg, Market
from pp_sdk import MICRO


class Rules(NamedTuple):
    """What is assumed of events, how many legs a set may have, and its least profit in micro-USD."""

    exclusive: bool
    exhaustive: bool
    most_legs: int
    margin: int


class CompleteSet(NamedTuple):
    """Legs that pay at least `payout` micro-USD for one share of each; `name` is the market's or the event's."""

    kind: Literal["pair", "no", "yes"]
    name: str
    legs: tuple[Leg, ...]
    payout: int
    profit: int

    @property
    def asks(self) -> int:
        """What one set costs before fees."""
        return sum(leg.ask for leg in self.legs)

    @property
    def size(self) -> int:
        """How many micro-sets the asks hold."""
        return min(leg.size for leg in self.legs)


def find(markets: Iterable[Market], rules: Rules) -> list[CompleteSet]:
    """Every set that pays its margin, the most profitable first."""
    events: dict[str, list[Market]] = defaultdict(list)
    found = []
    for market in markets:
        events[market.event].append(market)
        if market.yes and market.no:
            found.append(_set("pair", market.id, (market.yes, market.no), MICRO))
    events.pop("", None)  # markets of no event
    for event, members in events.items():
        found.extend(_of_event(event, members, rules))
    worth = [one for one in found if one.profit >= max(rules.margin, 1)]
    return sorted(worth, key=lambda one: (-one.profit, one.kind, one.name))


def _of_event(event: str, members: Sequence[Market], rules: Rules) -> Iterator[CompleteSet]:
    if rules.exclusive:
        helpful = [market.no for market in members if market.no and market.no.cost < MICRO]
        legs = sorted(helpful, key=lambda leg: (leg.cost, leg.market))[: rules.most_legs]
        if len(legs) > 1:
            yield _set("no", event, tuple(legs), (len(legs) - 1) * MICRO)
    if rules.exhaustive:
        all_yes = tuple(market.yes for market in members if market.yes)
        if 1 < len(all_yes) == len(members) <= rules.most_legs:
            yield _set("yes", event, all_yes, MICRO)


def _set(kind: Literal["pair", "no", "yes"], name: str, legs: tuple[Leg, ...], payout: int) -> CompleteSet:
    gap = payout - sum(leg.ask for leg in legs)
    if gap > 0:  # fees only ever make it smaller, and most sets end here
        gap = math.floor(payout - sum(leg.cost for leg in legs))
    return CompleteSet(kind, name, legs, payout, gap)
