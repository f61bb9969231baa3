"""A plugin as the broker's quotas see it, and who asks in its name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from pp_host.broker.asker import Asker
from pp_host.broker.quota import PerCall
from pp_host.limits import LIMITS
from pp_host.model import PluginRef


@dataclass
class Calls:
    """Implements broker.quota.Called."""

    calls: int = 0
    hook_calls: int = 1


@pytest.fixture
def called() -> Calls:
    return Calls()


@pytest.fixture
def new_asker(called: Calls) -> Callable[..., Asker]:
    """new_asker(**fields): the test's plugin with the bounds that a host sets."""

    def asker(plugin: str = "test.plugin", **fields: Any) -> Asker:
        bounds = {
            "writes": PerCall(LIMITS.keep.writes_per_call, called),
            "refusals": PerCall(LIMITS.wire.refusals_per_call, called),
            "log_lines": PerCall(LIMITS.wire.log_lines_per_call, called),
        }
        return Asker(PluginRef(plugin, "1.0.0", "0" * 64), "grant", **{**bounds, **fields})

    return asker
