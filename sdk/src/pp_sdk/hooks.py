"""The whole contract between host and plugin, as pluggy hook specifications.

A plugin is an object (or module) whose methods carry `@hookimpl`; there is no class to inherit. Which hooks
are called is declared in plugin.yaml: nothing else ever is. Inside the plugin's process the runner calls the
methods directly; inside the host one proxy object per plugin implements these same specifications, so that
every call passes one monitored seam.
"""

from __future__ import annotations

from typing import Any

import pluggy

from pp_sdk.events import Event
from pp_sdk.table import MarketTable, Row
from pp_sdk.types import Advice, Decision, Observation, Proposal, RiskView, SnapshotRequest

PROJECT = "probablyprofit"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class PluginHooks:
    """Every hook a plugin may implement."""

    @hookspec
    def configure(self, config: dict[str, Any]) -> None:
        """Called once before anything else with the operator's settings, already validated."""

    @hookspec
    def snapshot(self, request: SnapshotRequest) -> MarketTable:  # type: ignore[empty-body]  # a specification
        """source: the markets as they are at `request.now`."""

    @hookspec
    def select(self, observation: Observation) -> list[str]:  # type: ignore[empty-body]  # a specification
        """strategy: ids of the markets that may be bought, best first, each once."""

    @hookspec
    def score(self, market: Row) -> float:  # type: ignore[empty-body]  # a specification
        """strategy: how well a market that `select` named fits, 0..1; asked of each of them."""

    @hookspec
    def decide(self, observation: Observation) -> list[Decision]:  # type: ignore[empty-body]  # a specification
        """agent: wishes, best first; an empty list holds."""

    @hookspec
    def advise(self, proposal: Proposal, view: RiskView) -> Advice:  # type: ignore[empty-body]  # a specification
        """risk: keep, shrink or veto an order; silence, crash and timeout veto."""

    @hookspec
    def notify(self, event: Event) -> None:
        """output: told each event afterwards, in order; an error here loses this event and no other."""

    @hookspec
    def flush(self) -> None:
        """output: once after the events that were told together, to write them together; an error here loses those."""
