"""What a ProbablyProfit plugin is written with. Importing it costs little: no event loop, no host."""

from __future__ import annotations

__version__ = "0.1.0"

from pp_sdk.hooks import hookimpl
from pp_sdk.host import clock, log
from pp_sdk.table import CLOSED, OPEN, RESOLVED, MarketRow, MarketTable, Quote, Row, TableError, build
from pp_sdk.types import (
    MICRO,
    NO,
    YES,
    Account,
    Advice,
    Brief,
    Decision,
    Event,
    Keep,
    Observation,
    Position,
    Proposal,
    RiskView,
    Shrink,
    SnapshotRequest,
    Veto,
)

__all__ = [
    "CLOSED", "MICRO", "NO", "OPEN", "RESOLVED", "YES",
    "Account", "Advice", "Brief", "Decision", "Event", "Keep", "MarketRow", "MarketTable", "Observation", "Position",
    "Proposal", "Quote", "RiskView", "Row", "Shrink", "SnapshotRequest", "TableError", "Veto",
    "build", "clock", "hookimpl", "log",
]  # fmt: skip
