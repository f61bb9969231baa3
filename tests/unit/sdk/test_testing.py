"""The fake host tells authors the truth."""

from __future__ import annotations

import importlib
import math
import random
import sys
from pathlib import Path

import pytest
from pp_sdk import Account, Decision, Fill, Keep, MarketRow, build, clock, hookimpl, log
from pp_sdk.archive_import import ShadowError
from pp_sdk.testing import (
    START,
    ContractError,
    FakeHost,
    RemoteError,
    brief,
    check_agent,
    check_output,
    event,
    events,
    market,
    markets,
)
from pp_sdk.types import Choice, Proposal, RiskView

BUILT_IN = Path(__file__).parents[3] / "plugins_builtin"


class Agent:
    @hookimpl
    def decide(self, observation):
        log.info(f"{len(observation.markets)} at {clock.now()}")
        return [wish(one.id) for one in observation.markets if one.yes_ask is not None]


def wish(name, **fields):
    return Decision(**{"market": name, "outcome": "yes", "side": "buy", "probability": 0.6, **fields})


def agent(function):
    class Plugin:
        @hookimpl
        def decide(self, observation):
            return [function(one) for one in observation.markets]

    return Plugin()


def test_an_agent_decides_logs_and_reads_the_clock():
    host = FakeHost(Agent(), now=5)
    assert host.decide(market("a"), market("b", ask=None)) == [wish("a")]
    host.now = 6
    assert host.decide(table=markets(2)) == [wish("m1"), wish("m2")]
    assert [line.message for line in host.logs] == ["2 at 5", "2 at 6"]


def test_a_strategy_selects_by_its_brief_and_scores():
    class Strategy:
        @hookimpl
        def select(self, observation):
            return [row.id for row in observation.markets if row.id in observation.brief.text]

        @hookimpl
        def score(self, market):
            return market.yes_bid / 1_000_000

    host = FakeHost(Strategy(), brief=brief("Buy a and c.", "some"))
    chosen = host.select(market("a", bid=48), market("b"), market("c", bid=12))
    assert chosen == [Choice(market="a", score=480_000), Choice(market="c", score=120_000)]
    assert host.select(table=markets(3)) == []


def test_an_agent_is_told_the_brief_and_the_scores():
    class Plugin:
        @hookimpl
        def decide(self, observation):
            self.seen = observation.brief, observation.scores
            return []

    plugin, words = Plugin(), brief("Buy what is cheap.")
    host = FakeHost(plugin, brief=words)
    host.decide(market("a"), scores={"a": 250_000})
    assert plugin.seen == (words, {"a": 0.25})
    host.decide(market("a"))
    assert plugin.seen == (words, None)


def test_configuration_account_and_seed_arrive():
    class Plugin:
        @hookimpl
        def configure(self, config):
            self.config, self.drawn = config, random.random()

        @hookimpl
        def decide(self, observation):
            self.account = observation.account
            return []

    account = Account(precision="ratio", equity=1_000_000, cash=1)
    plugin, other = Plugin(), Plugin()
    FakeHost(plugin, {"a": 1}, seed=3, account=account).decide()
    FakeHost(other, seed=3)
    assert (plugin.config, plugin.account) == ({"a": 1}, account)
    assert plugin.drawn == other.drawn


def test_sources_risk_and_outputs_are_called():
    class Plugin:
        @hookimpl
        def snapshot(self, request):
            return build([MarketRow(id=name, quoted_at=request.now) for name in request.held])

        @hookimpl
        def advise(self, proposal, view):
            return Keep()

        @hookimpl
        def notify(self, event):
            log.warning(event.kind)

    host = FakeHost(Plugin())
    assert [(one.id, one.quoted_at) for one in host.snapshot("x", "y")] == [("x", START), ("y", START)]
    proposal = Proposal(plugin="p", market="m", outcome="yes", side="buy", shares=5, limit_price=7)
    assert host.advise(proposal, RiskView(now=1, equity=1, cash=1, exposure=0)) == Keep()
    host.notify(*events())
    assert [line.message for line in host.logs] == [one.kind for one in events()]


def test_errors_are_what_the_host_would_see(capfd):
    host = FakeHost(agent(lambda one: 1 / 0))
    with pytest.raises(RemoteError, match="plugin_error: ZeroDivisionError"):
        host.decide(market())
    with pytest.raises(RemoteError, match="bad_answer"):
        FakeHost(agent(lambda one: "buy")).decide(market())
    with pytest.raises(RemoteError, match="no_hook"):
        host.snapshot()
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_a_folder_is_imported_and_forgotten(tmp_path):
    folder = tmp_path / "foldered"
    (folder / "tests").mkdir(parents=True)
    (folder / "foldered.py").write_text("from foldered_part import hook as plugin\n")
    (folder / "foldered_part.py").write_text(
        "from pp_sdk import hookimpl\nclass P:\n    @hookimpl\n    def decide(self, o):\n        return []\nhook = P()\n"
    )
    with FakeHost(folder) as host:
        assert host.decide(market()) == []
        assert "foldered_part" in sys.modules
    assert "foldered_part" not in sys.modules
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("foldered")


def test_a_folder_that_shadows_is_refused(tmp_path):
    (tmp_path / "json.py").write_text("")
    with pytest.raises(ShadowError):
        FakeHost(tmp_path)


