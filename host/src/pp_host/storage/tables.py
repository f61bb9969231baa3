"""The read models' tables: runs, orders, fills, open positions, decisions, and the lines about each plugin.

Laws: integers as in the record (micro-USD, micro-shares, ppm). `seq` is the record's entry that a row began with.
`at` and `now` are the session's clock, microseconds UTC; `ts`, `started` and `ended` are the record's own times.
"""

from __future__ import annotations

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

SCHEMA = 5


class Progress(SQLModel, table=True):
    """How far into the record these tables reach, and the last decision on the way there."""

    id: int = Field(default=0, primary_key=True)
    schema_version: int = SCHEMA
    next_seq: int = 0
    mark: str = ""  # what tells the last entry read from another in its place
    last_decision: int = -1


class RunRow(SQLModel, table=True):
    """One run; what the account came to is of its first (`..._start`) and last observation, the entry `observed`."""

    run: str = Field(primary_key=True)
    seq: int
    account: str
    mode: str
    started: str
    ended: str = ""
    observed: int | None = None
    now: int = 0
    equity: int = 0
    cash: int = 0
    exposure: int = 0
    equity_start: int = 0
    cash_start: int = 0
    exposure_start: int = 0


class PluginRow(SQLModel, table=True):
    """An id that the record knows."""

    id: str = Field(primary_key=True)


class OrderRow(SQLModel, table=True):
    order_id: str = Field(primary_key=True)
    seq: int = Field(index=True)
    run: str = Field(index=True)
    account: str
    plugin: str = Field(index=True)
    market: str
    outcome: str
    side: str
    shares: int
    limit_price: int
    filled: int
    state: str = Field(index=True)  # sent, acknowledged, in_doubt, void, or the status of order.done
    at: int


class FillRow(SQLModel, table=True):
    """`realised` is what a sale brought above the cost of what it sold, before fees; None of a purchase."""

    trade: str = Field(primary_key=True)
    seq: int = Field(index=True)
    order_id: str = Field(index=True)
    run: str = Field(index=True)
    account: str
    plugin: str = Field(index=True)
    market: str
    outcome: str
    side: str
    shares: int
    price: int
    amount: int
    fee: int
    realised: int | None
    at: int


class PositionRow(SQLModel, table=True):
    account: str = Field(primary_key=True)
    plugin: str = Field(primary_key=True)
    market: str = Field(primary_key=True)
    outcome: str = Field(primary_key=True)
    shares: int = 0
    cost: int = 0


class DecisionRow(SQLModel, table=True):
    """A wish and its last verdict; the fields of one that was not judged yet are empty or 0."""

    seq: int = Field(primary_key=True)
    run: str = Field(index=True)
    plugin: str = Field(index=True)
    market: str
    outcome: str
    side: str
    probability_ppm: int | None
    rationale: str
    verdict: str = Field(index=True)  # "", approved, reduced, denied
    reason: str
    detail: str
    order_id: str
    shares: int
    limit_price: int
    at: int


class LineRow(SQLModel, table=True):
    """What a plugin wrote, and how it fared. `level` is of a plugin.log only."""

    __table_args__ = (Index("line_by_plugin", "plugin", "seq"),)

    seq: int = Field(primary_key=True)
    plugin: str
    run: str
    ts: str
    event: str
    level: str
    text: str
