"""What the host registers with pluggy: one object per running plugin, of the class of its kind.

A proxy's hook returns an awaitable; whoever called the hook gathers them. A plugin's grant narrows what it is shown
here, before anything is sent. No third-party code is ever registered in this process.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from msgspec.structs import replace
from pp_sdk.hooks import hookimpl
from pp_sdk.memfd import seal
from pp_sdk.redaction import ratio
from pp_sdk.table import MarketTable, TableError, narrow
from pp_sdk.types import (
    MICRO,
    Account,
    Advice,
    Decision,
    Position,
    Proposal,
    RiskView,
    SnapshotRequest,
)
from pp_sdk.wire import messages

from pp_host.errors import PluginError
from pp_host.model import Holding, Observed
from pp_host.supervisor.supervised import Supervised


class Segment(NamedTuple):
    """A table in sealed memory, and the scores of those of its markets that were selected; None without a strategy."""

    fd: int
    markets: MarketTable
    scores: dict[str, int] | None


class Shown:
    """An observation, its table in sealed memory: one segment for all plugins that may see the same of it."""

    def __init__(self, observed: Observed) -> None:
        self.observed = observed
        self._segments: dict[tuple[frozenset[str] | None, frozenset[str]], Segment] = {}

    def table(self, venues: frozenset[str] | None, held: frozenset[str] = frozenset()) -> Segment:
        """The markets of `venues` only (None: of all), and of these, where there is a selection, what was selected or
        is in `held`."""
        selection = self.observed.selection
        unselected = held.difference(selection.scores) if selection else frozenset[str]()
        key = venues, unselected
        if key not in self._segments:
            self._segments[key] = self._segment(venues, unselected)
        return self._segments[key]

    def _segment(self, venues: frozenset[str] | None, unselected: frozenset[str]) -> Segment:
        markets, selection = self.observed.markets, self.observed.selection
        if selection is not None:
            markets = narrow(markets, markets.rows_of([*selection.scores, *unselected]))
        if venues is not None:
            names = markets.cells("venue")
            markets = narrow(markets, [row for row, venue in enumerate(names) if venue in venues])
        scores = selection.scores if selection else None
        if scores is not None and len(markets) < len(scores) + len(unselected):
            scores = {market: score for market, score in scores.items() if markets.get(market)}
        return Segment(seal(markets.block), markets, scores)

    def close(self) -> None:
        for segment in self._segments.values():
            os.close(segment.fd)


class SourceProxy:
    def __init__(self, plugin: Supervised) -> None:
        self.plugin = plugin

    @hookimpl
    async def snapshot(self, request: SnapshotRequest) -> MarketTable:
        reply: messages.Snapshot = await self.plugin.call("snapshot", request)
        try:
            return MarketTable.decode(reply.table)
        except TableError as error:
            raise self.plugin.violated(f"snapshot: {error}") from error


class StrategyProxy:
    def __init__(self, plugin: Supervised) -> None:
        self.plugin = plugin

    @hookimpl
    async def select(self, observation: Shown) -> dict[str, int]:
        shown = observation.table(self.plugin.spec.venues)
        body = messages.Select(now=observation.observed.now, table_bytes=len(shown.markets.block))
        reply: messages.Selected = await self.plugin.call("select", body, fds=(shown.fd,))
        scores = {choice.market: choice.score for choice in reply.markets}
        if len(scores) < len(reply.markets):
            raise PluginError(f"{self.plugin.spec.ref.id}: select: a market stands twice")
        if len(shown.markets.rows_of(scores)) < len(scores):
            raise PluginError(f"{self.plugin.spec.ref.id}: select: a market that was not shown")
        return scores


class AgentProxy:
    def __init__(self, plugin: Supervised) -> None:
        self.plugin = plugin

    @hookimpl
    async def decide(self, observation: Shown) -> tuple[Decision, ...]:
        spec, observed = self.plugin.spec, observation.observed
        held = frozenset(lot.market for lot in observed.holdings if lot.plugin == spec.ref.id)
        shown = observation.table(spec.venues, held)
        body = messages.Decide(
            now=observed.now,
            table_bytes=len(shown.markets.block),
            account=account_view(observed, spec.ref.id, spec.account),
            scores=shown.scores,
        )
        reply: messages.Decided = await self.plugin.call("decide", body, fds=(shown.fd,))
        return tuple(reply.decisions)


class RiskProxy:
    def __init__(self, plugin: Supervised) -> None:
        self.plugin = plugin

    @hookimpl
    async def advise(self, proposal: Proposal, view: RiskView) -> Advice:
        spec = self.plugin.spec
        body = messages.Advise(
            proposal=proposal_view(proposal, spec.venues), view=risk_view(view, spec.account)
        )
        advice: Advice = await self.plugin.call("advise", body)
        return advice


class OutputProxy:
    def __init__(self, plugin: Supervised) -> None:
        self.plugin = plugin


Proxy = SourceProxy | StrategyProxy | AgentProxy | RiskProxy | OutputProxy
PROXIES: Mapping[str, type[Proxy]] = {
    "source": SourceProxy,
    "strategy": StrategyProxy,
    "agent": AgentProxy,
    "risk": RiskProxy,
    "output": OutputProxy,
}


def account_view(observed: Observed, plugin: str, precision: str | None) -> Account | None:
    """The account as the grant shows it: nothing, the exact figures, or all of it relative to an equity of one.

    A plugin sees only what its own decisions hold.
    """
    if precision is None:
        return None
    own = [holding for holding in observed.holdings if holding.plugin == plugin]
    if precision == "exact":
        return Account(
            precision="exact",
            equity=observed.equity,
            cash=observed.cash,
            positions=tuple(_position(holding, holding.shares, holding.cost) for holding in own),
        )
    equity = observed.equity
    return Account(
        precision="ratio",
        equity=MICRO,
        cash=_ratio(observed.cash, equity),
        positions=tuple(_position(h, _ratio(h.shares, equity), _ratio(h.cost, equity)) for h in own),
    )


def _position(holding: Holding, shares: int, cost: int) -> Position:
    return Position(market=holding.market, outcome=holding.outcome, shares=shares, cost=cost)


def proposal_view(proposal: Proposal, venues: frozenset[str] | None) -> Proposal:
    """The order as the grant shows it: of a market that market.read does not cover, its name and nothing else."""
    if venues is None or proposal.venue in venues:
        return proposal
    return replace(proposal, venue="", event="", ends_at=None)


def risk_view(view: RiskView, precision: str | None) -> RiskView:
    """The account as the grant shows it to a risk plugin: none of it, exact, or relative to an equity of one."""
    if precision == "exact":
        return view
    if precision is None:
        return RiskView(now=view.now, equity=0, cash=0, exposure=0)
    equity = view.equity
    return RiskView(
        now=view.now,
        equity=MICRO,
        cash=_ratio(view.cash, equity),
        exposure=_ratio(view.exposure, equity),
        positions=tuple(
            replace(held, shares=_ratio(held.shares, equity), cost=_ratio(held.cost, equity))
            for held in view.positions
        ),
    )


def _ratio(amount: int, equity: int) -> int:
    """In millionths of an equity of at least one."""
    return ratio(amount, max(equity, 1))
