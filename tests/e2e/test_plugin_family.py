"""The built-in plugins together in one session: three agents, a strategy, two risk plugins, two sources and an output,
each in its own sandbox. Then the same with one of each kind killed from outside while the host works."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

OURS = "dev.probablyprofit."
AGENTS = [OURS + "agent-value", OURS + "agent-momentum", OURS + "agent-meanrevert"]
ADVISERS = [OURS + "risk-time", OURS + "risk-concentration"]
SOURCES = ["test.waves", OURS + "source-sample"]
OUTPUT = OURS + "output-console"
STRATEGY = OURS + "strategy-words"
FAMILY = [*SOURCES, STRATEGY, *AGENTS, *ADVISERS, OUTPUT]
VICTIMS = {SOURCES[1], STRATEGY, AGENTS[1], ADVISERS[0], OUTPUT}
CYCLES = 300
PATIENCE = 60.0

WAVES_MANIFEST = """schema: probablyprofit/plugin/v1
id: test.waves
version: 1.0.0
kind: source
title: Waves
summary: Markets that rise for three seconds, fall at once, and rest for one.
license: MIT
authors: [{name: Tester}]
api: {sdk: ">=1,<2", python: ">=3.11"}
entry: {module: waves, object: plugin, runtime: python}
hooks: [snapshot]
"""
WAVES = """
from pp_sdk import MICRO, MarketRow, build, hookimpl

