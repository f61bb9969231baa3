"""What a run carries from one cycle to the next.

Laws: money is in the ledger and nowhere else. The trading state only ever goes down here. The tally's digest
covers decisions and fills in order and nothing that differs between two runs of the same inputs: no run id,
order id, entry number, process or wall time.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from pp_host.core.entries import Decided
from pp_host.core.ledger import Ledger
from pp_host.model import Approved, Denied, Fill, Reason, Reduced, TradingState, Verdict


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
    seen: markets this run has seen open and not yet settled
    """

    ledger: Ledger
    run: str
    state: TradingState = TradingState.ACTIVE
    bids: dict[tuple[str, str], int] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    tally: Tally = field(default_factory=Tally)
