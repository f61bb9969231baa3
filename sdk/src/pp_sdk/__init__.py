"""What a ProbablyProfit plugin is written with. Importing it costs little: no event loop, no host."""

from __future__ import annotations

__version__ = "0.1.0"

from pp_sdk.events import (
    DecideEnd,
    DecideStart,
    DecisionMade,
    Event,
    Fill,
    MarketUpdate,
    Missed,
    ObserveEnd,
    ObserveStart,
    PluginFall,
    PositionUpdate,
    RiskBreach,
    RiskCheck,
    RunEnd,
    RunStart,
    Settlement,
    TradeEnd,
    TradeError,
    TradeStart,
)
from pp_sdk.hooks import hookimpl
from pp_sdk.host import clock, log
from pp_sdk.storage import files, kv
from pp_sdk.table import CLOSED, OPEN, RESOLVED, MarketRow, MarketTable, Quote, Row, TableError, build
from pp_sdk.types import (
    MICRO,
    NO,
    YES,
    Account,
    Advice,
    Brief,
    Decision,
    Keep,
    Observation,
    Position,
    Proposal,
    RiskView,
    Shrink,
    SnapshotRequest,
    Veto,
)
from pp_sdk.wire.connection import RemoteError

__all__ = [
    "CLOSED", "MICRO", "NO", "OPEN", "RESOLVED", "YES",
    "Account", "Advice", "Brief", "DecideEnd", "DecideStart", "Decision", "DecisionMade", "Event", "Fill", "Keep",
    "MarketRow", "MarketTable", "MarketUpdate", "Missed", "Observation", "ObserveEnd", "ObserveStart", "PluginFall",
    "Position", "PositionUpdate", "Proposal", "Quote", "RemoteError", "RiskBreach", "RiskCheck", "RiskView", "Row",
    "RunEnd", "RunStart", "Settlement", "Shrink", "SnapshotRequest", "TableError", "TradeEnd", "TradeError",
    "TradeStart", "Veto",
    "build", "clock", "files", "hookimpl", "kv", "log",
]  # fmt: skip
