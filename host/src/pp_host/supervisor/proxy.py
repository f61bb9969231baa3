"""What the host registers with pluggy: one object per running plugin, of the class of its kind.

A proxy's hook returns an awaitable; whoever called the hook gathers them. A plugin's grant narrows what it is shown
here, before anything is sent. No third-party code is ever registered in this process.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from msgspec.structs import replace
from pp_sdk.hooks import hookimpl
from pp_sdk.memfd import seal
from pp_sdk.redaction import ratio
from pp_sdk.table import MarketTable, TableError, build
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

from pp_host.model import Holding, Observed
from pp_host.supervisor.supervised import Supervised


class Shown:
    """An observation, its table in sealed memory: one segment for all agents that may see the same venues."""

    def __init__(self, observed: Observed) -> None:
        self.observed = observed
        self._sealed: dict[frozenset[str] | None, tuple[int, int]] = {}

    def table(self, venues: frozenset[str] | None) -> tuple[int, int]:
        """The descriptor and size of the table with the markets of `venues` only; None shows all."""
        if venues not in self._sealed:
            block = self._narrowed(venues).block
            self._sealed[venues] = seal(block), len(block)
        return self._sealed[venues]

    def _narrowed(self, venues: frozenset[str] | None) -> MarketTable:
        markets = self.observed.markets
        if venues is None:
            return markets
        return build(row.to_market_row() for row in markets if row.venue in venues)

    def close(self) -> None:
        for fd, _ in self._sealed.values():
            os.close(fd)


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


class AgentProxy:
    def __init__(self, plugin: Supervised) -> None:
        self.plugin = plugin

    @hookimpl
    async def decide(self, observation: Shown) -> tuple[Decision, ...]:
        spec = self.plugin.spec
        fd, size = observation.table(spec.venues)
        observed = observation.observed
        body = messages.Decide(
            now=observed.now, table_bytes=size, account=account_view(observed, spec.ref.id, spec.account)
        )
        reply: messages.Decided = await self.plugin.call("decide", body, fds=(fd,))
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


Proxy = SourceProxy | AgentProxy | RiskProxy | OutputProxy
PROXIES: Mapping[str, type[Proxy]] = {
    "source": SourceProxy,
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
