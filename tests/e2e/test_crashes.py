"""kill -9 of the host at many points of a busy run: afterwards the record verifies, and nothing is lost or doubled."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import subprocess
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

ROUNDS = 50
SOURCE = "dev.probablyprofit.source-sample"
CONFIG = f"""
[host]
cycle_seconds = 0.01
[account]
cash_usd = 100000
[risk]
max_order_usd = 50
max_exposure_usd = 50000
max_market_usd = 50000
max_daily_loss_usd = 100000
max_drawdown = 1
max_spread = 0.5
[sizing]
method = "fixed"
fixed_usd = 5
[plugins."{SOURCE}"]
config = {{markets = 6, seed = 7}}
[plugins."dev.probablyprofit.output-console"]
[plugins."test.busy"]
budget = {{order_usd = 50, day_usd = 100000, exposure_usd = 50000, orders_per_minute = 600}}
"""
MANIFEST = """schema: probablyprofit/plugin/v1
id: test.busy
version: 1.0.0
kind: agent
title: Busy
summary: Trades in every cycle.
license: MIT
authors: [{name: Tester}]
api: {sdk: ">=1,<2", python: ">=3.11"}
entry: {module: busy, object: plugin, runtime: python}
hooks: [decide]
capabilities:
  - {use: market.read, reason: "to trade"}
  - {use: account.read, precision: exact, reason: "to sell"}
  - {use: decision.propose, max_order_usd: 50, max_day_usd: 100000, reason: "to trade"}
"""
CODE = """
from pp_sdk import Decision, OPEN, hookimpl

class Busy:
    @hookimpl
    def decide(self, observation):
        held = {(p.market, p.outcome) for p in observation.account.positions}
        wishes = [Decision(market=m, outcome=o, side="sell", probability=0.01) for m, o in sorted(held)[:2]]
        for market in observation.markets:
            if market.status == OPEN and market.yes_ask is not None and (market.id, "yes") not in held:
                wishes.append(Decision(market=market.id, outcome="yes", side="buy", probability=0.99))
        return wishes

plugin = Busy()
"""


@pytest.fixture(scope="module")
def battered(new_home: Any, pp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A home whose host was killed ROUNDS times in mid-run and then finished one run in good order."""
    home = new_home()
    folder = tmp_path_factory.mktemp("busy")
    (folder / "plugin.yaml").write_text(MANIFEST)
    (folder / "busy.py").write_text(CODE)
    home.install(folder)
    home.configure(CONFIG)
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    for _ in range(ROUNDS):
        wanted = dice.randrange(1, 40)
        host = subprocess.Popen(
            [pp_path, "run", "--home", home.root],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert host.stderr is not None
        lines = 0
        for line in host.stderr:  # one a trade, as it is told to the console
            lines += "| " in line
            if lines >= wanted:
                break
        assert lines == wanted, "the host ended by itself"
        host.send_signal(signal.SIGKILL)
        host.communicate()
    final = home.pp("run", "--cycles", 3, "--json")
    assert final.status == 0, final.stderr
    return home, final.json


def test_the_record_verifies(battered: Any) -> None:
    home, final = battered
    assert final["record"]["verified"] is True
    checked = home.pp("audit", "verify", "--json")
    assert (checked.status, checked.json["ok"]) == (0, True)


def test_every_intent_has_exactly_one_end(battered: Any) -> None:
    home, _ = battered
    intents = [entry["subject"]["order"] for entry in home.entries("order.intent")]
    ends = Counter(entry["subject"]["order"] for entry in home.entries("order.done", "order.void"))
    assert len(intents) == len(set(intents)) > ROUNDS
    assert ends == Counter(intents)


def test_every_trade_of_the_venue_is_booked_once_and_no_other(battered: Any) -> None:
    home, _ = battered
    with closing(sqlite3.connect(home.root / "state" / "paper.db")) as venue:
        traded = {trade: json.loads(body) for trade, body in venue.execute("SELECT id, body FROM trades")}
    booked = [entry["subject"] for entry in home.entries("order.fill")]
    assert len(booked) == len({fill["trade"] for fill in booked})
    assert {fill["trade"] for fill in booked} == set(traded)
    for fill in booked:
        told = traded[fill["trade"]]
        assert {key: fill[key] for key in ("order", "shares", "price", "amount", "fee")} == {
            key: told[key] for key in ("order", "shares", "price", "amount", "fee")
        }


def test_the_cash_is_what_the_entries_add_up_to(battered: Any) -> None:
    home, final = battered
    cash = sum(entry["subject"]["amount"] for entry in home.entries("deposit"))
    cash += sum(entry["subject"]["payout"] for entry in home.entries("settlement"))
    for entry in home.entries("order.fill"):
        fill = entry["subject"]
        cash += -fill["amount"] - fill["fee"] if fill["side"] == "buy" else fill["amount"] - fill["fee"]
    assert (final["cash"], final["reserved"]) == (cash, 0)
    assert len(home.entries("deposit")) == 1


def test_some_kills_fell_between_an_intent_and_its_end(battered: Any) -> None:
    """The positive control: without it nothing above was put to the test."""
    home, _ = battered
    runs = {}
    for entry in home.entries("order.intent", "order.done", "order.void"):
        runs.setdefault(entry["subject"]["order"], set()).add(entry["run"])
    assert [order for order, seen in runs.items() if len(seen) > 1], "no order was cleared up by a later run"


def test_what_a_later_run_clears_up_belongs_to_it(battered: Any) -> None:
    home, _ = battered
    begun = {entry["run"]: entry["seq"] for entry in home.entries("run.start")}
    sent = {entry["subject"]["order"]: entry["run"] for entry in home.entries("order.intent")}
    ends = home.entries("order.done", "order.void")
    late = [entry for entry in ends if entry["run"] != sent[entry["subject"]["order"]]]
    assert late
    assert all(begun[entry["run"]] < entry["seq"] for entry in late)


def test_no_plugin_outlives_its_host(battered: Any) -> None:
    home, _ = battered
    started = [entry["subject"]["pid"] for entry in home.entries("plugin.start")]
    assert len(started) > ROUNDS
    assert not [pid for pid in started if is_plugin(pid)]


def is_plugin(pid: int) -> bool:
    """Whether `pid` is a process of a plugin: it sees itself as process 1 of a namespace within ours."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False
    ids = next(line.split()[1:] for line in status.splitlines() if line.startswith("NSpid:"))
    return len(ids) > 1
