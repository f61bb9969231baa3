"""Everything needed to start one plugin and to judge its calls. Built by the app from what trust verified."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pp_sdk.types import Brief
from pp_sdk.wire.messages import HookName

from pp_host.model import PluginRef


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginSpec:
    """archive: the verified bytes that will run; grant: digest of the operator's consent.

    venues: those whose markets it may see, None for all; none of them without market.read.
    wall_seconds bound a call without the time it waits on the host, outer_seconds with it.
    hash_seed: the run's, by which sets are ordered in each of its plugins; seed: this plugin's own randomness.
    brief: the run's, for a strategy and for agents; None when the run has no strategy.
    account: the precision of account.read, or None; events: what an output is told, or None when it may hear nothing.
    """

    ref: PluginRef
    kind: Literal["source", "strategy", "agent", "risk", "output"]
    archive: bytes
    module: str
    object: str
    hooks: tuple[HookName, ...]
    config: Mapping[str, Any]
    seed: int
    hash_seed: int
    grant: str
    level: str
    venues: frozenset[str] | None
    account: Literal["ratio", "exact"] | None
    events: frozenset[str] | None
    detail: Literal["none", "ratio", "exact"]
    memory_mb: int
    tmp_mb: int
    cpu_seconds: float
    wall_seconds: float
    outer_seconds: float
    brief: Brief | None = None
