"""A strategy through whole sessions: it narrows what agents see and buy, gives them its brief, and when it fails nothing
else does."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PATIENCE = 60.0
HEAD = """schema: probablyprofit/plugin/v1
id: test.{name}
version: 1.0.0
kind: {kind}
title: A test
summary: A test.
license: MIT
authors: [{{name: Tester}}]
api: {{sdk: ">=1,<2", python: ">=3.11"}}
entry: {{module: body, object: plugin, runtime: python}}
hooks: [{hooks}]
limits: {{wall_seconds_per_call: {seconds}}}
{more}
"""
SOURCE = """
from pp_sdk import MICRO, MarketRow, build, hookimpl

class Source:
    @hookimpl
    def snapshot(self, request):
        book = {"yes_bids": ((480_000, 500 * MICRO),), "yes_asks": ((500_000, 500 * MICRO),)}
        book |= {"no_bids": ((500_000, 500 * MICRO),), "no_asks": ((520_000, 500 * MICRO),)}
        return build([
            MarketRow(id=name, venue="test", quoted_at=request.now, fee_rate=0, fee_exponent=1, **book) for name in "abcd"
        ])

plugin = Source()
"""
AGENT = """
from pp_sdk import Decision, hookimpl, log

class Agent:
    @hookimpl
    def decide(self, observation):
        ids, scores = [row.id for row in observation.markets], observation.scores
        log.info(f"{''.join(ids)} {scores} {observation.brief and observation.brief.name} {observation.brief and observation.brief.text!r}")
        return [Decision(market=name, outcome="yes", side="buy", probability=0.7) for name in (*ids, "d")]

plugin = Agent()
"""
STRATEGY = """
import os, time
from pp_sdk import hookimpl, log

class Strategy:
    def __init__(self):
        self.calls = 0

    @hookimpl
    def select(self, observation):
        self.calls += 1
        assert observation.account is observation.scores is None
        {body}

    @hookimpl
    def score(self, market):
        return 0.5 if market.id == "a" else 1

