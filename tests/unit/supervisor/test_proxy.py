"""What a grant lets a plugin see of the account and of the markets."""

from __future__ import annotations

import os

import msgspec
import pytest
from pp_host.model import Holding, Observed
from pp_host.supervisor.proxy import (
    Shown,
    account_view,
    proposal_view,
    risk_view,
)
from pp_sdk import MICRO, MarketRow, MarketTable, Position, Proposal, RiskView, build
from pp_sdk.memfd import unseal

OWN = Holding(plugin="test.a", market="m", outcome="yes", shares=30 * MICRO, cost=10 * MICRO)
OTHERS = Holding(plugin="test.b", market="m", outcome="no", shares=5 * MICRO, cost=2 * MICRO)
MARKETS = build([MarketRow(id="p", venue="polymarket"), MarketRow(id="k", venue="kalshi"), MarketRow(id="n")])
OBSERVED = Observed(
    now=1,
    markets=MARKETS,
    equity=200 * MICRO,
    cash=50 * MICRO,
    exposure=12 * MICRO,
    holdings=(OWN, OTHERS),
    seq=7,
)


def test_without_the_capability_there_is_no_account() -> None:
    assert account_view(OBSERVED, "test.a", None) is None


def test_exact_shows_the_figures_and_only_the_plugins_own_positions() -> None:
    view = account_view(OBSERVED, "test.a", "exact")
    assert view is not None
    assert (view.precision, view.equity, view.cash) == ("exact", 200 * MICRO, 50 * MICRO)
    assert [(held.market, held.outcome, held.shares, held.cost) for held in view.positions] == [
        ("m", "yes", 30 * MICRO, 10 * MICRO)
    ]


def test_ratio_shows_everything_relative_to_an_equity_of_one() -> None:
    view = account_view(OBSERVED, "test.a", "ratio")
    assert view is not None
    assert (view.precision, view.equity, view.cash) == ("ratio", MICRO, MICRO // 4)
    assert [(held.shares, held.cost) for held in view.positions] == [(150_000, 50_000)]


@pytest.mark.parametrize(
    ("venues", "ids"),
    [(None, ["p", "k", "n"]), (frozenset({"kalshi"}), ["k"]), (frozenset({"elsewhere"}), [])],
)
def test_a_plugin_sees_the_venues_of_its_grant(venues: frozenset[str] | None, ids: list[str]) -> None:
    shown = Shown(OBSERVED)
    fd, size = shown.table(venues)
    assert [row.id for row in MarketTable.decode(unseal(os.dup(fd), size))] == ids
    assert shown.table(venues) == (fd, size), "one segment for all who may see the same"
    shown.close()
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(fd)


VIEW = RiskView(
    now=1,
    equity=200 * MICRO,
    cash=50 * MICRO,
    exposure=10 * MICRO,
    positions=(Position(market="m", outcome="yes", shares=30 * MICRO, cost=10 * MICRO),),
)


def test_a_risk_plugin_sees_the_account_as_far_as_it_was_granted() -> None:
    assert risk_view(VIEW, "exact") == VIEW
    assert risk_view(VIEW, None) == RiskView(now=1, equity=0, cash=0, exposure=0)
    ratio = risk_view(VIEW, "ratio")
    assert (ratio.equity, ratio.cash, ratio.exposure) == (MICRO, MICRO // 4, MICRO // 20)
    assert [(held.shares, held.cost) for held in ratio.positions] == [(150_000, 50_000)]


PROPOSAL = Proposal(
    plugin="test.a", market="m", outcome="yes", side="buy", shares=5, limit_price=7,
    venue="kalshi", event="rain", ends_at=9,
)  # fmt: skip
UNTOLD = Proposal(plugin="test.a", market="m", outcome="yes", side="buy", shares=5, limit_price=7)


@pytest.mark.parametrize(
    ("venues", "seen"),
    [
        (None, PROPOSAL),
        (frozenset({"kalshi", "elsewhere"}), PROPOSAL),
        (frozenset({"elsewhere"}), UNTOLD),
        (frozenset(), UNTOLD),
    ],
    ids=["every venue", "this venue", "another venue", "no market.read"],
)
def test_a_risk_plugin_is_told_of_the_markets_it_may_see(
    venues: frozenset[str] | None, seen: Proposal
) -> None:
    assert proposal_view(PROPOSAL, venues) == seen


@pytest.mark.parametrize("equity", [-5, 0, 1])
def test_a_ratio_to_next_to_nothing_still_fits_the_wire(equity: int) -> None:
    much = 10**15  # a thousand million dollars
    held = Position(market="m", outcome="yes", shares=much, cost=much)
    view = risk_view(RiskView(now=1, equity=equity, cash=-much, exposure=much, positions=(held,)), "ratio")
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(view), type=RiskView) == view
    assert (view.cash, view.exposure) == (-(2**63 - 1), 2**63 - 1)
