"""What a grant lets a plugin see of the account and of the markets."""

from __future__ import annotations

import os
from types import SimpleNamespace

import msgspec
import pytest
from msgspec.structs import replace
from pp_host.errors import PluginError
from pp_host.model import Holding, Observed, PluginRef, Selection
from pp_host.supervisor.proxy import (
    Segment,
    Shown,
    StrategyProxy,
    account_view,
    proposal_view,
    risk_view,
)
from pp_sdk import MICRO, MarketRow, MarketTable, Position, Proposal, RiskView, build
from pp_sdk.memfd import unseal
from pp_sdk.types import Choice
from pp_sdk.wire import messages

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
    segment = shown.table(venues)
    assert read(segment) == ids
    assert segment.scores is None
    assert shown.table(venues) is segment, "one segment for all who may see the same"
    shown.close()
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(segment.fd)


def read(segment: Segment) -> list[str]:
    """The ids that a plugin finds in a segment."""
    fd = os.dup(segment.fd)
    try:
        return [row.id for row in MarketTable.decode(unseal(fd, len(segment.markets.block)))]
    finally:
        os.close(fd)


SELECTED = replace(OBSERVED, selection=Selection(scores={"k": 7, "p": 9}, seq=8))


@pytest.mark.parametrize(
    ("venues", "held", "ids", "scores"),
    [
        (None, [], ["p", "k"], {"k": 7, "p": 9}),
        (None, ["n", "p"], ["p", "k", "n"], {"k": 7, "p": 9}),
        (None, ["elsewhere"], ["p", "k"], {"k": 7, "p": 9}),
        ({"kalshi"}, ["n"], ["k"], {"k": 7}),
        ({"elsewhere"}, ["p"], [], {}),
    ],
)
def test_an_agent_sees_what_was_selected_and_what_it_holds_of_its_venues(
    venues: set[str] | None, held: list[str], ids: list[str], scores: dict[str, int]
) -> None:
    shown = Shown(SELECTED)
    segment = shown.table(None if venues is None else frozenset(venues), frozenset(held))
    assert (read(segment), segment.scores) == (ids, scores)
    shown.close()


def test_who_holds_only_what_was_selected_gets_the_segment_of_who_holds_nothing() -> None:
    shown = Shown(SELECTED)
    assert shown.table(None, frozenset({"p"})) is shown.table(None, frozenset())
    assert shown.table(None, frozenset({"n"})) is not shown.table(None, frozenset())
    shown.close()


def test_what_was_selected_and_is_gone_from_the_table_is_not_told() -> None:
    shown = Shown(replace(OBSERVED, selection=Selection(scores={"gone": 1, "p": 9}, seq=8)))
    segment = shown.table(None, frozenset())
    assert (read(segment), segment.scores) == (["p"], {"p": 9})
    shown.close()


class Told:
    """In the place of a supervised strategy: answers with these choices, and keeps what it was asked."""

    def __init__(self, choices: list[Choice], venues: frozenset[str] | None = None) -> None:
        self.spec = SimpleNamespace(ref=PluginRef("test.s", "1.0.0", "0" * 64), venues=venues)
        self.choices = choices
        self.asked: list[messages.Select] = []

    async def call(self, method: str, body: messages.Select, *, fds: tuple[int, ...]) -> messages.Selected:
        self.asked.append(body)
        return messages.Selected(markets=self.choices)


async def selected(plugin: Told) -> dict[str, int]:
    shown = Shown(OBSERVED)
    try:
        return await StrategyProxy(plugin).select(shown)  # type: ignore[arg-type]
    finally:
        shown.close()


@pytest.mark.anyio
async def test_a_strategy_is_shown_markets_and_nothing_else() -> None:
    plugin = Told([Choice(market="k", score=7), Choice(market="p", score=9)])
    assert list((await selected(plugin)).items()) == [("k", 7), ("p", 9)]
    assert plugin.asked == [messages.Select(now=1, table_bytes=len(MARKETS.block))]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("choices", "venues", "why"),
    [
        (["k", "k"], None, "a market stands twice"),
        (["elsewhere"], None, "a market that was not shown"),
        (["p"], {"kalshi"}, "a market that was not shown"),
    ],
)
async def test_a_selection_that_does_not_fit_the_table_is_none(
    choices: list[str], venues: set[str] | None, why: str
) -> None:
    plugin = Told([Choice(market=one, score=1) for one in choices], frozenset(venues) if venues else None)
    with pytest.raises(PluginError, match=f"^test.s: select: {why}$"):
        await selected(plugin)


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
