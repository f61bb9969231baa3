"""What outputs hear of whole runs through `pp`: every kind of event, under every detail, with slow, failing and hung ones
beside them."""

from __future__ import annotations

import json
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_tape_accounts import Recording, small_tape

MANIFEST = """schema: probablyprofit/plugin/v1
id: test.{name}
version: 1.0.0
kind: {kind}
title: {name}
summary: For tests of events.
license: MIT
authors: [{{name: Tester}}]
api: {{sdk: ">=1,<2", python: ">=3.11"}}
entry: {{module: {name}, object: plugin, runtime: python}}
hooks: [{hook}]
limits: {{memory_mb: 192, cpu_seconds_per_call: 1, wall_seconds_per_call: {wall}, tmp_mb: 0}}
capabilities:
"""
AGENT = """  - {use: market.read, reason: trades}
  - {use: decision.propose, max_order_usd: 20, max_day_usd: 5000, reason: trades}
"""
OUTPUT = "  - {{use: notify, detail: {detail}, reason: listens}}\n"

# Buys, sells and holds to the end; asks for what nobody may; its process ends once, at a time that the tape reaches once.
TRADER = """
import os
from pp_sdk import Decision, clock, hookimpl

class Trader:
    turn = 0

    @hookimpl
    def configure(self, config):
        self.falls = config["falls"]

    @hookimpl
    def decide(self, observation):
        self.turn += 1
        if self.falls and self.turn == 10 and observation.now < START + 12 * 60_000_000:
            os._exit(3)
        def wish(market, side, **more):
            return Decision(market=market, outcome="yes", side=side, probability=0.9, rationale="because", **more)
        if self.turn % 5 == 1:
            return [wish("wins", "buy"), wish("late", "buy", max_spend=5_000_000), wish("nowhere", "buy")]
        return [wish("late", "sell")] if self.turn % 5 == 4 else []

plugin = Trader()
"""
SCHEMA = '{"type": "object", "additionalProperties": false, "properties": {"falls": {"type": "boolean", "default": false}}}'

# Every event as it was told, in the record; what names the run (run, orders, trades) is numbered as it appears.
WITNESS = """
import msgspec
from pp_sdk import RunEnd, hookimpl, log

class Witness:
    def __init__(self):
        self.names, self.lines = {}, []

    def plain(self, event):
        told = msgspec.to_builtins(event)
        for name in ("run", "order", "trade"):
            if told.get(name):
                told[name] = self.names.setdefault(told[name], len(self.names))
        return msgspec.json.encode(told).decode()

    @hookimpl
    def notify(self, event):
        self.lines.append(self.plain(event))
        if len(self.lines) == 8 or isinstance(event, RunEnd):
            log.info("[" + ",".join(self.lines) + "]")
            self.lines.clear()

plugin = Witness()
"""
# The same, for more than a log may hold: their number and digest; takes its time for each, most for the last ones.
SLOW = WITNESS.replace("import msgspec", "import hashlib, time\nimport msgspec").replace(
    WITNESS[WITNESS.index("        self.lines.append") : WITNESS.index("plugin =")],
    """        time.sleep(0.002 if len(self.lines) < 1100 else 0.015)
        self.lines.append(self.plain(event))
        if isinstance(event, RunEnd):
            log.info(f"{len(self.lines)} {hashlib.sha256(''.join(self.lines).encode()).hexdigest()}")

""",
)


def plugin(
    folder: Path, name: str, kind: str, code: str, asked: str, *, hook: str = "notify", wall: float = 2
) -> Path:
    place = folder / name
    place.mkdir(parents=True)
    text = MANIFEST.format(name=name, kind=kind, hook=hook, wall=wall) + asked
    if kind == "agent":
        text += "config: {schema: config.schema.json}\n"
        (place / "config.schema.json").write_text(SCHEMA)
    (place / "plugin.yaml").write_text(text)
    (place / f"{name}.py").write_text(code)
    return place


@pytest.fixture
def home(new_home: Any, tmp_path: Path) -> Any:
    """A home with the trader installed, and `home.outputs(**code)` to install outputs."""
    place = new_home()
    code = TRADER.replace("START", "1_761_926_400_000_000")
    place.install(plugin(tmp_path, "trader", "agent", code, AGENT, hook="decide"))
    return place


def listen(home: Any, folder: Path, name: str, code: str, detail: str = "exact", wall: float = 2) -> None:
    home.install(plugin(folder, name, "output", code, OUTPUT.format(detail=detail), wall=wall))


def settings(*outputs: str, falls: bool = False) -> str:
    budget = "budget = {order_usd = 20, day_usd = 5000, exposure_usd = 500, orders_per_minute = 60}"
    trader = f'[plugins."test.trader"]\n{budget}\nconfig = {{falls = {str(falls).lower()}}}\n'
    return trader + "".join(f'[plugins."test.{name}"]\n' for name in outputs)


