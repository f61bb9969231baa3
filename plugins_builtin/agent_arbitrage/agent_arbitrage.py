"""Complete sets for less than they pay: outcomes of one market, or markets of one event, that do not sum to one.

Laws: a set is bought whole or not at all, as far as a plugin can see to that: legs of equal shares, each bounded by its
ask and by what those shares cost, all of them within the cash, none in a market where something is held already. A
leg's probability is no forecast: it says "size me by max_spend", because a set is safe where its legs are not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from complete_sets import CompleteSet, Rules, find
from legs import Leg, Terms, on_sale
from pp_sdk import MICRO, Account, Decision, Observation, hookimpl
from tally import Tally, described

LOT = 10_000  # micro-shares: the host's orders are hundredths of a share
ROUNDING = 220  # micro-USD the host sets aside for rounding one order's fills
CERTAIN = 0.999
CENT = MICRO // 100


class ArbitrageAgent:
    """Remembers its counts, and the sets it asked for one observation ago."""

    def __init__(self) -> None:
        self.configure({})

    @hookimpl
    def configure(self, config: dict[str, int]) -> None:
        self._terms = Terms(
            fee_rate=config.get("fee_rate_ppm", 70_000),
            fee_exponent=config.get("fee_exponent", 1),
            lowest=config.get("lowest_price_micros", 10_000),
            highest=config.get("highest_price_micros", 990_000),
            most_spread=config.get("most_spread_micros", 150_000),
            most_age=config.get("most_age_seconds", 120) * MICRO,
        )
        self._rules = Rules(
            exclusive=bool(config.get("assume_exclusive", True)),
            exhaustive=bool(config.get("accept_missing_winner", False)),
            most_legs=config.get("most_legs", 12),
            margin=config.get("margin_micros", 5_000),
        )
        self._implausible = config.get("implausible_micros", 200_000)
        self._leg_most = config.get("leg_cents", 1_000) * CENT
        self._leg_percent = config.get("leg_percent", 20)
        self._exposure = config.get("exposure_usd", 250) * MICRO
        self._most_sets = config.get("most_sets", 2)
        self._tally = Tally(config.get("summary_every", 500))
        self._asked: list[CompleteSet] = []

    @hookimpl
    def decide(self, observation: Observation) -> list[Decision]:
        found = find(on_sale(observation.markets, observation.now, self._terms), self._rules_for(observation))
        self._tally.saw(found, self._implausible)
        decisions: list[Decision] = []
        account = observation.account
        if account is not None and account.precision == "exact":
            self._look_back(account)
            for one, shares in self._affordable(found, account):
                decisions += [_buy(leg, shares, described(one)) for leg in one.legs]
                self._asked.append(one)
                self._tally.wished()
        self._tally.summarise()
        return decisions

    def _rules_for(self, observation: Observation) -> Rules:
        """A strategy leaves markets out: what it shows of an event is not all of it."""
        return self._rules if observation.scores is None else self._rules._replace(exhaustive=False)

    def _look_back(self, account: Account) -> None:
        """Count what came of the sets asked for before."""
        held = {(own.market, own.outcome): own.shares for own in account.positions}
        for one in self._asked:
            self._tally.came_of(one, held)
        self._asked = []

    def _affordable(
        self, found: Sequence[CompleteSet], account: Account
    ) -> Iterator[tuple[CompleteSet, int]]:
        """The sets to buy now and how many micro-shares of each leg, best first; no market twice."""
        taken = {own.market for own in account.positions}
        money = min(account.cash, self._exposure - sum(own.cost for own in account.positions))
        leg_most = min(self._leg_most, account.equity * self._leg_percent // 100)
        begun = 0
        for one in found:
            markets = {leg.market for leg in one.legs}
            if begun == self._most_sets or one.profit > self._implausible or markets & taken:
                continue
            shares = shares_for(one, money, leg_most)
            if shares:
                begun += 1
                taken |= markets
                money -= sum(spend(leg, shares) for leg in one.legs)
                yield one, shares


def shares_for(one: CompleteSet, money: int, leg_most: int) -> int:
    """Micro-shares of each leg that the asks hold, all for at most `money` and each for at most `leg_most`; else 0."""
    dearest, total = max(leg.cost for leg in one.legs), sum(leg.cost for leg in one.legs)
    room = min((leg_most - ROUNDING) / dearest, (money - ROUNDING * len(one.legs) - len(one.legs)) / total)
    shares = min(one.size, math.floor(room * MICRO))
    shares -= shares % LOT
    return shares if shares >= max(LOT, *(leg.min_size for leg in one.legs)) else 0


def spend(leg: Leg, shares: int) -> int:
    """What the host must be allowed to spend to buy just these shares, micro-USD: cost, fee and its rounding."""
    return math.ceil(shares * leg.cost / MICRO) + ROUNDING


def _buy(leg: Leg, shares: int, why: str) -> Decision:
    return Decision(
        market=leg.market,
        outcome=leg.outcome,
        side="buy",
        probability=CERTAIN,
        confidence=0.5,
        limit_price=leg.ask,
        max_spend=spend(leg, shares),
        rationale=why,
    )


plugin = ArbitrageAgent()
