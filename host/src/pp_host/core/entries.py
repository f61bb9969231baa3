"""What the core writes into the record: one frozen shape per event.

Laws: what moves money is written here in full, so that replaying the entries rebuilds the ledger. Integers
and strings only; every shape carries the account, since one record may hold several. `at` is the cycle's
clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct
from pp_sdk.types import Advice, Decision, Keep, Shrink, Veto

from pp_host.core.sizing import ppm
from pp_host.errors import RecordError
from pp_host.model import (
    Approved,
    Denied,
    Fill,
    Order,
    Outcome,
    Reduced,
    Settlement,
    Side,
    TradingState,
    Verdict,
    Wish,
)

Status = Literal["filled", "partial", "unfilled", "rejected"]


class Deposit(Struct, frozen=True, kw_only=True):
    """Money put in from outside."""

    account: str
    amount: int
    at: int


class Intent(Struct, frozen=True, kw_only=True):
    """An order about to be sent; its reserve leaves the cash."""

    account: str
    order: str
    plugin: str
    market: str
    outcome: Outcome
    side: Side
    shares: int
    limit_price: int
    tick: int
    fee_rate: int
    fee_exponent: int
    reserve: int
    expires_at: int
    at: int

    @classmethod
    def of(cls, order: Order, at: int) -> Intent:
        fields = msgspec.structs.asdict(order)
        return cls(order=fields.pop("id"), at=at, **fields)


class Ack(Struct, frozen=True, kw_only=True):
    """The venue answered, with so many trades."""

    account: str
    order: str
    trades: int
    at: int


class Done(Struct, frozen=True, kw_only=True):
    """The order has ended; `released` micro-USD of its reserve go back to the cash."""

    account: str
    order: str
    status: Status
    filled: int
    released: int
    detail: str
    at: int


class Void(Struct, frozen=True, kw_only=True):
    """The order was never at the venue and never will be."""

    account: str
    order: str
    released: int
    detail: str
    at: int


class Doubt(Struct, frozen=True, kw_only=True):
    """Nobody knows yet whether the order is at the venue; its reserve stays."""

    account: str
    order: str
    reserved: int
    detail: str
    at: int


class Seen(Struct, frozen=True, kw_only=True):
    """What one source showed."""

    source: str
    rows: int
    digest: str


class Marked(Struct, frozen=True, kw_only=True):
    """What the host made of the snapshots, and the account's worth at that moment.

    `day` counts UTC days since 1970; `snapshots` are the entries it was made from; `duplicates` counts rows
    that an earlier source had already shown.
    """

    account: str
    now: int
    rows: int
    digest: str
    snapshots: tuple[int, ...]
    duplicates: int
    equity: int
    cash: int
    exposure: int
    peak: int
    day: int
    day_start_equity: int


class Selected(Struct, frozen=True, kw_only=True):
    """Which markets may be bought in this cycle.

    markets: how many; digest: sha256 of the JSON list of [id, score in parts per million], best first
    ids:     the first of them, none of them when they are those of the selection before
    stale:   the strategy gave no good answer, and what it selected last stands, or nothing when it never did
    """

    account: str
    markets: int
    digest: str
    ids: tuple[str, ...]
    stale: bool


class Decided(Struct, frozen=True, kw_only=True):
    """A wish. `probability_ppm` and `confidence_ppm` are None when the text beside them is no number in
    0..1."""

    plugin: str
    market: str
    outcome: str
    side: str
    probability: str
    probability_ppm: int | None
    confidence: str
    confidence_ppm: int | None
    limit_price: int | None
    max_spend: int | None
    rationale: str

    @classmethod
    def of(cls, decision: Decision, plugin: str) -> Decided:
        return cls(
            plugin=plugin,
            market=decision.market,
            outcome=decision.outcome,
            side=decision.side,
            probability=repr(decision.probability),
            probability_ppm=ppm(decision.probability),
            confidence=repr(decision.confidence),
            confidence_ppm=ppm(decision.confidence),
            limit_price=decision.limit_price,
            max_spend=decision.max_spend,
            rationale=decision.rationale,
        )


class Judged(Struct, frozen=True):
    """A verdict; the order's fields are empty when it was denied.

    `snapshot` is the entry of the snapshot that the market's row was taken from; None when no source shows it.
    """

    verdict: Literal["approved", "reduced", "denied"]
    reason: str
    detail: str
    plugin: str
    market: str
    outcome: str
    side: str
    order: str = ""
    shares: int = 0
    limit_price: int = 0
    reserve: int = 0
    snapshot: int | None = None

    @classmethod
    def of(cls, verdict: Verdict, wish: Wish, snapshot: int | None = None) -> Judged:
        asked = wish.decision
        who = (wish.plugin.id, asked.market, asked.outcome, asked.side)
        match verdict:
            case Denied(reason=reason, detail=detail):
                return cls("denied", reason, detail, *who, snapshot=snapshot)
            case Reduced(order=order, reason=reason, detail=detail):
                sent = (order.id, order.shares, order.limit_price, order.reserve)
                return cls("reduced", reason, detail, *who, *sent, snapshot)
            case Approved(order=order):
                sent = (order.id, order.shares, order.limit_price, order.reserve)
                return cls("approved", "", "", *who, *sent, snapshot)


class Advised(Struct, frozen=True, kw_only=True):
    """What one risk plugin made of an order. `shares` is what a shrink leaves."""

    order: str
    advice: Literal["keep", "shrink", "veto", "silent"]
    reason: str
    shares: int | None

    @classmethod
    def of(cls, advice: Advice | None, order: str) -> Advised:
        match advice:
            case None:
                return cls(order=order, advice="silent", reason="", shares=None)
            case Keep():
                return cls(order=order, advice="keep", reason="", shares=None)
            case Shrink(shares=shares, reason=reason):
                return cls(order=order, advice="shrink", reason=reason, shares=shares)
            case Veto(reason=reason):
                return cls(order=order, advice="veto", reason=reason, shares=None)


class Lowered(Struct, frozen=True, kw_only=True):
    """Trouble lowered the trading state; only an operator raises it again."""

    account: str
    state: TradingState
    reason: str


Booked = Deposit | Intent | Fill | Done | Void | Settlement | Marked

BOOKED: Mapping[str, type[Booked]] = {
    "deposit": Deposit,
    "order.intent": Intent,
    "order.fill": Fill,
    "order.done": Done,
    "order.void": Void,
    "settlement": Settlement,
    "observation": Marked,
}
"""The events that the ledger is a fold over."""

EVENT_OF: Mapping[type[Struct], str] = {shape: event for event, shape in BOOKED.items()}


def booked(event: str, subject: Mapping[str, Any], account: str) -> Booked | None:
    """The entry as the ledger knows it; None for other events and other accounts. RecordError: unreadable."""
    shape = BOOKED.get(event)
    if shape is None or subject.get("account") != account:
        return None
    try:
        return msgspec.convert(subject, shape)
    except msgspec.ValidationError as error:
        raise RecordError(f"entry {event} cannot be replayed: {error}", hint="pp audit verify") from error
