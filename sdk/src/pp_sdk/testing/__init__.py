"""For authors' tests: `FakeHost` runs a plugin, `markets` makes input, `check_agent` finds slips."""

from __future__ import annotations

from pp_sdk.testing.contract import ContractError, check_agent
from pp_sdk.testing.fake_host import FakeHost
from pp_sdk.testing.markets import START, market, markets
from pp_sdk.testing.storage import FakeStorage
from pp_sdk.wire.connection import RemoteError

__all__ = [
    "START",
    "ContractError",
    "FakeHost",
    "FakeStorage",
    "RemoteError",
    "check_agent",
    "market",
    "markets",
]
