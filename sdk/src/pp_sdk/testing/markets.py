"""Markets and briefs for tests, in two words."""

from __future__ import annotations

import hashlib
from typing import Any, Final

from pp_sdk.table import MarketRow, MarketTable, build
from pp_sdk.types import MICRO, Brief

START: Final = 1_800_000_000 * MICRO
CENT: Final = MICRO // 100


def market(market: str = "m1", *, bid: int | None = 48, ask: int | None = 50, **fields: Any) -> MarketRow:
    """One open market, quoted in whole cents of YES with 100 shares a side, NO as its mirror.

    `fields` are MarketRow's and override what is made up here.
    """
    yes_bids = () if bid is None else ((bid * CENT, 100 * MICRO),)
    yes_asks = () if ask is None else ((ask * CENT, 100 * MICRO),)
    made_up = {
        "question": f"{market}?",
        "yes_bids": yes_bids,
        "yes_asks": yes_asks,
        "no_bids": tuple((MICRO - price, size) for price, size in yes_asks),
        "no_asks": tuple((MICRO - price, size) for price, size in yes_bids),
        "quoted_at": START,
    }
    return MarketRow(id=market, **{**made_up, **fields})


def markets(count: int) -> MarketTable:
    """`count` open markets m1, m2 ... with different quotes."""
    return build(market(f"m{n + 1}", bid=5 + n * 7 % 90, ask=7 + n * 7 % 90) for n in range(count))


def brief(text: str, name: str = "brief") -> Brief:
    """A brief as the host would give it: its text, and the name that it has in plugin.yaml."""
    return Brief(name=name, text=text, digest=hashlib.sha256(text.encode()).hexdigest())