def heard(home: Any, name: str) -> list[dict[str, Any]]:
    """What a witness wrote down, in order, of the only run of its home."""
    lines = [entry for entry in home.entries("plugin.log") if entry["actor"]["id"] == f"test.{name}"]
    return [event for entry in lines for event in json.loads(entry["subject"]["message"])]


def play(home: Any, tape: Path, *outputs: str, **options: bool) -> dict[str, dict[str, Any]]:
    """The run's plugins by name, after a run to its end."""
    home.configure(settings(*outputs, **options))
    done = home.pp("run", "--tape", tape, "--json")
    assert done.status == 0, done.stderr
    assert done.json["record"]["verified"] is True
    return {one["id"].removeprefix("test."): one for one in done.json["plugins"]} | {"run": done.json}


@pytest.mark.slow
def test_a_run_tells_every_kind_and_each_detail_what_it_may_know(home: Any, tmp_path: Path) -> None:
    tape = small_tape().write(tmp_path / "tape")
    for detail in ("exact", "ratio", "none"):
        listen(home, tmp_path, detail, WITNESS, detail)
    facts = play(home, tape, "exact", "ratio", "none", falls=True)
    told = {detail: heard(home, detail) for detail in ("exact", "ratio", "none")}
    kinds = Counter(event["kind"] for event in told["exact"])
    check_counts(kinds, facts["run"])
    assert (told["exact"][0]["kind"], told["exact"][-1]["kind"]) == ("run.start", "run.end")
    for detail in ("ratio", "none"):
        assert facts[detail]["dropped"] == 0
        check_redaction(detail, told[detail], told["exact"])
    check_deliveries(home, kinds)


def check_counts(kinds: Counter[str], run: dict[str, Any]) -> None:
    """Every kind but trade.error, which a paper venue has no reason for; those that the run counts, as often."""
    cycles = run["cycles"] + 1  # and the last look
    counted = {
        "run.start": 1, "run.end": 1, "observe.start": cycles, "observe.end": cycles, "decide.start": cycles - 1,
        "decide.end": cycles - 1, "decision": run["decisions"], "risk.check": run["decisions"], "fill": run["fills"],
        "trade.start": run["orders"], "trade.end": run["orders"], "plugin": 1,
    }  # fmt: skip
    assert {kind: kinds[kind] for kind in counted} == counted
    assert kinds["position.update"] == run["fills"] + kinds["settlement"]
    assert all(kinds[kind] for kind in ("market.update", "settlement", "risk.breach", "fill"))
    assert kinds.keys() - counted.keys() == {"market.update", "settlement", "position.update", "risk.breach"}


def check_redaction(detail: str, told: list[dict[str, Any]], exact: list[dict[str, Any]]) -> None:
    """The same events; amounts in parts of the equity observed last, or none; no words, and no figure of an agent's own."""
    amounts = (
        "shares yes_shares no_shares filled amount fee reserve cost payout realised equity cash exposure"
    )
    equity = 0
    for one, whole in zip(told, exact, strict=True):
        equity = whole["equity"] if whole["kind"] == "observe.end" else equity
        shown = {"detail": detail}
        for name in {*amounts.split()} & whole.keys():
            known = detail == "ratio" and whole[name] is not None and equity
            shown[name] = whole[name] * 10**6 // equity if known else None
        shown |= dict.fromkeys({"text", "max_spend"} & whole.keys())
        assert one == whole | shown


def check_deliveries(home: Any, kinds: Counter[str]) -> None:
    """The record holds what was told, by kinds, in far fewer entries than events."""
    calls = [entry for entry in home.entries("plugin.call") if entry["actor"]["id"] == "test.exact"]
    delivered: Counter[str] = sum((Counter(entry["subject"]["kinds"]) for entry in calls), Counter())
    assert delivered == kinds
    assert len(calls) < kinds.total() / 4


@pytest.mark.slow
def test_the_same_tape_twice_tells_a_slow_output_the_same_without_a_gap(
    new_home: Any, home: Any, tmp_path: Path
) -> None:
    """Slower than the tape and with more to hear than a queue holds: it is waited for, also when the tape is over."""
    tape = long_tape().write(tmp_path / "tape")
    listen(home, tmp_path, "slow", SLOW)
    for _ in range(2):
        facts = play(home, tape, "slow")
        assert (facts["slow"]["dropped"], facts["slow"]["failures"]) == (0, 0)
    first, second = (entry["subject"]["message"] for entry in home.entries("plugin.log"))
    assert first == second
    assert int(first.split()[0]) > 1500