plugin = Strategy()
"""
TEXT = "Buy a and b.\nNever anything else."
ASKS = "capabilities: [{use: market.read, reason: x}]"
MAY_TRADE = "capabilities: [{use: market.read, reason: x}, {use: decision.propose, max_order_usd: 50, max_day_usd: 5000, reason: y}]"
BUDGET = "budget = {order_usd = 50, day_usd = 5000, exposure_usd = 5000, orders_per_minute = 600}"
SETTINGS = f"""[host]
cycle_seconds = 0.05
[sizing]
method = "fixed"
fixed_usd = 5
[plugins."test.source"]
[plugins."test.strategy"]
[plugins."test.agent"]
{BUDGET}
[plugins."test.other"]
{BUDGET}
"""


@pytest.fixture
def home(new_home: Any, tmp_path: Path) -> Callable[..., Any]:
    """home(body): a home with a source, two agents, and a strategy whose `select` is `body`."""

    def make(body: str, hooks: str = "select, score") -> Any:
        place = new_home()

        def install(name: str, kind: str, hooks: str, code: str, more: str) -> None:
            folder = tmp_path / name
            folder.mkdir()
            words = {"name": name, "kind": kind, "hooks": hooks, "more": more}
            (folder / "plugin.yaml").write_text(HEAD.format(seconds=9 if "sleep(8)" in code else 1, **words))
            (folder / "body.py").write_text(code)
            (folder / "only.txt").write_text(TEXT)
            place.install(folder)

        install("source", "source", "snapshot", SOURCE, "")
        install("agent", "agent", "decide", AGENT, MAY_TRADE)
        install("other", "agent", "decide", AGENT, MAY_TRADE)
        code = STRATEGY.format(body=body)
        install("strategy", "strategy", hooks, code, f"briefs: {{only: only.txt}}\n{ASKS}")
        place.configure(SETTINGS)
        return place

    return make


def facts(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {plugin["id"]: plugin for plugin in document["plugins"]}


def played(place: Any, cycles: int) -> dict[str, Any]:
    done = place.pp("run", "--cycles", cycles, "--json")
    assert done.status == 0, done.stderr
    for name in ("test.source", "test.agent", "test.other"):
        plugin = facts(done.json)[name]
        assert (plugin["failures"], plugin["ended"]) == (0, ""), name
        assert plugin["calls"] == cycles + (name == "test.source"), name
    return done.json


def logged(place: Any, plugin: str = "test.agent") -> list[str]:
    return [e["subject"]["message"] for e in place.entries("plugin.log") if e["actor"]["id"] == plugin]


def bought(place: Any) -> set[str]:
    return {e["subject"]["market"] for e in place.entries("order.fill")}


def denied(place: Any) -> set[tuple[str, str]]:
    refused = [e["subject"] for e in place.entries("verdict") if e["subject"]["verdict"] == "denied"]
    return {(one["market"], one["reason"]) for one in refused}


def test_agents_see_and_buy_what_was_selected_and_are_told_the_brief(home: Any) -> None:
    place = home("return ['b', 'a']")
    result = played(place, 2)
    assert logged(place)[0] == f"ab {{'b': 1.0, 'a': 0.5}} only {TEXT!r}"
    assert logged(place) == logged(place, "test.other")
    assert bought(place) == {"a", "b"}
    assert ("d", "not_selected") in denied(place)
    assert result["reasons"]["denied"]["not_selected"] == 4
    digest = hashlib.sha256(TEXT.encode()).hexdigest()
    order = place.entries("order.fill")[-1]["subject"]["order"]
    why = place.pp("audit", "why", order, "--json").json
    assert why["brief"] == {"plugin": "test.strategy", "name": "only", "digest": digest}
    shown = place.pp("report", "--out", place.root.parent / "report", "--json").json["report"]
    assert shown["header"]["strategy"] == {"id": "test.strategy", "brief": "only", "brief_digest": digest}
    (start,) = place.entries("run.start")
    assert start["subject"]["brief"] == {"plugin": "test.strategy", "name": "only", "digest": digest}
    installed = {e["subject"]["id"]: e["subject"]["briefs"] for e in place.entries("plugin.install")}
    assert (installed["test.strategy"], installed["test.agent"]) == ({"only": digest}, {})
    shown = place.pp("plugin", "show", "test.strategy", "--json").json
    assert (shown["texts"], shown["briefs"]) == ({"only": TEXT}, {"only": digest})


def test_why_shows_the_selection_between_the_agent_and_what_was_seen(home: Any) -> None:
    place = home("return ['a']", hooks="select")
    played(place, 1)
    order = place.entries("order.fill")[0]["subject"]["order"]
    told = place.pp("audit", "why", order, "--json").json
    events = [entry["event"] for entry in told["chain"]]
    assert events[4:9] == ["decision", "plugin.call", "selection", "plugin.call", "observation"]
    assert told["chain"][6]["subject"]["ids"] == ["a"]
    assert "test.strategy" in {entry["subject"]["id"] for entry in told["plugins"]}
    assert logged(place)[0].startswith("a {'a': 1.0} only ")


def test_what_is_held_stays_in_sight_of_its_holder_and_of_nobody_else(home: Any, tmp_path: Path) -> None:
    place = home("return ['a'] if self.calls == 1 else ['b']")
    place.configure(SETTINGS.replace(BUDGET, "", 1))  # the first agent may look and not buy
    result = played(place, 2)
    assert [line[:2] for line in logged(place)] == ["a ", "b "]
    assert [line[:3] for line in logged(place, "test.other")] == ["a {", "ab "]
    assert "{'b': 1.0}" in logged(place, "test.other")[1], "what it only holds has no score"
    assert ("a", "not_selected") in denied(place)
    assert result["fills"] == 2


FAILING = {
    "dies": "os._exit(1)",
    "hangs": "time.sleep(30)",
    "babbles": "return 'ab'",
}


@pytest.mark.parametrize("name", FAILING)
def test_one_that_never_answers_well_selects_nothing(home: Any, name: str) -> None:
    place = home(FAILING[name])
    result = played(place, 2)
    assert facts(result)["test.strategy"]["failures"] == 2
    assert bought(place) == set()
    assert denied(place) == {("d", "not_selected")}
    assert [line[:4] for line in logged(place)] == [" {} ", " {} "], (
        "an agent that holds nothing sees nothing"
    )
    assert [e["subject"]["stale"] for e in place.entries("selection")] == [True, True]


@pytest.mark.parametrize("name", FAILING)
def test_one_that_fails_later_leaves_its_last_selection(home: Any, name: str) -> None:
    place = home(f"if self.calls == 1: return ['a']\n        {FAILING[name]}")
    result = played(place, 2)
    assert facts(result)["test.strategy"]["failures"] == 1
    assert bought(place) == {"a"}
    assert [line[:2] for line in logged(place)] == ["a ", "a "]
    written = [(e["subject"]["markets"], e["subject"]["stale"]) for e in place.entries("selection")]
    assert written == [(1, False), (1, True)]


def test_killed_in_the_middle_of_a_call_it_takes_nothing_from_the_others(home: Any, pp_path: Path) -> None:
    place = home("if self.calls == 3: time.sleep(8)\n        return ['a', 'b']")
    words = [pp_path, "run", "--home", place.root, "--cycles", "40", "--json"]
    host = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        until(lambda: asked(place) == 3)
        (start,) = [e for e in place.entries("plugin.start") if e["subject"]["id"] == "test.strategy"]
        os.kill(start["subject"]["pid"], signal.SIGKILL)
        printed, _ = host.communicate(timeout=PATIENCE)
    finally:
        if host.poll() is None:
            host.kill()
            host.communicate()
    plugins = facts(json.loads(printed))
    assert "SIGKILL" in plugins["test.strategy"]["ended"]
    for name in ("test.source", "test.agent", "test.other"):
        assert (plugins[name]["failures"], plugins[name]["ended"]) == (0, ""), name
        assert plugins[name]["calls"] == 40 + (name == "test.source"), name
    stale = [e["subject"]["stale"] for e in place.entries("selection")]
    assert len(stale) == 40
    assert stale[:3] == [False, False, True], "the cycle it was killed in went on with what stood"
    assert {line[:3] for line in logged(place)} == {"ab "}


def asked(place: Any) -> int:
    """How often the strategy was asked; written down before it is."""
    return sum(e["subject"]["hook"] == "select" for e in place.entries("plugin.call"))


def until(what: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)


SHARED = Path(os.environ.get("PP_SHARED", Path(__file__).parents[3] / "shared")) / "data/tapes/geopolitics"
WORDS = "dev.probablyprofit.strategy-words"
ON_TAPE = f"""[plugins."{WORDS}"]
brief = "BRIEF"
[plugins."dev.probablyprofit.agent-value"]
{BUDGET}
"""


@pytest.mark.skipif(not SHARED.is_dir(), reason="the recorded tapes are not here")
@pytest.mark.parametrize(("brief", "trades"), [("value", True), ("politics", False), ("news", False)])
def test_strategy_words_selects_on_a_recorded_tape(new_home: Any, brief: str, trades: bool) -> None:
    place = new_home()
    place.configure(ON_TAPE.replace("BRIEF", brief))
    done = place.pp("run", "--tape", SHARED, "--cycles", 700, "--json")
    assert done.status == 0, done.stderr
    assert [plugin["failures"] for plugin in done.json["plugins"]] == [0, 0]
    selected = [entry["subject"] for entry in place.entries("selection")]
    assert len(selected) == 700
    assert 0 < max(one["markets"] for one in selected) <= 20
    listed = {market for one in selected for market in one["ids"]}
    assert (done.json["fills"] > 0) is trades
    assert bought(place) <= listed
