"""What a run carries from one cycle to the next.

Laws: money is in the ledger and nowhere else. The trading state only ever goes down here. A market follows the
source that showed it first, for as long as it is on the table or money is in it: nobody else's row of it is
believed, also while that source is silent. A run that starts anew follows whoever speaks first. The tally's digest
covers decisions and fills in order and nothing that differs between two runs of the same inputs: no run id,
order id, entry number, process or wall time.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import compress

import msgspec
from pp_sdk.table import OPEN, MarketTable, narrow

from pp_host.core.entries import Decided
from pp_host.core.ledger import Ledger
from pp_host.model import (
    Approved,
    Denied,
    Fill,
    Reason,
    Reduced,
    Selection,
    Sighting,
    TradingState,
    Verdict,
)


class Tally:
    """What happened so far, counted; every decision counts once, by its last verdict."""

    def __init__(self) -> None:
        self.decisions = 0
        self.orders = 0
        self.fills = 0
        self.verdicts: Counter[str] = Counter(approved=0, reduced=0, denied=0)
        self.reasons: dict[str, Counter[Reason]] = {"reduced": Counter(), "denied": Counter()}
        self.settled: set[str] = set()
        self._actions = hashlib.sha256()

    @property
    def actions_digest(self) -> str:
        return self._actions.hexdigest()

    def decided(self, wish: Decided) -> None:
        self.decisions += 1
        self._act(
            "decision", wish.plugin, wish.market, wish.outcome, wish.side,
            wish.probability, wish.confidence, wish.limit_price, wish.max_spend,
        )  # fmt: skip

    def judged(self, verdict: Verdict) -> None:
        match verdict:
            case Approved():
                self.verdicts["approved"] += 1
            case Reduced(reason=reason):
                self.verdicts["reduced"] += 1
                self.reasons["reduced"][reason] += 1
            case Denied(reason=reason):
                self.verdicts["denied"] += 1
                self.reasons["denied"][reason] += 1

    def placed(self, fills: Sequence[Fill]) -> None:
        self.orders += 1
        self.fills += len(fills)
        for fill in fills:
            self._act(
                "fill", fill.plugin, fill.market, fill.outcome, fill.side,
                fill.shares, fill.price, fill.amount, fill.fee,
            )  # fmt: skip

    def _act(self, *fields: str | int | None) -> None:
        self._actions.update(msgspec.json.encode(fields) + b"\n")


@dataclass(slots=True)
class Book:
    """One account in one run.

    bids: the last bid seen of what is held, by (market, outcome), micro-USD per share
    seen: the source that each market follows; markets on the last table or with money in them that this run
    saw open or holds, and has not settled
    selection: what the strategy selected last; None before it did
    told: of markets in which money is at work, the best prices that outputs were told last
    """

    ledger: Ledger
    run: str
    state: TradingState = TradingState.ACTIVE
    bids: dict[tuple[str, str], int] = field(default_factory=dict)
    seen: dict[str, str] = field(default_factory=dict)
    selection: Selection | None = None
    told: dict[str, tuple[int | None, ...]] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)

    def believed(self, sighting: Sighting) -> MarketTable:
        """The table without the markets that follow another source."""
        others = {market for market, source in self.seen.items() if source != sighting.source.id}
        ids = sighting.table.cells("id")
        return narrow(sighting.table, [row for row, market in enumerate(ids) if market not in others])

    def follow(self, markets: MarketTable, sightings: Sequence[Sighting]) -> None:
        """Let each market that is open or held follow the first source that showed it; forget the rest."""
        first: dict[str, str] = {}
        for sighting in reversed(sightings):
            first |= dict.fromkeys(sighting.table.cells("id"), sighting.source.id)
        shown, at_work = markets.cells("id"), self.ledger.markets()
        opened = set(compress(shown, [cell == OPEN for cell in markets.column("status")]))
        followed = opened - self.ledger.settled | {lot.market for lot in self.ledger.holdings()}
        kept = {market: self.seen[market] for market in self.seen.keys() & (at_work | set(shown))}
        self.seen = {market: first[market] for market in shown if market in followed} | kept