@pytest.mark.parametrize(
    "fields", [{"bid": 30, "ask": 31}, {"bid": None, "ask": None}, {"yes_bids": ((5, 5),)}]
)
def test_made_up_markets_are_valid(fields):
    assert len(build([market("m", **fields)])) == 1


def test_made_up_markets_mirror_no():
    (row,) = build([market(bid=30, ask=31)])
    assert (row.yes_bid, row.yes_ask, row.no_bid, row.no_ask) == (300_000, 310_000, 690_000, 700_000)


@pytest.mark.parametrize("count", [0, 1, 500])
def test_any_number_of_markets(count):
    assert len(markets(count)) == count


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"market": "elsewhere"}, "a market that was not in the observation"),
        ({"outcome": "maybe"}, "outcome must be"),
        ({"probability": 0.0}, "probability must lie between 0 and 1"),
        ({"probability": 1.0}, "probability must lie between 0 and 1"),
        ({"probability": math.nan}, "probability must lie between 0 and 1"),
        ({"confidence": 1.1}, r"confidence must lie in 0\.\.1"),
        ({"confidence": math.inf}, r"confidence must lie in 0\.\.1"),
        ({"limit_price": 0}, "limit_price must lie"),
        ({"limit_price": 1_000_000}, "limit_price must lie"),
        ({"max_spend": 0}, "max_spend must be above 0"),
    ],
)
def test_a_decision_nobody_could_act_on_is_found(fields, complaint):
    with pytest.raises(ContractError, match=complaint):
        check_agent(agent(lambda one: wish(one.id, **fields)))


def test_a_good_agent_passes():
    check_agent(Agent())
    check_agent(agent(lambda one: wish(one.id, limit_price=1, max_spend=1)))


def test_an_agent_that_throws_dice_is_found():
    dice = random.SystemRandom()
    with pytest.raises(ContractError, match="different decisions"):
        check_agent(agent(lambda one: wish(one.id, probability=dice.uniform(0.1, 0.9))))


def test_the_built_in_agent_keeps_the_contract():
    if not BUILT_IN.is_dir():
        pytest.skip("no built-in plugins beside this checkout")
    check_agent(BUILT_IN / "agent_value")


def test_a_seeded_agent_passes():
    check_agent(agent(lambda one: wish(one.id, probability=random.uniform(0.1, 0.9))))


def output(hook):
    class Plugin:
        @hookimpl
        def notify(self, event):
            hook(event)

    return Plugin()


def test_a_fake_host_tells_more_events_than_one_call_holds():
    heard = []
    many = [event(Fill, at=at) for at in range(200)]
    FakeHost(output(heard.append)).notify(*many)
    assert heard == many


def test_a_fake_host_raises_what_the_hook_failed_on(capfd):
    host = FakeHost(output(lambda told: 1 / 0))
    with pytest.raises(RemoteError, match="plugin_error: ZeroDivisionError"):
        host.notify(event(Fill))
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_an_output_has_to_bear_every_kind_under_every_detail(capfd):
    check_output(output(repr))
    with pytest.raises(ContractError, match="notify: fill, detail none: plugin_error: TypeError"):
        check_output(output(lambda told: isinstance(told, Fill) and told.amount + 1))
    with pytest.raises(ContractError, match="notify: missed, detail none: plugin_error: AttributeError"):
        check_output(output(lambda told: told.kind != "missed" or told.fields))
    capfd.readouterr()


def test_an_output_has_to_bear_many_events_in_one_delivery(capfd):
    class Output:
        def __init__(self, room):
            self.room, self.heard = room, []

        @hookimpl
        def notify(self, event):
            self.heard.append(event)

        @hookimpl
        def flush(self):
            if len(self.heard) > self.room:
                raise OverflowError("too many at once")
            self.heard.clear()

    check_output(Output(64))
    with pytest.raises(
        ContractError, match="notify: every kind in one delivery, detail none: .*OverflowError"
    ):
        check_output(Output(1))
    capfd.readouterr()


SHADED = """\
from pp_sdk import Keep, hookimpl

class Plugin:
    @hookimpl
    def advise(self, proposal, view):
        return Keep()

plugin = Plugin()
"""


@pytest.mark.parametrize("imported", [False, True], ids=["on sys.path", "imported already"])
def test_a_folder_is_imported_from_itself_alone(tmp_path, monkeypatch, imported):
    folder = tmp_path / "pp_shaded"
    folder.mkdir()
    (folder / "pp_shaded.py").write_text(SHADED)
    monkeypatch.syspath_prepend(tmp_path)
    if imported:
        monkeypatch.setitem(sys.modules, "pp_shaded", importlib.import_module("pp_shaded"))
    else:
        monkeypatch.delitem(sys.modules, "pp_shaded", raising=False)
    before = sys.modules.get("pp_shaded"), list(sys.meta_path)
    with FakeHost(folder):
        assert sys.modules["pp_shaded"].plugin
    assert (sys.modules.get("pp_shaded"), sys.meta_path) == before


def test_an_agent_has_to_live_with_a_strategy():
    class Trusting:
        @hookimpl
        def decide(self, observation):
            scores = observation.scores or dict.fromkeys(observation.markets.cells("id"), 1.0)
            return [wish(one.id) for one in observation.markets if scores[one.id] > 0.5]

    with pytest.raises(RemoteError, match="KeyError"):
        check_agent(Trusting())