LATE = """
import time
from pp_sdk import hookimpl

class Late:
    @hookimpl
    def notify(self, event):
        time.sleep(0.05)

plugin = Late()
"""


@pytest.mark.slow
def test_a_tape_that_is_stopped_does_not_wait_and_records_how_much_was_not_told(
    home: Any, pp_path: Path, tmp_path: Path
) -> None:
    tape = long_tape().write(tmp_path / "tape")
    listen(home, tmp_path, "late", LATE)
    home.configure(settings("late"))
    words = [pp_path, "run", "--home", home.root, "--tape", tape, "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as host:
        try:
            end = time.monotonic() + 60
            while home.pp("status", "--json").json.get("cycles", 0) < 50:
                assert time.monotonic() < end, "no cycles within a minute"
            assert home.pp("stop").status == 0
            facts = json.loads(host.communicate(timeout=30)[0])
        finally:
            host.kill()
    late = next(one for one in facts["plugins"] if one["id"] == "test.late")
    assert late["dropped"] > 200
    why = f"told no more; events not known to be handled: {late['dropped']}"
    assert [entry["subject"]["why"] for entry in home.entries("plugin.failed")].count(why) == 1


def long_tape(minutes: int = 400) -> Recording:
    """Two markets that are priced every minute."""
    made = Recording()
    made.market("wins", 1.0, minutes)
    made.market("late", 0.0, minutes)
    for at in range(minutes):
        for market in made.markets:
            yes = (40 + at * 7 % 11) / 100
            row = {
                "ts": 1_761_926_400_000 + at * 60_000,
                "market_id": market["market_id"],
                "outcome": "Yes",
                "price": yes,
            }
            made.prices.append(row)
    return made


@pytest.mark.slow
def test_a_session_in_real_time_that_is_killed_says_so_last(home: Any, pp_path: Path, tmp_path: Path) -> None:
    listen(home, tmp_path, "witness", WITNESS)
    home.configure(
        '[host]\ncycle_seconds = 0.02\n[plugins."dev.probablyprofit.source-sample"]\n' + settings("witness")
    )
    words = [pp_path, "run", "--home", home.root, "--json"]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as host:
        try:
            end = time.monotonic() + 60
            while home.pp("status", "--json").json.get("cycles", 0) < 3:
                assert time.monotonic() < end, "no cycles within a minute"
            assert home.pp("kill", "--reason", "enough").status == 0
            host.wait(30)
        finally:
            host.kill()
    told = heard(home, "witness")
    halts = [event for event in told if event["kind"] == "risk.breach" and not event["plugin"]]
    assert [(halt["reason"], halt["verdict"], halt["text"]) for halt in halts] == [
        ("halted", "denied", "enough")
    ]
    assert told.index(halts[0]) >= len(told) - 10, "what was under way is told to its end"
    assert (told[-1]["kind"], told[-1]["cycles"] >= 3) == ("run.end", True)


HUNG = """
import time
from pp_sdk import hookimpl

class Hung:
    @hookimpl
    def notify(self, event):
        time.sleep(3600)

plugin = Hung()
"""
CLUMSY = """
from pp_sdk import Fill, hookimpl

class Clumsy:
    @hookimpl
    def notify(self, event):
        if isinstance(event, Fill):
            raise ValueError("cannot count that far")

plugin = Clumsy()
"""


@pytest.mark.slow
def test_a_hung_output_ends_and_neither_the_tape_nor_the_other_outputs_lose_anything(
    home: Any, tmp_path: Path
) -> None:
    tape = long_tape().write(tmp_path / "tape")
    listen(home, tmp_path, "hung", HUNG, wall=0.2)
    listen(home, tmp_path, "clumsy", CLUMSY)
    listen(home, tmp_path, "witness", WITNESS)
    facts = play(home, tape, "hung", "clumsy", "witness")
    assert facts["run"]["cycles"] == 400
    assert "notify: no answer within 0.3 s" in facts["hung"]["ended"]
    assert facts["hung"]["dropped"] > 0
    assert (facts["witness"]["dropped"], facts["witness"]["failures"]) == (0, 0)
    assert facts["clumsy"]["dropped"] == facts["run"]["fills"] > 0
    assert (facts["clumsy"]["falls"], facts["clumsy"]["state"]) == (0, "stopped")
    whys = [
        entry["subject"]["why"]
        for entry in home.entries("plugin.failed")
        if entry["actor"]["id"] == "test.clumsy"
    ]
    assert len(whys) == facts["clumsy"]["failures"]
    assert {why.partition(" events: ")[2] for why in whys} == {
        "ValueError: cannot count that far (ppz:/clumsy.py:8 in notify)"
    }
