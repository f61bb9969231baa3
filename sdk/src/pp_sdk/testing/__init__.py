"""For authors' tests: `FakeHost` runs a plugin, `markets` and `events` make input, `check_agent` and `check_output`
find slips."""

from __future__ import annotations

from pp_sdk.testing.contract import ContractError, check_agent, check_output
from pp_sdk.testing.events import EQUITY, event, events
from pp_sdk.testing.fake_host import FakeHost
from pp_sdk.testing.markets import START, brief, market, markets
from pp_sdk.testing.storage import FakeStorage
from pp_sdk.wire.connection import RemoteError

__all__ = [
    "EQUITY", "START", "ContractError", "FakeHost", "FakeStorage", "RemoteError", "brief", "check_agent",
    "check_output", "event", "events", "market", "markets",
]  # fmt: skip
