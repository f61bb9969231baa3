"""Risk plugins through a whole session: they tighten, never loosen, and their silence is a veto."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

SOURCE = "dev.probablyprofit.source-sample"
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
hooks: [{hook}]
capabilities:
{capabilities}
limits: {{wall_seconds_per_call: 1}}
"""
AGENT = """
from pp_sdk import OPEN, Decision, hookimpl

class Agent:
    @hookimpl
    def decide(self, observation):  # the cheaper outcome can be bought at any hour of the sample markets
        market = next(m for m in observation.markets if m.status == OPEN and m.yes_ask and m.no_ask)
        outcome = "yes" if market.yes_ask <= market.no_ask else "no"
        return [Decision(market=market.id, outcome=outcome, side="buy", probability=0.97)]

plugin = Agent()
"""
RISK = """
import os, time
from pp_sdk import Keep, Shrink, Veto, hookimpl

class Risk:
    @hookimpl
    def advise(self, proposal, view):
        {body}

plugin = Risk()
"""
ADVICE = {
    "keeps": ("return Keep()", {"approved", "reduced"}, set()),
    "shrinks": ("return Shrink(shares=6_000_000, reason='smaller')", {"reduced"}, {"adviser"}),
    "grows": ("return Shrink(shares=10**15, reason='more!')", {"approved", "reduced"}, set()),
    "vetoes": ("return Veto(reason='no')", {"denied"}, {"adviser"}),
    "sleeps": ("time.sleep(30)", {"denied"}, {"adviser_silent"}),
    "dies": ("os._exit(1)", {"denied"}, {"adviser_silent"}),
    "raises": ("raise RuntimeError", {"denied"}, {"adviser_silent"}),
    "babbles": ("return 'yes'", {"denied"}, {"adviser_silent"}),
}
CYCLES = 3
SETTINGS = f"""[host]
cycle_seconds = 0.1
[sizing]
method = "fixed"
fixed_usd = 8
[risk]
max_spread = 0.5
[plugins."{SOURCE}"]
config = {{markets = 4, seed = 7}}
[plugins."test.agent"]
budget = {{order_usd = 50, day_usd = 500, exposure_usd = 500, orders_per_minute = 60}}
[plugins."test.risk"]
"""


def write(folder: Path, name: str, kind: str, hook: str, capabilities: str, code: str) -> Path:
    place = folder / name
    place.mkdir()
    (place / "plugin.yaml").write_text(
        HEAD.format(name=name, kind=kind, hook=hook, capabilities=capabilities)
    )
    (place / "body.py").write_text(code)
    return place


@pytest.mark.parametrize("name", ADVICE)
def test_advice(new_home: Any, tmp_path: Path, name: str) -> None:
    body, verdicts, reasons = ADVICE[name]
    home = new_home()
    wishes = "  - {use: market.read, reason: a}\n  - {use: decision.propose, max_order_usd: 50, max_day_usd: 500, reason: b}"
    home.install(write(tmp_path, "agent", "agent", "decide", wishes, AGENT))
    home.install(
        write(tmp_path, "risk", "risk", "advise", "  - {use: risk.advise, reason: c}", RISK.format(body=body))
    )
    home.configure(SETTINGS)
    done = home.pp("run", "--cycles", CYCLES, "--json")
    assert done.status == 0, done.stderr
    last = {entry["cause"]: entry["subject"] for entry in home.entries("verdict")}
    final = [
        subject for subject in last.values() if subject["verdict"] != "denied" or subject["reason"] in reasons
    ]
    assert home.entries("advice"), "the risk plugin was asked"
    if verdicts == {"denied"}:
        assert done.json["fills"] == 0
        assert {subject["reason"] for subject in final if subject["verdict"] == "denied"} == reasons
        assert done.json["verdicts"]["denied"] == done.json["decisions"] == CYCLES
    else:
        assert done.json["fills"] > 0
        shares = {entry["subject"]["shares"] for entry in home.entries("order.intent")}
        assert (shares == {6_000_000}) is (name == "shrinks")


SEEN = ("- {use: market.read, reason: d}", "- {use: market.read, venues: [elsewhere], reason: d}")
WHAT_IT_WAS_TOLD = "return Veto(reason=f'{proposal.venue} {proposal.event} {proposal.ends_at is not None}')"


@pytest.mark.parametrize(
    ("grant", "told"),
    [(SEEN[0], "sample sample-7-00"), (SEEN[1], "  False"), ("", "  False")],
    ids=["granted", "another venue", "not granted"],
)
def test_a_risk_plugin_is_told_of_the_market_by_its_grant(
    new_home: Any, tmp_path: Path, grant: str, told: str
) -> None:
    home = new_home()
    wishes = "  - {use: market.read, reason: a}\n  - {use: decision.propose, max_order_usd: 50, max_day_usd: 500, reason: b}"
    home.install(write(tmp_path, "agent", "agent", "decide", wishes, AGENT))
    asks = f"  - {{use: risk.advise, reason: c}}\n  {grant}"
    home.install(write(tmp_path, "risk", "risk", "advise", asks, RISK.format(body=WHAT_IT_WAS_TOLD)))
    home.configure(SETTINGS)
    assert home.pp("run", "--once", "--json").status == 0
    (advice,) = home.entries("advice")
    assert advice["subject"]["reason"].startswith(told)
    assert advice["subject"]["reason"].endswith(str(told.startswith("sample")))