HOUR = 3600 * MICRO
ENDS = {"late": 24 * HOUR, "soon": HOUR // 12, "never": None}

def market(name, ends_in, now):
    seconds = now % (4 * MICRO) / MICRO
    bid = 400_000 + min(int(seconds * 5), 15) * 10_000 if seconds < 3 else 400_000
    sides = {"yes": (bid, bid + 10_000), "no": (MICRO - bid - 10_000, MICRO - bid)}
    books = {}
    for outcome, (bids, asks) in sides.items():
        books[outcome + "_bids"], books[outcome + "_asks"] = ((bids, 500 * MICRO),), ((asks, 500 * MICRO),)
    ends = None if ends_in is None else now - now % HOUR + ends_in
    if name == "soon":
        ends = now + ends_in
    return MarketRow(id=name, event="waves", venue="test", quoted_at=now, ends_at=ends, fee_rate=0, fee_exponent=1, **books)

class Waves:
    @hookimpl
    def snapshot(self, request):
        return build([market(name, ends_in, request.now) for name, ends_in in ENDS.items()])

plugin = Waves()
"""
BUDGET = "budget = {order_usd = 50, day_usd = 100000, exposure_usd = 5000, orders_per_minute = 600}"
SETTINGS = f"""[host]
cycle_seconds = 0.02
[account]
cash_usd = 10000
[risk]
max_daily_loss_usd = 10000
max_drawdown = 1
[sizing]
method = "fixed"
fixed_usd = 40
[plugins."test.waves"]
[plugins."{SOURCES[1]}"]
config = {{markets = 6, seed = 7}}
[plugins."{STRATEGY}"]
brief = "value"
[plugins."{AGENTS[0]}"]
{BUDGET}
[plugins."{AGENTS[1]}"]
config = {{rise_cents = 3, window_micros = 1000000}}
{BUDGET}
[plugins."{AGENTS[2]}"]
config = {{deviations = 0.5, gap_cents = 3, window_micros = 3000000, least_points = 5}}
{BUDGET}
[plugins."{ADVISERS[0]}"]
[plugins."{ADVISERS[1]}"]
config = {{market_ppm = 5000, outcome_ppm = 3000}}
[plugins."{OUTPUT}"]
"""


@pytest.fixture
def home(new_home: Any, tmp_path: Path) -> Any:
    """A home in which the whole family runs."""
    place, folder = new_home(), tmp_path / "waves"
    folder.mkdir()
    (folder / "plugin.yaml").write_text(WAVES_MANIFEST)
    (folder / "waves.py").write_text(WAVES)
    place.install(folder)
    place.configure(SETTINGS)
    return place


def facts(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {plugin["id"]: plugin for plugin in document["plugins"]}


def calls(home: Any, hook: str) -> Counter[str]:
    """How often the record says that each plugin was called."""
    made = home.entries("plugin.call")
    return Counter(entry["actor"]["id"] for entry in made if entry["subject"]["hook"] == hook)


def advice(home: Any, plugin: str) -> list[dict[str, Any]]:
    return [entry["subject"] for entry in home.entries("advice") if entry["actor"]["id"] == plugin]


@pytest.mark.slow
def test_the_family_runs_together(home: Any) -> None:
    done = home.pp("run", "--cycles", CYCLES, "--json")
    assert done.status == 0, done.stderr
    result = done.json
    assert set(facts(result)) == set(FAMILY)
    for name, plugin in facts(result).items():
        assert (plugin["state"], plugin["failures"], plugin["ended"]) == ("stopped", 0, ""), name
    assert calls(home, "decide") == dict.fromkeys(AGENTS, CYCLES)
    assert calls(home, "select") == {STRATEGY: CYCLES}
    chosen = [entry["subject"] for entry in home.entries("selection")]
    assert {one["stale"] for one in chosen} == {False}
    assert min(one["markets"] for one in chosen) > 0
    assert calls(home, "snapshot") == dict.fromkeys(SOURCES, CYCLES + 1), "and a last look"
    assert {entry["actor"]["id"] for entry in home.entries("decision")} == set(AGENTS)
    assert {entry["subject"]["plugin"] for entry in home.entries("order.fill")} <= set(AGENTS)
    check_advice(home)
    assert calls(home, "notify")[OUTPUT] > 2, "the console hears of more than start and end"
    assert result["record"]["verified"] is True


def check_advice(home: Any) -> None:
    """Both were asked about the same purchases; each said what it is there for, in words."""
    timely, measured = (advice(home, plugin) for plugin in ADVISERS)
    assert [one["order"] for one in timely] == [one["order"] for one in measured] != []
    assert calls(home, "advise") == dict.fromkeys(ADVISERS, len(timely))
    vetoes = {one["reason"][:15] for one in timely if one["advice"] == "veto"}
    assert {"soon ends in 5 ", "soon ends in 4 "} & vetoes
    assert "the end of neve" in vetoes
    assert any(one["advice"] == "keep" for one in timely)
    shrunk = [one["reason"] for one in measured if one["advice"] == "shrink"]
    assert any(" of late holds 0.00 USD of at most " in reason for reason in shrunk)
    intents = [entry["subject"] for entry in home.entries("order.intent")]
    assert {intent["market"] for intent in intents if intent["side"] == "buy"} <= {"late"} | sampled(intents)


def sampled(intents: list[dict[str, Any]]) -> set[str]:
    return {intent["market"] for intent in intents if intent["market"].startswith("sample-")}


@pytest.fixture
def running(home: Any, pp_path: Path) -> Iterator[subprocess.Popen[str]]:
    words = [pp_path, "run", "--home", home.root, "--cycles", str(CYCLES), "--json"]
    host = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    yield host
    if host.poll() is None:
        host.kill()
    host.communicate()


def until(home: Any, what: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """What `pp status` says once `what` holds of it."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        told = home.pp("status", "--json")
        if told.status == 0 and told.json["running"] and what(told.json):
            return told.json
    raise AssertionError(f"not within {PATIENCE} s; the last status: {told}")


@pytest.mark.slow
def test_one_of_each_kind_is_killed_and_the_others_do_not_notice(home: Any, running: Any) -> None:
    before = facts(until(home, lambda status: status.get("cycles", 0) >= 20))
    for victim in VICTIMS:
        os.kill(before[victim]["pid"], signal.SIGKILL)
    after = until(home, lambda status: all(back(facts(status)[name], before[name]) for name in VICTIMS))
    assert 20 <= after["cycles"] < CYCLES, "they were back before the end"
    printed, _ = running.communicate(timeout=PATIENCE)
    assert running.returncode == 0
    result = json.loads(printed)
    assert result["cycles"] == CYCLES
    plugins = facts(result)
    for victim in VICTIMS:
        assert "SIGKILL" in plugins[victim]["ended"]
    survivors = set(FAMILY) - VICTIMS
    assert [name for name in survivors if plugins[name]["failures"] or plugins[name]["ended"]] == []
    decided, shown = calls(home, "decide"), calls(home, "snapshot")
    assert {name: decided[name] for name in survivors & set(AGENTS)} == dict.fromkeys(
        survivors & set(AGENTS), CYCLES
    )
    assert shown["test.waves"] == CYCLES + 1
    assert 20 <= decided[AGENTS[1]] < CYCLES
    stale = [entry["subject"]["stale"] for entry in home.entries("selection")]
    assert (len(stale), stale[0], stale[-1]) == (CYCLES, False, False)
    assert True in stale, "while the strategy was gone, what it selected last stood"
    silent = [one for one in advice(home, ADVISERS[0]) if one["advice"] == "silent"]
    asked = [one["order"] for one in advice(home, ADVISERS[1])]
    assert {one["order"] for one in silent} <= set(asked), (
        "a killed risk plugin is asked, and its silence is a veto"
    )
    assert result["record"]["verified"] is True


def back(now: dict[str, Any], before: dict[str, Any]) -> bool:
    """Whether a killed plugin runs again, as another process."""
    return now["state"] == "running" and now["pid"] != before["pid"]
