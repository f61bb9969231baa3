"""The words of the money: orders, fills, verdicts, positions.

Laws: everything is frozen and integer (micro-USD, micro-shares, microseconds UTC, parts per million). An
Order is made only by core.risk, so an unchecked order cannot exist. A price is a multiple of its market's
tick.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from msgspec import Struct
from pp_sdk.table import MarketTable
from pp_sdk.types import MICRO as MICRO
from pp_sdk.types import Decision

PPM = 1_000_000
PLUGIN_ID = r"\A(?=.{3,120}\Z)[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z0-9]+(?:-[a-z0-9]+)*)+\Z"
SECOND = 1_000_000  # microseconds

Outcome = Literal["yes", "no"]
Side = Literal["buy", "sell"]


class TradingState(StrEnum):
    """ACTIVE trades, REDUCING only sells, HALTED does neither; lowered by trouble, raised only by an
    operator."""

    ACTIVE = "active"
    REDUCING = "reducing"
    HALTED = "halted"


class Reason(StrEnum):
    """Why a wish was denied or reduced: a closed set, counted and shown."""

    HALTED = "halted"
    REDUCING = "reducing"
    PLUGIN_NOT_GRANTED = "plugin_not_granted"
    NOT_A_NUMBER = "not_a_number"
    OUT_OF_RANGE = "out_of_range"
    UNKNOWN_MARKET = "unknown_market"
    UNKNOWN_OUTCOME = "unknown_outcome"
    MARKET_NOT_GRANTED = "market_not_granted"
    NOT_SELECTED = "not_selected"
    MARKET_CLOSED = "market_closed"
    STALE = "stale"
    NO_QUOTE = "no_quote"
    SPREAD = "spread"
    PRICE_BAND = "price_band"
    LIMIT_PRICE = "limit_price"
    NO_EDGE = "no_edge"
    FEE = "fee"
    ENOUGH_HELD = "enough_held"
    NOTHING_HELD = "nothing_held"
    DEPTH = "depth"
    MAX_SPEND = "max_spend"
    BUDGET_ORDER = "budget_order"
    BUDGET_DAY = "budget_day"
    BUDGET_EXPOSURE = "budget_exposure"
    BUDGET_RATE = "budget_rate"
    MAX_ORDER = "max_order"
    MAX_MARKET = "max_market"
    MAX_EXPOSURE = "max_exposure"
    MAX_POSITIONS = "max_positions"
    DAILY_LOSS = "daily_loss"
    DRAWDOWN = "drawdown"
    CASH = "cash"
    MIN_SIZE = "min_size"
    ADVISER = "adviser"
    ADVISER_SILENT = "adviser_silent"


class PluginRef(Struct, frozen=True):
    """Which bytes acted: id, version and the sha256 of the package."""

    id: str
    version: str
    digest: str


class Wish(Struct, frozen=True, kw_only=True):
    """A decision on its way to judgement: who wished it, and the record entry that holds it."""

    plugin: PluginRef
    decision: Decision
    seq: int


class Order(Struct, frozen=True, kw_only=True):
    """An order that passed every limit. `reserve` is the worst case it may cost, fee included (0 for a
    sale)."""

    id: str
    account: str
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


class Fill(Struct, frozen=True, kw_only=True):
    """One trade. `trade` is the venue's id: a fill is applied once however often it is told.

    `amount` is what shares x price came to, rounded against us; `fee` is on top of it when buying and out of
    it when selling.
    """

    account: str
    trade: str
    order: str
    plugin: str
    market: str
    outcome: Outcome
    side: Side
    shares: int
    price: int
    amount: int
    fee: int
    at: int


class Settlement(Struct, frozen=True, kw_only=True):
    """A market's end: what one YES share paid, and what this account's shares brought.

    A NO share pays what a YES share leaves of 1 USD. Each outcome's payout is rounded down once, over all its
    shares. `cost` is what the shares had cost without fees, `realised` is payout less cost.
    """

    account: str
    market: str
    yes_payout: int
    yes_shares: int
    no_shares: int
    payout: int
    cost: int
    realised: int
    at: int


class Approved(Struct, frozen=True):
    order: Order


class Reduced(Struct, frozen=True):
    """Approved, but smaller than wished; `reason` is the limit that cut deepest."""

    order: Order
    reason: Reason
    detail: str


class Denied(Struct, frozen=True):
    reason: Reason
    detail: str


Verdict = Approved | Reduced | Denied


class Sighting(Struct, frozen=True, kw_only=True):
    """What one source showed: its table, and the record entry of the call that brought it."""

    source: PluginRef
    table: MarketTable
    call: int | None


class Holding(Struct, frozen=True, kw_only=True):
    """What one plugin's decisions hold of one outcome. `cost` is without fees."""

    plugin: str
    market: str
    outcome: Outcome
    shares: int
    cost: int


class Selection(Struct, frozen=True, kw_only=True):
    """The markets that may be bought: a strategy's choice, best first, each with its score in parts per million.

    `seq` is the record entry that holds it.
    """

    scores: dict[str, int]
    seq: int


class Observed(Struct, frozen=True, kw_only=True):
    """The moment everything in a cycle refers to. `selection` None: the run has no strategy, all may be bought."""

    now: int
    markets: MarketTable
    equity: int
    cash: int
    exposure: int
    holdings: tuple[Holding, ...]
    seq: int
    selection: Selection | None = None
