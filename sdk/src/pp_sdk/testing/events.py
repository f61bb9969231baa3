"""One event of every kind, as an output granted this or that detail is told it."""

from __future__ import annotations

from typing import Any, Final, TypeVar, get_args

from pp_sdk.events import Detail, Event
from pp_sdk.redaction import narrowed
from pp_sdk.testing.markets import CENT, START
from pp_sdk.types import MICRO

E = TypeVar("E", bound=Event)
EQUITY: Final = 1000 * MICRO  # micro-USD; what parts of the equity are parts of

EXAMPLE: Final[dict[str, Any]] = {
    "at": START,
    "run": "20270115T080000Z-0a1b2c",
    "mode": "paper",
    "plugins": ("org.example.agent", "org.example.output"),
    "sources": ("org.example.source",),
    "agents": ("org.example.agent",),
    "answered": ("org.example.agent",),
    "plugin": "org.example.agent",
    "market": "m1",
    "markets": 40,
    "outcome": "yes",
    "side": "buy",
    "probability_ppm": 620_000,
    "confidence_ppm": 1_000_000,
    "limit_price": 50 * CENT,
    "max_spend": 40 * MICRO,
    "verdict": "reduced",
    "reason": "max_order",
    "order": "0f" * 16,
    "trade": "0f" * 16 + "-0",
    "shares": 25 * MICRO,
    "filled": 25 * MICRO,
    "price": 50 * CENT,
    "amount": 12_500_000,
    "fee": 437_500,
    "cost": 12_500_000,
    "reserve": 12_937_500,
    "yes_bid": 48 * CENT,
    "yes_ask": 50 * CENT,
    "no_bid": 50 * CENT,
    "no_ask": 52 * CENT,
    "quoted_at": START,
    "yes_payout": MICRO,
    "yes_shares": 25 * MICRO,
    "no_shares": 0,
    "payout": 25 * MICRO,
    "realised": 12_500_000,
    "state": "backoff",
    "ended": "signaled",
    "text": "25.00 USD left",
    "cycles": 60,
    "decisions": 3,
    "orders": 2,
    "fills": 2,
    "count": 312,
    "equity": EQUITY,
    "cash": 900 * MICRO,
    "exposure": 100 * MICRO,
}
STATUS: Final = {"trade.end": "filled", "trade.error": "rejected"}


def event(kind: type[E], detail: Detail = "exact", **fields: Any) -> E:
    """An event of this kind with made-up values, or yours: `event(Fill, market="rain")`, told as `detail` says."""
    made_up = {name: EXAMPLE[name] for name in kind.__struct_fields__ if name in EXAMPLE}
    if status := STATUS.get(str(kind.__struct_config__.tag)):
        made_up["status"] = status
    return narrowed(kind(**{**made_up, **fields}), detail, EQUITY)


def events(detail: Detail = "exact") -> list[Event]:
    """One of every kind, `missed` among them."""
    return [event(kind, detail) for kind in get_args(Event)]
