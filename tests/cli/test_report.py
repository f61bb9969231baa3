"""`pp report` and `pp runs`: figures against the record added up by hand, a page that is safe to show, folders left alone."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import sqlite3
import subprocess
import sys
import tomllib
from collections import Counter
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path

import pytest
from pp_host.cli.report import DRAWS

from tests.cli.recorded import RUN, START, pp, written
from tests.cli.test_status import hosting, until
from tests.cli.test_views import lots
from tests.e2e.test_tape_accounts import small_tape

ROOT = Path(__file__).parents[2]
MICRO = 1_000_000
HOSTILE = "</td><script>alert(1)</script><img src=x onerror=alert(1)>\"' \u202e\x1b[2J\x00&amp;"
VOID = {"meta"}


class Page(HTMLParser):
    """Every element with its attributes, all text, and whether it was closed as it was opened."""

    def __init__(self, markup):
        super().__init__()
        self.elements, self.words, self._open = [], [], []
        self.feed(markup)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        assert len(dict(attrs)) == len(attrs)
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open[-1:] != ["style"]:
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    def named(self, *tags):
        return [attributes for tag, attributes in self.elements if tag in tags]


@pytest.fixture
def reported(said, tmp_path):
    """Report on a home; the folder, the figures and the page."""

    def run(home, *words):
        out = tmp_path / "out"
        document = said(home, "report", *words, "--out", out)
        assert document["out"] == str(out)
        assert sorted(document["files"]) == sorted(path.name for path in out.iterdir())
        assert json.loads((out / "report.json").read_text()) == document["report"]
        return out, document["report"], (out / "index.html").read_text()

    return run


@pytest.fixture(scope="module")
def made(demo, tmp_path_factory):
    """The demo's report, made once: the folder, the figures and the page."""
    out = tmp_path_factory.mktemp("made") / "out"
    done = pp("report", "--home", demo[0], "--out", out, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    return out, json.loads(done.stdout)["report"], (out / "index.html").read_text()


@pytest.fixture(scope="module")
def entries(demo):
    """Every entry of the demo's record."""
    home, _ = demo
    done = pp("audit", "tail", "-n", 1_000_000, "--home", home, "--json")
    return json.loads(done.stdout)["entries"]


def subjects(entries, event):
    return [entry["subject"] for entry in entries if entry["event"] == event]


# --- the figures of a run that really ran ---


def test_figures_are_the_runs_own(demo, made):
    _, result = demo
    _, report, _ = made
    money, counts = report["money"], report["counts"]
    assert report["header"]["run"] == result["run"]
    assert report["header"]["cycles"] == result["cycles"]
    assert report["header"]["seed"] == result["seed"]
    assert report["header"]["state"] == "finished"
    for name in ("equity_start", "equity_end", "cash", "reserved", "positions_cost", "realised", "fees"):
        assert money[name] == result[name], name
    assert {name: counts[name] for name in result["verdicts"]} == result["verdicts"]
    assert [counts[name] for name in ("decisions", "orders", "fills", "settled")] == [
        result[name] for name in ("decisions", "orders", "fills", "settled")
    ]
    told = {(row["verdict"], row["reason"]): row["decisions"] for row in report["reasons"] if row["reason"]}
    assert told == {
        (kind, reason): n for kind, many in result["reasons"].items() for reason, n in many.items()
    }
    facts = {plugin["id"]: plugin for plugin in result["plugins"]}
    assert [plugin["id"] for plugin in report["plugins"]] == list(facts)
    for plugin in report["plugins"]:
        for name in ("version", "digest", "calls", "failures", "falls"):
            assert plugin[name] == facts[plugin["id"]][name], (plugin["id"], name)


def test_the_record_is_the_one_that_was_verified(demo, made, said):
    home, result = demo
    proof = made[1]["proof"]
    checked = said(home, "audit", "verify")
    assert (proof["size"], proof["root"]) == (result["record"]["size"], result["record"]["root"])
    assert (proof["checkpoints"], proof["note"], proof["vkey"]) == (
        checked["checkpoints"], checked["checkpoint"], checked["vkey"],
    )  # fmt: skip
    assert proof["read"] == proof["size"]


def test_money_is_what_the_records_entries_add_up_to(made, entries):
    _, report, _ = made
    fills, seen = subjects(entries, "order.fill"), subjects(entries, "observation")
    money = report["money"]
    assert money["bought"] == sum(fill["amount"] for fill in fills if fill["side"] == "buy")
    assert money["sold"] == sum(fill["amount"] for fill in fills if fill["side"] == "sell")
    assert money["paid"] == sum(paid["payout"] for paid in subjects(entries, "settlement"))
    assert money["profit"] == money["equity_end"] - money["equity_start"] == seen[-1]["equity"] - 1000 * MICRO
    assert money["profit"] == money["realised"] - money["fees"] + money["revalued"]
    peak, deepest = 1000 * MICRO, (0, 0, None)
    for one in seen:
        peak = max(peak, one["equity"])
        deepest = max(deepest, (peak - one["equity"], peak, one["now"]), key=lambda fall: fall[0])
    assert (money["drawdown"], money["drawdown_at"]) == (deepest[0], deepest[2])
    assert money["drawdown_ppm"] == deepest[0] * MICRO // deepest[1] > 0


def test_curves_are_the_observations(made, entries):
    _, report, _ = made
    seen = subjects(entries, "observation")
    assert report["header"]["observations"] == len(seen)
    assert (report["header"]["first"], report["header"]["last"]) == (seen[0]["now"], seen[-1]["now"])
    for name in ("equity", "exposure", "cash"):
        drawn = [stretch[2] for stretch in report["curves"][name]["stretches"]]
        assert drawn == [[one["now"], one[name]] for one in seen]


def test_profit_by_market_is_what_went_in_and_came_out_of_it(made, entries):
    """Of markets in which nothing is held any more: all money out less all money in."""
    _, report, _ = made
    flow, held = Counter(), lots([e for e in entries if e["event"] in ("order.fill", "settlement")])[0]
    for fill in subjects(entries, "order.fill"):
        flow[fill["market"]] += (fill["amount"] if fill["side"] == "sell" else -fill["amount"]) - fill["fee"]
    for paid in subjects(entries, "settlement"):
        flow[paid["market"]] += paid["payout"]
    for (_, market, _), (_, cost) in held.items():
        flow[market] += cost
    flow = {
        market: profit
        for market, profit in flow.items()
        if any(f["market"] == market for f in subjects(entries, "order.fill"))
    }
    ranked = sorted(flow.items(), key=lambda each: -each[1])
    assert [(one["name"], one["profit"]) for one in report["winners"]] == [
        each for each in ranked if each[1] > 0
    ][:10]
    assert [(one["name"], one["profit"]) for one in report["losers"]] == [
        each for each in reversed(ranked) if each[1] < 0
    ][:10]
    shown = sum(one["profit"] for one in (*report["winners"], *report["losers"]))
    assert report["other_profit"] == sum(flow.values()) - shown
    assert report["other_markets"] == len(flow) - len(report["winners"]) - len(report["losers"])
    assert sum(one["profit"] for one in report["agents"]) == sum(flow.values())
    assert report["counts"]["markets"] == len(flow)


def test_markets_that_were_won_are_counted_by_hand(made, entries):
    _, report, _ = made
    flow = Counter()
    for fill in subjects(entries, "order.fill"):
        flow[fill["market"]] += (fill["amount"] if fill["side"] == "sell" else -fill["amount"]) - fill["fee"]
    held = [paid for paid in subjects(entries, "settlement") if paid["yes_shares"] or paid["no_shares"]]
    won = [paid for paid in held if flow[paid["market"]] + paid["payout"] > 0]
    counts = report["counts"]
    assert (counts["settled_held"], counts["settled_won"]) == (len(held), len(won))
    assert len(held) > len(won) > 0
    assert [(p["market"], p["payout"], p["realised"]) for p in report["payouts"]] == [
        (p["market"], p["payout"], p["realised"]) for p in held
    ]


def test_trades_are_those_of_pp_fills(demo, made, said):
    home, result = demo
    _, report, _ = made
    names = report["trades"][0].keys()
    assert report["trades"] == [
        {name: fill[name] for name in names} for fill in said(home, "fills", "-n", 1000)["fills"]
    ]
    assert len(report["trades"]) == result["fills"] > 100


# --- the page ---


def test_the_page_stands_alone_and_its_policy_lets_nothing_in(made):
    _, _, markup = made
    page = Page(markup)
    assert not {"script", "img", "link", "iframe", "object", "base", "form"} & {
        tag for tag, _ in page.elements
    }
    for _, attributes in page.elements:
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        assert all(
            value.startswith("#") for name, value in attributes.items() if name in ("href", "src", "action")
        )
    assert not re.search(r"https?:|url\(|@import|@font-face", markup)
    (policy,) = [meta["content"] for meta in page.named("meta") if "http-equiv" in meta]
    style = re.search(r"<style>(.*)</style>", markup, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {link["href"][1:] for link in page.named("a")} <= set(ids)


def dollars(micros):
    sign = "-" if micros < 0 else ""
    return f"{sign}{abs(micros) // MICRO:,}.{abs(micros) // 10_000 % 100:02d}"


def test_the_page_says_what_the_figures_say(demo, made):
    _, result = demo
    _, report, markup = made
    text = Page(markup).text
    assert f"Run {result['run']}" in text
    assert result["record"]["root"] in text
    for name in ("equity_start", "equity_end", "fees"):
        assert f"$ {dollars(result[name])}" in text
    assert f"trades {result['fills']:,}" in text
    counts = report["counts"]
    assert f"{counts['settled_won']} of {counts['settled_held']} won" in text
    for plugin in result["plugins"]:
        assert plugin["id"] in text
        assert plugin["digest"] in markup
    for kind, many in result["reasons"].items():
        for reason, number in many.items():
            assert f"{kind}: {reason} {number:,} (" in text
    for line in report["proof"]["note"].splitlines():
        assert line in text


def test_times_have_one_form_and_signs_stand_before_the_currency(made):
    _, report, markup = made
    text = Page(markup).text
    assert not re.search(r"\d-\d\d(T|[T ]\d\d:\d\d:\d\d[.Z])", text)
    assert not re.search(r"\$ [+-]", text)
    header, money = report["header"], report["money"]
    spelled = [header[name][:19].replace("T", " ") for name in ("started", "ended")]
    assert f"ran {spelled[0]} to {spelled[1]} UTC" in text
    sign = "+" if money["profit"] > 0 else "-"
    assert f"profit {sign}$ {dollars(abs(money['profit']))}" in text


def test_runs_spell_the_markets_time_and_the_machines_alike(demo, told, said):
    home, _ = demo
    (row,) = said(home, "runs")["runs"]
    status, out, _ = told(home, "runs")
    assert status == 0
    assert f" │ {row['ended'][:19].replace('T', ' ')} │ " in out
    assert len(re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", out)) == 2


CHEAP = "org.example.cheap"


@pytest.fixture
def selecting(home):
    """A home with a trade of an agent that saw what a strategy had selected; `brief` as run.start holds it."""

    def make(brief):
        bought = {"limit_price": 500_000, "tick": 1, "fee_rate": 0, "fee_exponent": 1, "reserve": MICRO}
        selection = {"account": "paper", "markets": 20, "digest": "d", "ids": [], "stale": False}
        written(
            home,
            ("deposit", {"account": "paper", "amount": 5 * MICRO, "at": 0}, None),
            ("run.start", {**START[1], "brief": brief}, None),
            ("observation", observed(1, 5 * MICRO), None),
            ("selection", selection, 2),
            ("order.intent", order("ab", expires_at=9, at=2, **bought), 3),
            ("order.fill", order("ab", trade="t", price=500_000, amount=MICRO, fee=0, at=2), 4),
            plugin=CHEAP,
        )
        return home.root

    return make


def test_a_run_with_a_strategy_says_whose_brief_it_had_and_what_could_be_bought(selecting, reported):
    told = {"plugin": CHEAP, "name": "tight", "digest": "ab" * 32}
    _, report, markup = reported(selecting(told))
    text = Page(markup).text
    assert report["header"]["strategy"] == {"id": CHEAP, "brief": "tight", "brief_digest": "ab" * 32}
    assert f"strategy {CHEAP}, brief tight, sha256:{'ab' * 32}" in text
    assert "selection The strategy lets 20 markets be bought (the list is unchanged)" in text
    assert "ids=" not in text


def test_a_strategy_without_a_brief_is_named_too(selecting, reported):
    _, report, markup = reported(selecting(None))
    assert report["header"]["strategy"] == {"id": CHEAP, "brief": "", "brief_digest": ""}
    assert f"strategy {CHEAP}, without a brief" in Page(markup).text


def test_a_run_without_a_strategy_names_none(made):
    _, report, markup = made
    assert report["header"]["strategy"] is None
    assert "strategy" not in Page(markup).text.lower()


def test_an_agent_that_did_not_trade_is_among_the_agents(home, reported):
    asked, failed = {"hook": "decide"}, {"hook": "decide", "why": "late"}
    written(
        home,
        START,
        ("observation", observed(1, MICRO), None),
        ("plugin.call", asked, 1),
        plugin="org.example.idle",
    )
    written(home, ("plugin.failed", failed, None), plugin="org.example.late")
    written(home, ("plugin.call", {"hook": "snapshot"}, None), plugin="org.example.source")
    _, report, markup = reported(home.root)
    assert [(one["name"], one["trades"], one["profit"]) for one in report["agents"]] == [
        ("org.example.idle", 0, 0),
        ("org.example.late", 0, 0),
    ]
    assert "idle $ 0.00 late $ 0.00 open positions, all agents" in Page(markup).text


def test_every_trade_opens_its_chain_as_pp_audit_why_tells_it(demo, made, said):
    home, _ = demo
    out, report, markup = made
    rows = re.findall(r'<tr id="why-(\d+)" class="why">(.*?)</tr>', markup, re.DOTALL)
    assert [int(seq) for seq, _ in rows] == [trade["seq"] for trade in reversed(report["trades"])]
    links = {link["href"] for link in Page(markup).named("a")}
    assert {f"#why-{seq}" for seq, _ in rows} <= links
    told = dict(rows)
    last = {
        trade["order"]: trade["seq"] for trade in report["trades"]
    }  # why begins with an order's last fill
    for order, seq in list(last.items())[::40]:
        chain = said(home, "audit", "why", order)["chain"]
        assert [int(entry) for entry in re.findall(r"entry (\d+) at", told[str(seq)])] == [
            e["seq"] for e in reversed(chain)
        ]
        for entry in chain:
            assert entry["ts"] in told[str(seq)]
            assert entry["actor"]["digest"] in told[str(seq)]
    assert out.is_dir()


def test_pictures_are_drawn_with_the_runs_name(made):
    out, _, _ = made
    for name in ("equity.png", "exposure.png", "verdicts.png", "agents.png"):
        data = (out / name).read_bytes()
        assert data.startswith(b"\x89PNG\r\n")
        assert len(data) > 5_000


# --- what strangers wrote ---


def order(name, **more):
    who = {
        "account": "paper",
        "order": name,
        "plugin": "org.example.x",
        "market": HOSTILE,
        "outcome": "yes",
        "side": "buy",
    }
    return {**who, "shares": 2 * MICRO, **more}


@pytest.fixture
def hostile(home):
    """A home whose record holds a stranger's text wherever one can stand."""
    wish = {"plugin": "org.example.x", "market": HOSTILE, "outcome": "yes", "side": "buy"}
    judged = {
        **wish,
        "verdict": "denied",
        "reason": HOSTILE,
        "detail": HOSTILE,
        "order": "",
        "shares": 0,
        "limit_price": 0,
    }
    marked = {"account": "paper", "now": 1, "rows": 1, "digest": HOSTILE, "snapshots": [], "duplicates": 0, "equity": MICRO,
              "cash": MICRO, "exposure": 0, "peak": MICRO, "day": 0, "day_start_equity": MICRO}  # fmt: skip
    intent = order(
        "ab", limit_price=500_000, tick=1, fee_rate=0, fee_exponent=1, reserve=MICRO, expires_at=9, at=2
    )
    fill = order("ab", trade="t", price=500_000, amount=MICRO, fee=0, at=2)
    written(
        home,
        ("deposit", {"account": "paper", "amount": 5 * MICRO, "at": 0}, None),
        ("run.start", {"account": "paper", "mode": "paper", "plugins": ["org.example.x", HOSTILE], "seed": 1, "config": HOSTILE}, None),
        ("plugin.start", {"id": "org.example.x"}, None),
        ("observation", marked, None),
        ("decision", {**wish, "probability_ppm": 1, "rationale": HOSTILE}, 3),
        ("verdict", judged, 4),
        ("order.intent", intent, 4),
        ("order.fill", fill, 6),
        ("order.done", {"account": "paper", "order": "ab", "status": "rejected", "filled": 0, "released": 0, "detail": HOSTILE, "at": 3}, 7),
        ("plugin.failed", {"hook": "decide", "why": HOSTILE}, None),
        ("state.kill", {"reason": HOSTILE}, None),
        ("settlement", {"account": "paper", "market": HOSTILE, "yes_payout": 0, "yes_shares": 2 * MICRO, "no_shares": 0,
                        "payout": 0, "cost": MICRO, "realised": -MICRO, "at": 9}, None),
        ("observation", {**marked, "now": 2}, None),
        ("run.end", {"cycles": 1}, None),
    )  # fmt: skip
    return home


def test_text_of_strangers_stays_text(hostile, reported):
    out, report, markup = reported(hostile.root)
    page = Page(markup)
    assert (out / "report.json").read_bytes().isascii()
    assert not {"script", "img"} & {tag for tag, _ in page.elements}
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]", markup)
    shown = "</td><script>alert(1)</script><img src=x onerror=alert(1)>\"' \\u202e\\x1b[2J\\x00&amp;"
    assert page.text.count(shown) >= 8
    titles = [attributes["title"] for _, attributes in page.elements if "title" in attributes]
    assert shown in titles
    assert report["header"]["halted"] == HOSTILE
    assert {trouble["event"] for trouble in report["troubles"]} == {
        "plugin.failed",
        "order.done",
        "state.kill",
    }
    assert report["losers"][0]["name"] == report["trades"][0]["market"] == HOSTILE


def test_the_terminal_is_told_nothing_raw(hostile, told, tmp_path):
    status, out, err = told(hostile.root, "report", "--out", tmp_path / "a\u202eb")
    assert status == 0
    assert not set("\x1b\u202e") & set(out + err)
    status, out, _ = told(hostile.root, "runs")
    assert status == 0
    assert not set("\x1b\u202e") & set(out)


# --- small, unfinished and missing runs ---


def test_a_run_that_observed_nothing_has_a_page(home, reported):
    written(home, START)
    _, report, markup = reported(home.root)
    text = Page(markup).text
    assert report["header"]["observations"] == 0
    assert report["header"]["state"] == "interrupted"
    assert "Nothing was observed in this run" in text
    assert "None in this run." in text
    assert report["curves"]["equity"]["stretches"] == []


def test_a_run_of_one_cycle_without_trades_has_a_page(home, reported, said):
    assert said(home.root, "run", "--mode", "dry-run", "--once")["cycles"] == 1
    _, report, markup = reported(home.root, "latest")
    assert (report["header"]["mode"], report["header"]["cycles"]) == ("dry-run", 1)
    assert (report["counts"]["fills"], report["money"]["profit"]) == (0, 0)
    assert report["money"]["equity_start"] == 1000 * MICRO
    assert "never below its highest" in Page(markup).text


def test_a_running_host_is_reported_on_and_then_its_end_replaces_that(home, said, reported):
    with hosting(home) as process:
        until(lambda: said(home.root, "status"), lambda found: found.get("cycles", 0) > 2)
        _, report, markup = reported(home.root)
        assert report["header"]["state"] == "running"
        assert report["header"]["ended"] == ""
        assert report["proof"]["read"] <= report["proof"]["size"]
        assert "still running" in Page(markup).text
        process.kill()
        process.wait()
    _, killed, markup = reported(home.root)
    assert killed["header"]["run"] == report["header"]["run"]
    assert killed["header"]["state"] == "interrupted"
    assert killed["header"]["observations"] >= report["header"]["observations"] > 0
    assert "did not end in good order" in Page(markup).text


def test_an_account_goes_on_from_one_run_to_the_next(demo, reported, said, tmp_path):
    """What was bought in an earlier run is sold or paid at its true cost, and the profit is of this run only."""
    root = shutil.copytree(demo[0], tmp_path / "home", ignore=lambda *_: ["control.sock"])
    second = said(root, "run", "--cycles", 2)
    first_equity = demo[1]["equity_end"]
    _, report, _ = reported(root)
    money = report["money"]
    assert report["header"]["run"] == second["run"]
    assert (money["equity_start"], money["equity_end"]) == (second["equity_start"], second["equity_end"])
    assert money["equity_start"] == first_equity
    assert money["realised"] == second["realised"] - demo[1]["realised"]
    assert money["fees"] == second["fees"] - demo[1]["fees"]
    listed = said(root, "runs")
    assert [row["run"] for row in listed["runs"]] == [demo[1]["run"], second["run"]]
    assert [row["fills"] for row in listed["runs"]] == [demo[1]["fills"], second["fills"]]
    assert listed["matching"] == 2
    assert [row["run"] for row in said(root, "runs", "-n", 1)["runs"]] == [second["run"]]
    shutil.rmtree(tmp_path / "out")
    assert reported(root, demo[1]["run"])[1]["money"]["equity_end"] == first_equity


def test_runs_on_a_tape_have_accounts_and_reports_of_their_own(home, said, reported, tmp_path):
    tape = small_tape(minutes=40).write(tmp_path / "tape")
    results = [said(home.root, "run", "--tape", tape, "--seed", seed) for seed in (1, 2)]
    for result in results:
        _, report, markup = reported(home.root, result["run"])
        assert report["header"]["tape"] == result["tape_digest"]
        assert report["header"]["account"] == result["account"] == f"tape-{result['run']}"
        assert report["header"]["seed"] == result["seed"]
        assert report["counts"]["fills"] == result["fills"] > 0
        for name in ("equity_start", "equity_end", "cash", "realised", "fees"):
            assert report["money"][name] == result[name], name
        assert result["tape_digest"] in Page(markup).text
        shutil.rmtree(tmp_path / "out")


def observed(now, equity):
    days = {"peak": equity, "day": 0, "day_start_equity": equity}
    what = {"rows": 1, "digest": "", "snapshots": [], "duplicates": 0}
    return {"account": "paper", "now": now, "equity": equity, "cash": equity, "exposure": 0, **what, **days}


def test_money_that_came_before_any_run_of_the_account_is_its_beginning(home, reported):
    """A start that was refused after the first deposit, then a run on a tape, then the account's first run."""
    written(home, ("deposit", {"account": "paper", "amount": 7 * MICRO, "at": 0}, None), run="refused")
    written(home, ("run.start", {"account": "tape-x", "mode": "paper"}, None), run="tape")
    written(home, START, ("observation", observed(1, 6 * MICRO), None), run="first")
    money = reported(home.root, "first")[1]["money"]
    assert (money["equity_start"], money["equity_end"], money["cash"]) == (7 * MICRO, 6 * MICRO, 7 * MICRO)


def test_a_halt_is_told_until_trading_was_allowed_again(home, reported):
    written(home, START, ("state.kill", {"reason": "looks wrong"}, None))
    assert "looks wrong" in reported(home.root)[1]["header"]["halted"]
    written(home, ("state.resume", {"reason": "it was not"}, None))
    _, report, _ = reported(home.root)
    assert report["header"]["halted"] == ""
    assert [trouble["text"] for trouble in report["troubles"]] == ["looks wrong"]


@pytest.mark.parametrize(
    ("words", "line", "hint"),
    [
        (["nope"], "the record has no run 'nope'", f"pp runs lists them; the last one is {RUN}, or latest"),
        ([RUN[:8]], "", ""),
        (
            ["--out", "/nowhere/at/all"],
            "/nowhere/at/all: there is no folder /nowhere/at",
            "make it first, or name another",
        ),
    ],
)
def test_a_run_is_named_by_its_beginning_and_what_is_none_is_said(home, told, tmp_path, words, line, hint):
    written(home, START)
    words = words if "--out" in words else [*words, "--out", tmp_path / "out"]
    status, out, err = told(home.root, "report", *words)
    if not line:
        assert (status, err) == (0, "")
        assert f"{tmp_path}/out/index.html" in out
    else:
        assert (status, out) == (1, "")
        assert err == f"pp: error: {line}\npp: hint: {hint}\n"
        assert not (tmp_path / "out").exists()


def test_a_home_in_which_nothing_ran(home, told, said, tmp_path):
    status, out, err = told(home.root, "report", "--out", tmp_path / "out")
    assert (status, out) == (1, "")
    assert err == "pp: error: the record has no run 'latest'\npp: hint: pp run starts one\n"
    assert said(home.root, "runs") == {"runs": [], "matching": 0}
    assert told(home.root, "runs")[1] == "0 of 0 runs\n"


def test_a_folder_of_anything_else_is_refused_before_any_work(demo, told, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    status, _, err = told(demo[0], "report", "--out", tmp_path / "out")
    assert status == 1
    assert "holds thesis.txt, which is no part of a report" in err
    assert (tmp_path / "out" / "thesis.txt").read_text() == "years of work"


def test_a_damaged_record_makes_no_page(home, told, tmp_path):
    written(home, START, ("observation", {"account": "tape-x"}, None), ("run.end", {}, None))
    with closing(sqlite3.connect(home.state / "record.db")) as database, database:
        database.execute(
            "UPDATE entries SET body = CAST(replace(body, 'paper', 'pAper') AS BLOB) WHERE event = 'run.start'"
        )
    status, out, err = told(home.root, "report", "--out", tmp_path / "out")
    assert (status, out) == (1, "")
    assert err.startswith("pp: error: the record is damaged: ")
    assert not (tmp_path / "out").exists()


def test_without_matplotlib_the_answer_says_that_the_page_has_charts_and_what_installs_it(
    home, told, tmp_path, monkeypatch
):
    written(home, START)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    status, out, _ = told(home.root, "report", "--out", tmp_path / "out")
    assert status == 0
    assert out.splitlines() == [
        f"report written: {tmp_path}/out",
        f"  {tmp_path}/out/index.html",
        f"  {tmp_path}/out/report.json",
        "the page has its charts; PNG files need matplotlib:",
        f"  {sys.executable} -m pip install '{DRAWS}'",
    ]
    extras = tomllib.loads((ROOT / "host" / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert extras["report"] == [DRAWS]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["index.html", "report.json"]


def test_the_command_works_as_a_program_and_names_its_folder(demo, tmp_path):
    home, result = demo
    done = pp("report", result["run"][:20], "--home", home, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    folder = f"report-{result['run']}"
    pictures = ("equity.png", "exposure.png", "verdicts.png", "agents.png")
    listed = [f"  {folder}/{name}" for name in ("index.html", *pictures, "report.json")]
    assert done.stdout.splitlines() == [f"report written: {folder}", *listed]
    assert "report-*/" in (ROOT / ".gitignore").read_text().splitlines()
    assert (tmp_path / f"report-{result['run']}" / "index.html").stat().st_size > 100_000


def test_settings_of_matplotlib_in_the_current_folder_are_not_obeyed(home, tmp_path):
    written(home, START)
    (tmp_path / "matplotlibrc").write_text("text.usetex: true\n")
    done = pp("report", "--home", home.root, "--out", tmp_path / "out", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "out" / "equity.png").stat().st_size > 1_000


def test_other_commands_do_not_load_matplotlib(demo):
    told = "import sys; from pp_host.cli.main import main; s = main(sys.argv[1:]); sys.exit(s or 'matplotlib' in sys.modules)"
    for words, loaded in ((["status"], 0), (["runs"], 0), (["report", "--out", demo[0].parent / "out"], 1)):
        command = [sys.executable, "-c", told, *map(str, words), "--home", demo[0], "--json"]
        assert subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode == loaded
