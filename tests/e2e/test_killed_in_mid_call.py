"""A strategy, three agents, two risk plugins and two outputs on one tape, and each of them killed in the middle of a
call: the process is stopped, the host is seen to wait for it, then it is killed. What the others were asked, and what
they answered, is compared with a run in which nobody was."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

OURS = "dev.probablyprofit."
STRATEGY = OURS + "strategy-words"
AGENTS = [OURS + "agent-value", OURS + "agent-momentum", OURS + "agent-meanrevert"]
ADVISERS = [OURS + "risk-time", OURS + "risk-concentration"]
OUTPUTS = [OURS + "output-console", OURS + "output-file"]
FAMILY = [STRATEGY, *AGENTS, *ADVISERS, *OUTPUTS]
HOOK = {STRATEGY: "select"} | dict.fromkeys(AGENTS, "decide") | dict.fromkeys(ADVISERS, "advise")
STEPS, BEFORE = 200, 40
PATIENCE = 120.0
MINUTE = 60_000
T0 = 1_761_926_400_000
WAVE = (0, 1, 3, 2, 1, 0, 0, -1, -9, -8, -6, -4, -2)

# Nothing that one plugin uses up may be missed by another: the same wishes must have the same room in every run.
BUDGET = "budget = {order_usd = 50, day_usd = 1000000, exposure_usd = 1000000, orders_per_minute = 600}"
SETTINGS = f"""[account]
cash_usd = 1000000
[risk]
max_daily_loss_usd = 1000000
max_drawdown = 1
[sizing]
method = "fixed"
fixed_usd = 20
[tape]
depth_usd = 1000000
[plugins."{STRATEGY}"]
brief = "value"
config = {{least_price_cents = 0}}
[plugins."{AGENTS[0]}"]
{BUDGET}
[plugins."{AGENTS[1]}"]
config = {{window_micros = 300000000}}
{BUDGET}
[plugins."{AGENTS[2]}"]
{BUDGET}
[plugins."{ADVISERS[0]}"]
[plugins."{ADVISERS[1]}"]
[plugins."{OUTPUTS[0]}"]
[plugins."{OUTPUTS[1]}"]
"""

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("killed in mid-call")]


def tape(folder: Path) -> Path:
    """Four markets in which every agent finds something to do; none ends."""
    folder.mkdir()
    names = [f"m{index}" for index in range(4)]
    ends = [T0 + 2 * STEPS * MINUTE] * len(names)
    markets = {"market_id": names, "nominal_end_ts": ends}
    nothing = dict.fromkeys(("start_ts", "close_ts", "resolved_ts"), pa.array([None] * 4, pa.int64()))
    texts = dict.fromkeys(
        ("event_id", "question", "outcome_0", "outcome_1"), pa.array([None] * 4, pa.string())
    )
    unresolved = {"resolved_yes_price": pa.array([None] * 4, pa.float64())}
    pq.write_table(pa.table({**markets, **nothing, **texts, **unresolved}), folder / "markets.parquet")
    points = [
        (T0 + at * MINUTE, name, outcome, price if outcome == "Yes" else 1 - price)
        for at in range(STEPS)
        for index, name in enumerate(names)
        for price in [(40 + 5 * index + WAVE[(at + 3 * index) % 13]) / 100]
        for outcome in ("Yes", "No")
    ]
    columns = ("ts", "market_id", "outcome", "price")
    pq.write_table(
        pa.table(dict(zip(columns, zip(*points, strict=True), strict=True))), folder / "prices.parquet"
    )
    return folder


@dataclass(frozen=True)
class Run:
    """A finished run of the family: what it printed, and its entries of the record."""

    result: dict[str, Any]
    entries: list[dict[str, Any]]

    def plugin(self, name: str) -> dict[str, Any]:
        return next(plugin for plugin in self.result["plugins"] if plugin["id"] == name)

    def of(self, event: str, plugin: str) -> list[dict[str, Any]]:
        return [one for one in self.entries if one["event"] == event and one["actor"].get("id") == plugin]

    def calls(self) -> Counter[tuple[str, str]]:
        """How often each plugin was called, by hook."""
        made = [one for one in self.entries if one["event"] == "plugin.call"]
        return Counter((one["actor"]["id"], one["subject"]["hook"]) for one in made)

    def wishes(self, agent: str) -> list[tuple[int, dict[str, Any]]]:
        """What an agent wished, each with the number of the step."""
        found, step = [], 0
        for one in self.entries:
            step += one["event"] == "observation"
            if one["event"] == "decision" and one["actor"]["id"] == agent:
                found.append((step, one["subject"]))
        return found


@pytest.fixture(scope="module")
def play(new_home: Any, pp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Run]:
    """Plays the tape; `victim` is killed in a call of its own once the run has come to the step BEFORE."""
    folder = tape(tmp_path_factory.mktemp("tape") / "waves")

    def run(victim: str) -> Run:
        place = new_home()
        place.configure(SETTINGS)
        words = [pp_path, "run", "--tape", folder, "--home", place.root, "--json"]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as host:
            try:
                if victim:
                    kill_in_a_call(place.root / "state" / "record.db", victim)
                printed, _ = host.communicate(timeout=PATIENCE)
            finally:
                host.kill()
        assert host.returncode == 0
        return Run(json.loads(printed), place.entries())

    return run


@pytest.fixture(scope="module")
def undisturbed(play: Callable[[str], Run]) -> Run:
    return play("")


def kill_in_a_call(record: Path, victim: str) -> None:
    def entries(query: str) -> list[Any]:
        with closing(sqlite3.connect(f"file:{record}?mode=ro", uri=True)) as database:
            return [json.loads(body) for (body,) in database.execute(f"SELECT body FROM entries {query}")]

    def begun() -> bool:
        found = entries("ORDER BY seq DESC LIMIT 1") if record.exists() else []
        return bool(found) and found[0]["seq"] > BEFORE * len(FAMILY)

    until(begun)
    starts = [one["subject"] for one in entries("ORDER BY seq LIMIT 200") if one["event"] == "plugin.start"]
    (pid,) = [start["pid"] for start in starts if start["id"] == victim]
    os.kill(pid, signal.SIGSTOP)
    until(lambda: waits(entries, victim))
    os.kill(pid, signal.SIGKILL)


def waits(entries: Callable[[str], list[Any]], victim: str) -> bool:
    """Whether the host has called the victim and nobody is told that it answered: of an output the loop does not wait
    for, only the calls stop."""
    seen = []
    for _ in range(4):
        called = [one["seq"] for one in entries("ORDER BY seq DESC LIMIT 5000") if calls(one, victim)]
        last = entries("ORDER BY seq DESC LIMIT 1")[0]["seq"]
        seen.append((called[:1], last if victim in HOOK else 0))
        time.sleep(0.05)  # between two looks; what is looked for is that nothing changes
    return bool(seen[0][0]) and len(set(map(str, seen))) == 1


def calls(entry: dict[str, Any], plugin: str) -> bool:
    return entry["event"] == "plugin.call" and entry["actor"]["id"] == plugin


def until(what: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < end, f"not within {PATIENCE} s"
        time.sleep(0.01)


def test_all_of_them_have_something_to_do(undisturbed: Run) -> None:
    assert undisturbed.result["cycles"] == STEPS
    for name in FAMILY:
        plugin = undisturbed.plugin(name)
        assert (plugin["failures"], plugin["ended"], plugin["state"]) == (0, "", "stopped"), name
        assert plugin["calls"] > BEFORE
    for agent in AGENTS:
        assert len(undisturbed.wishes(agent)) > 20
    assert undisturbed.result["record"]["verified"] is True


@pytest.mark.parametrize("victim", FAMILY)
def test_killed_in_the_middle_of_a_call_it_changes_nothing_for_the_others(
    victim: str, undisturbed: Run, play: Callable[[str], Run]
) -> None:
    run = play(victim)
    assert run.result["cycles"] == STEPS
    assert run.result["record"]["verified"] is True
    check_victim(run, victim)
    others = [name for name in FAMILY if name != victim]
    for name in others:
        plugin = run.plugin(name)
        assert (plugin["failures"], plugin["ended"], plugin["state"]) == (0, "", "stopped"), name
    was, now = undisturbed.calls(), run.calls()
    asked_each_step = [(name, HOOK[name]) for name in others if HOOK.get(name) in ("select", "decide")]
    assert {one: now[one] for one in asked_each_step} == {one: was[one] for one in asked_each_step}
    if victim not in ADVISERS:  # whose silence vetoes, so that agents hold less while it is away
        for agent in set(AGENTS) & set(others):
            assert run.wishes(agent) == undisturbed.wishes(agent)
    if victim in [*OUTPUTS, STRATEGY]:
        assert run.result["actions_digest"] == undisturbed.result["actions_digest"]


def check_victim(run: Run, victim: str) -> None:
    """It died in a call, was started again, and called again."""
    assert "SIGKILL" in run.plugin(victim)["ended"]
    assert len(run.of("plugin.start", victim)) == 2
    failed = run.of("plugin.failed", victim)
    first = next(one for one in run.entries if one["seq"] == failed[0]["cause"])
    called = {one["subject"]["hook"] for one in failed}
    assert called == {HOOK.get(victim, "notify")}
    assert calls(first, victim) or victim in ADVISERS
    again = run.of("plugin.start", victim)[1]["seq"]
    assert any(one["seq"] > again for one in run.of("plugin.call", victim))
