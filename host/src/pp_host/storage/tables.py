"""The read models' tables. Integers as in the record; one row per run, order, fill and open position."""

from __future__ import annotations

from sqlmodel import Field, SQLModel

SCHEMA = 2


class Progress(SQLModel, table=True):
    """How far into the record these tables reach."""

    id: int = Field(default=0, primary_key=True)
    schema_version: int = SCHEMA
    next_seq: int = 0


class RunRow(SQLModel, table=True):
    run: str = Field(primary_key=True)
    account: str
    mode: str
    started: str
    ended: str = ""
    equity: int = 0
    cash: int = 0


class OrderRow(SQLModel, table=True):
    order_id: str = Field(primary_key=True)
    run: str = Field(index=True)
    account: str
    plugin: str
    market: str
    outcome: str
    side: str
    shares: int
    limit_price: int
    state: str  # sent, acknowledged, in_doubt, void, or the status of order.done
    at: str


class FillRow(SQLModel, table=True):
    trade: str = Field(primary_key=True)
    order_id: str = Field(index=True)
    run: str
    account: str
    plugin: str
    market: str
    outcome: str
    side: str
    shares: int
    price: int
    amount: int
    fee: int
    at: str


class PositionRow(SQLModel, table=True):
    account: str = Field(primary_key=True)
    plugin: str = Field(primary_key=True)
    market: str = Field(primary_key=True)
    outcome: str = Field(primary_key=True)
    shares: int = 0
    cost: int = 0
