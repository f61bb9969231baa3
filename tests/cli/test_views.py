"""`pp positions`, `orders`, `fills`, `decisions`: their figures against the record's own entries, added up by hand."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from pp_host.app.catching_up import catch_up
from pp_host.record.reader import RecordReader
from pp_host.storage.read_model import ReadModel

from tests.cli.recorded import AGENT, PP, START, pp, written


@pytest.fixture(scope="module")
def twice(demo, tmp_path_factory):
    """The same with a second run, months later, in which every market has ended. (home, first, second result)"""
    home, result = demo
    root = shutil.copytree(
        home, tmp_path_factory.mktemp("twice") / "home", ignore=lambda *_: ["control.sock"]
    )
    environ = {**os.environ, "PP__HOST__CYCLE_SECONDS": "0.1"}
    done = pp("run", "--home", root, "--cycles", 3, "--json", env=environ)
    assert done.returncode == 0, done.stderr
    return root, result, json.loads(done.stdout)


def entries(said, home, *events, run=""):
    found = said(home, "audit", "tail", "-n", 1_000_000)["entries"]
    return [entry for entry in found if entry["event"] in events and run in ("", entry["run"])]


def lots(found):
    """Shares and cost by plugin, market, outcome, and what each sale realised, from fills and settlements."""
    held, realised = {}, {}
    for entry in found:
        one = entry["subject"]
        if entry["event"] == "settlement":
            held = {key: lot for key, lot in held.items() if key[1] != one["market"]}
            continue
        key = (one["plugin"], one["market"], one["outcome"])
        shares, cost = held.pop(key, (0, 0))
        if one["side"] == "buy":
            held[key] = shares + one["shares"], cost + one["amount"]
        else:
            gone = cost * one["shares"] // shares
            realised[one["trade"]] = one["amount"] - gone
            if shares > one["shares"]:
                held[key] = shares - one["shares"], cost - gone
    return held, realised


# --- a home that really ran ---


def test_positions_are_what_fills_and_settlements_leave_and_what_the_run_reported(demo, said):
    home, result = demo
    held, _ = lots(entries(said, home, "order.fill", "settlement"))
    document = said(home, "positions")
    assert len(held) > 3
    shown = {
        (p["plugin"], p["market"], p["outcome"]): (p["shares"], p["cost"]) for p in document["positions"]
    }
    assert shown == held
    assert document["account"] == result["account"]
    assert document["totals"]["cost"] == result["positions_cost"]
    assert document["totals"]["positions"] == len(held)
    for position in document["positions"]:
        assert position["average_price"] == position["cost"] * 1_000_000 // position["shares"]
        assert position["equity_share_ppm"] == position["cost"] * 1_000_000 // document["observed"]["equity"]


def test_the_account_is_shown_as_it_was_last_observed(demo, said):
    home, _ = demo
    last = entries(said, home, "observation")[-1]["subject"]
    observed = said(home, "positions")["observed"]
    assert observed == {
        "at": last["now"],
        "equity": last["equity"],
        "cash": last["cash"],
        "exposure": last["exposure"],
        "unrealised": last["equity"] - last["cash"] - last["exposure"],
    }


def test_orders_say_what_was_filled_and_how_they_ended(demo, said):
    home, result = demo
    filled, states = Counter(), {}
    for entry in entries(said, home, "order.fill", "order.done"):
        one = entry["subject"]
        if entry["event"] == "order.fill":
            filled[one["order"]] += one["shares"]
        else:
            states[one["order"]] = one["status"]
    document = said(home, "orders", "-n", 1000)
    assert document["matching"] == len(document["orders"]) == result["orders"] == len(states)
    assert {o["order"]: (o["filled"], o["state"]) for o in document["orders"]} == {
        order: (filled[order], state) for order, state in states.items()
    }
    assert said(home, "orders", "--open") == {"orders": [], "matching": 0}


def test_fills_add_up(demo, said):
    home, result = demo
    found = entries(said, home, "order.fill", "settlement")
    _, realised = lots(found)
    fills = [entry["subject"] for entry in found if entry["event"] == "order.fill"]
    document = said(home, "fills", "-n", 1000)
    assert len(fills) == result["fills"] > len(realised) > 0
    assert {
        fill["trade"]: fill["realised"] for fill in document["fills"] if fill["side"] == "sell"
    } == realised
    assert {fill["realised"] for fill in document["fills"] if fill["side"] == "buy"} == {None}
    assert document["totals"] == {
        "fills": len(fills),
        "bought": sum(fill["amount"] for fill in fills if fill["side"] == "buy"),
        "sold": sum(fill["amount"] for fill in fills if fill["side"] == "sell"),
        "fees": result["fees"],
        "realised": sum(realised.values()),
    }
    paid = sum(entry["subject"]["realised"] for entry in found if entry["event"] == "settlement")
    assert document["totals"]["realised"] + paid == result["realised"]


def test_decisions_are_counted_as_the_run_did(demo, said):
    home, result = demo
    document = said(home, "decisions", "-n", 1000)
    assert len(document["decisions"]) == result["decisions"] > 0
    counted = Counter()
    for row in document["summary"]:
        counted[row["verdict"]] += row["decisions"]
        if row["reason"]:
            assert result["reasons"][row["verdict"]][row["reason"]] == row["decisions"]
    assert counted == Counter({name: count for name, count in result["verdicts"].items() if count})
    assert {d["state"] for d in document["decisions"] if d["verdict"] != "denied"} == {"filled"}


def test_the_newest_stand_last_and_the_count_bounds_them(demo, said):
    home, _ = demo
    every = said(home, "orders", "-n", 1000)["orders"]
    assert [order["seq"] for order in every] == sorted(order["seq"] for order in every)
    assert said(home, "orders", "-n", 3)["orders"] == every[-3:]
    for view in ("fills", "decisions"):
        rows = said(home, view, "-n", 1000)[view]
        assert said(home, view, "-n", 2)[view] == rows[-2:]


def test_a_verdict_picks_its_decisions(demo, said):
    home, result = demo
    picked = said(home, "decisions", "--verdict", "reduced", "--run", result["run"], "-n", 1000)
    assert {decision["verdict"] for decision in picked["decisions"]} == {"reduced"}
    assert sum(row["decisions"] for row in picked["summary"]) == result["verdicts"]["reduced"]


def test_a_run_is_named_by_its_beginning_or_as_the_latest(twice, said):
    home, first, second = twice
    whole = said(home, "fills", "--run", first["run"], "-n", 1000)
    assert {fill["run"] for fill in whole["fills"]} == {first["run"]}
    assert said(home, "fills", "--run", first["run"][:-2], "-n", 1000) == whole
    assert said(home, "fills", "--run", "latest") == said(home, "fills", "--run", second["run"])


def test_a_market_that_ended_leaves_no_position(twice, said):
    home, first, second = twice
    assert first["positions_cost"] > 0
    document = said(home, "positions")
    assert document["totals"]["cost"] == second["positions_cost"] == 0
    assert document["positions"] == []


def test_the_id_in_the_table_leads_to_why(demo, said, told):
    home, _result = demo
    status, out, _ = told(home, "orders", "-n", 1)
    assert status == 0
    newest = said(home, "orders", "-n", 1)["orders"][0]["order"]
    shown = next(word for word in out.split() if newest.startswith(word) and len(word) > 8)
    assert said(home, "audit", "why", shown)["order"] == newest


@pytest.mark.parametrize("view", ["positions", "orders", "fills", "decisions"])
def test_a_person_sees_a_table_and_a_total(demo, told, view):
    home, _ = demo
    status, out, err = told(home, view)
    assert (status, err) == (0, "")
    assert "agent-value" in out
    assert out.splitlines()[-1].startswith("as observed" if view == "positions" else "20 of ")


@pytest.mark.parametrize(
    ("words", "line", "hint"),
    [
        (["orders", "--run", "nope"], "the record has no run 'nope'", "pp runs lists them; the last one is "),
        (
            ["orders", "--plugin", "agent-value"],
            "the record knows no plugin 'agent-value'",
            f"did you mean {AGENT}?",
        ),
        (
            ["fills", "--plugin", AGENT + "e"],
            f"the record knows no plugin '{AGENT}e'",
            f"did you mean {AGENT}?",
        ),
        (["decisions", "--plugin", "\x1b[31m"], "the record knows no plugin '\\x1b[31m'", "known: "),
        (["positions", "--account", "papr"], "the record knows no account 'papr'", "did you mean paper?"),
    ],
)
def test_what_the_record_does_not_know_is_one_line_and_a_hint(demo, told, words, line, hint):
    home, _ = demo
    status, out, err = told(home, *words)
    assert (status, out) == (1, "")
    first, second = err.splitlines()
    assert first == f"pp: error: {line}"
    assert second.startswith(f"pp: hint: {hint}")


def test_a_beginning_of_several_runs_is_refused(twice, told):
    home, *_ = twice
    status, _, err = told(home, "fills", "--run", "2")
    assert status == 1
    assert err.startswith("pp: error: several runs begin with '2'\npp: hint: give more of it, such as 2")


@pytest.mark.parametrize("count", ["0", "-1", "100001", "9" * 40, "x"])
@pytest.mark.parametrize("view", ["orders", "fills", "decisions"])
def test_a_count_that_is_none_is_misuse(demo, told, view, count):
    home, _ = demo
    status, out, err = told(home, view, "-n", count)
    assert (status, out) == (2, "")
    assert err.splitlines()[-1] == f"pp: hint: pp {view} --help"


def test_two_commands_at_once_build_the_tables_together(demo, said):
    home, _ = demo
    expected = said(home, "fills", "-n", 1000)
    for damage in (None, b"garbage" * 4096):
        if damage is None:
            (home / "state" / "read.db").unlink()
        else:
            (home / "state" / "read.db").write_bytes(damage)
        with ThreadPoolExecutor(4) as pool:
            done = list(pool.map(lambda _: pp("fills", "-n", 1000, "--home", home, "--json"), range(4)))
        assert [one.returncode for one in done] == [0] * 4, [one.stderr for one in done]
        assert all(json.loads(one.stdout) == expected for one in done)


def test_a_reader_that_hangs_up_is_no_crash(demo):
    home, _ = demo
    command = [PP, "decisions", "-n", "1000", "--home", str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        assert "Traceback" not in process.stderr.read()
        assert process.wait(60) == 1


# --- records made by hand ---


WISH = {"plugin": "org.example.x", "market": "m", "outcome": "yes", "side": "buy"}
DECISION = {
    **WISH,
    "probability": "0.6",
    "probability_ppm": 600_000,
    "confidence": "1.0",
    "rationale": "because",
}
JUDGED = {**WISH, "reason": "", "detail": "", "order": "", "shares": 0, "limit_price": 0, "reserve": 0}
ORDER = "0123456789abcdef" * 2
INTENT = {**WISH, "account": "paper", "order": ORDER, "shares": 5_000_000, "limit_price": 400_000, "at": 9}


def test_a_home_in_which_nothing_ran(home, said, told):
    assert said(home.root, "positions")["account"] is None
    assert said(home.root, "orders") == {"orders": [], "matching": 0}
    assert said(home.root, "fills")["totals"] == dict.fromkeys(
        ("fills", "bought", "sold", "fees", "realised"), 0
    )
    none = {"accounts": 0, "runs": 0}
    assert said(home.root, "fills")["over"] == none
    assert said(home.root, "decisions") == {"decisions": [], "summary": [], "over": none}
    assert told(home.root, "positions")[0] == 0
    status, _, err = told(home.root, "orders", "--run", "latest")
    assert (status, err.splitlines()[-1]) == (1, "pp: hint: pp run starts one")


def test_a_record_that_was_put_back_and_went_on_is_read_anew(home, said, tmp_path):
    written(home, START)
    shutil.copytree(home.state, tmp_path / "older")
    written(home, ("order.intent", INTENT, None))
    assert len(said(home.root, "orders")["orders"]) == 1
    for name in ("record.db", "checkpoint"):
        shutil.copy(tmp_path / "older" / name, home.state / name)
    written(home, ("plugin.log", {"level": "info", "message": "x"}, None))  # as long again, but another
    assert said(home.root, "orders")["orders"] == []


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "ascii"])
def test_any_terminal_gets_what_it_can_show(home, encoding):
    """A market's own words, and the dots where a text is cut, may be none of the terminal's characters."""
    words = "pr\u00e9sident \u2603 " * 40
    written(home, START, ("decision", {**DECISION, "rationale": words, "market": "\u2603"}, None))
    told = pp("decisions", "--home", home.root, env={**os.environ, "PYTHONIOENCODING": encoding})
    assert (told.returncode, told.stderr) == (0, "")
    assert ("\u2603" if encoding == "utf-8" else "\\u2603") in told.stdout


def test_an_open_order_is_open_until_it_ends(home, said):
    written(home, START, ("order.intent", INTENT, None))
    (order,) = said(home.root, "orders", "--open")["orders"]
    assert (order["order"], order["state"], order["filled"]) == (ORDER, "sent", 0)
    written(home, ("order.in_doubt", {"account": "paper", "order": ORDER}, None))
    assert said(home.root, "orders", "--open")["orders"][0]["state"] == "in_doubt"
    written(home, ("order.void", {"account": "paper", "order": ORDER}, None))
    assert said(home.root, "orders", "--open")["orders"] == []
    assert said(home.root, "orders")["orders"][0]["state"] == "void"


def test_advice_has_the_last_word_on_its_own_decision_and_on_no_other(home, said):
    allowed = {**JUDGED, "verdict": "approved", "order": ORDER, "shares": 5_000_000}
    denied = {**JUDGED, "verdict": "denied", "reason": "adviser", "detail": "org.example.r: no"}
    written(
        home,
        START,
        ("decision", DECISION, None),
        ("verdict", allowed, 1),
        ("decision", DECISION, None),
        ("verdict", allowed, 3),
        ("advice", {"order": ORDER, "advice": "veto", "reason": "no", "shares": None}, None),
        ("verdict", denied, 5),
    )
    first, second = said(home.root, "decisions")["decisions"]
    assert (first["verdict"], first["order"]) == ("approved", ORDER)
    assert (second["verdict"], second["reason"], second["order"]) == ("denied", "adviser", "")


def test_what_was_allowed_and_never_sent_has_no_state(home, said):
    allowed = {**JUDGED, "verdict": "approved", "order": ORDER, "shares": 5_000_000}
    written(home, START, ("decision", DECISION, None), ("verdict", allowed, 1))
    (decision,) = said(home.root, "decisions")["decisions"]
    assert (decision["order"], decision["state"]) == (ORDER, None)
    written(home, ("order.intent", INTENT, None))
    (decision,) = said(home.root, "decisions")["decisions"]
    assert (decision["order"], decision["state"]) == (ORDER, "sent")


def test_a_decision_that_nobody_judged_yet_has_no_verdict(home, said, told):
    written(home, START, ("decision", {**DECISION, "probability_ppm": None}, None))
    document = said(home.root, "decisions")
    assert (document["decisions"][0]["verdict"], document["decisions"][0]["probability_ppm"]) == ("", None)
    assert document["summary"] == [{"verdict": "", "reason": "", "decisions": 1}]
    assert "none yet" in told(home.root, "decisions")[1]


def test_strangers_text_is_escaped_and_bounded(home, told):
    wild = "\x1b]0;owned\x07\u202e" + "m" * 5000
    written(
        home,
        START,
        ("decision", {**DECISION, "market": wild, "outcome": wild, "rationale": wild}, None),
        ("verdict", {**JUDGED, "verdict": "denied", "reason": "unknown_market", "detail": wild}, 1),
        ("order.intent", {**INTENT, "market": wild}, None),
    )
    for view in ("decisions", "orders"):
        status, out, _ = told(home.root, view)
        assert status == 0
        assert not set("\x1b\x07\u202e") & set(out)
        assert "\\x1b" in out
        assert len(out) < 10_000


def test_a_plugin_has_its_whole_id_where_another_ends_alike(home, told, said):
    other = {**INTENT, "plugin": "com.example.x", "order": "f" * 32, "market": "0x" + "ab" * 32}
    written(home, START, ("order.intent", INTENT, None))
    assert "org.example.x" not in told(home.root, "orders")[1]
    written(home, ("order.intent", other, None))
    fill = {**INTENT, "trade": "t", "price": 400_000, "amount": 2_000_000, "fee": 10}
    written(home, ("order.fill", fill, None))
    out = told(home.root, "positions")[1]
    assert "org.example.x" not in out
    assert "│ x " in out  # unbroken, and no whole id
    out = told(home.root, "orders")[1]
    assert "org.example.x" in out
    assert "com.example.x" in out
    assert other["market"] not in out
    assert said(home.root, "orders")["orders"][1]["market"] == other["market"]


def test_what_is_new_in_the_record_is_read_by_the_next_question(home, said):
    fill = {**INTENT, "trade": "t1", "price": 400_000, "amount": 2_000_000, "fee": 10}
    written(home, START, ("order.intent", INTENT, None), ("order.fill", fill, None))
    assert said(home.root, "positions")["positions"][0]["cost"] == 2_000_000
    sale = {**fill, "trade": "t2", "side": "sell", "shares": 2_000_000, "amount": 900_000}
    written(home, ("order.fill", sale, None), ("order.fill", sale, None))
    assert said(home.root, "positions")["positions"][0]["cost"] == 1_200_000
    totals = said(home.root, "fills")["totals"]
    assert totals == {"fills": 2, "bought": 2_000_000, "sold": 900_000, "fees": 20, "realised": 100_000}


def played(home, run, account, trade):
    """A run with a decision and a fill; the account's mode is paper, whatever it plays."""
    fill = {**INTENT, "account": account, "trade": trade, "price": 400_000, "amount": 2_000_000, "fee": 10}
    order = {"account": account, "order": trade.ljust(32, "0")}
    start = ("run.start", {"account": account, "mode": "paper"}, None)
    steps = (start, ("decision", DECISION, None), ("order.intent", {**INTENT, **order}, None))
    written(home, *steps, ("order.fill", {**fill, **order}, None), run=run)


def test_totals_say_over_how_many_accounts_and_runs_they_go(home, said, told):
    views = ("fills", "decisions")
    played(home, "r1", "tape-r1", "a")
    for view in views:
        assert said(home.root, view)["over"] == {"accounts": 1, "runs": 1}
        assert " over " not in told(home.root, view)[1]
    played(home, "r2", "paper", "b")
    played(home, "r3", "paper", "c")
    for view in views:
        assert said(home.root, view)["over"] == {"accounts": 2, "runs": 3}
        words = told(home.root, view)[1].splitlines()[-1]
        assert words.endswith("; over 3 runs of 2 accounts, tapes included: --run ID for one")
        assert said(home.root, view, "--run", "r2")["over"] == {"accounts": 1, "runs": 1}
        assert " over " not in told(home.root, view, "--run", "r2")[1]
    assert said(home.root, "decisions", "--verdict", "denied")["over"] == {"accounts": 0, "runs": 0}


def test_status_counts_what_is_of_its_account(home, said, told):
    played(home, "r1", "tape-r1", "a")
    played(home, "r2", "paper", "b")
    played(home, "r3", "paper", "c")
    document = said(home.root, "status")
    assert (document["orders"], document["fills"]) == (2, 2)
    out = told(home.root, "status")[1]
    assert "2, 2 in all runs of this account" in out
    assert "r3, paper " in out


def test_status_says_of_a_run_on_a_tape_that_it_was_one(home, told):
    played(home, "r1", "tape-r1", "a")
    assert "r1, paper, on a tape " in told(home.root, "status")[1]


def test_a_table_is_bounded_and_json_is_not(home, said, told):
    intents = [("order.intent", {**INTENT, "order": f"{number:032x}"}, None) for number in range(1_001)]
    written(home, START, *intents)
    status, out, _ = told(home.root, "orders", "-n", 2000)
    assert status == 0
    assert out.splitlines()[-1] == "1000 (--json shows 1001) of 1001 orders"
    assert len(said(home.root, "orders", "-n", 2000)["orders"]) == 1_001


def test_tables_of_a_longer_record_are_not_believed(home, said):
    kept = shutil.copytree(home.state, home.root / "kept")
    written(home, START, ("order.intent", INTENT, None))
    assert said(home.root, "orders")["matching"] == 1
    shutil.copy(home.state / "read.db", kept / "read.db")
    shutil.rmtree(home.state)
    kept.rename(home.state)
    assert said(home.root, "orders")["matching"] == 0
    written(
        home,
        START,
        ("order.intent", INTENT, None),
        ("order.void", {"account": "paper", "order": ORDER}, None),
    )
    assert said(home.root, "orders")["orders"][0]["state"] == "void"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_tables_that_cannot_be_written_are_a_clear_error(home, told):
    home.state.chmod(0o500)
    try:
        status, _, err = told(home.root, "orders")
    finally:
        home.state.chmod(0o700)
    assert status == 1
    assert "read.db: cannot be used" in err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_tables_that_may_only_be_read_answer_until_the_record_goes_on(home, said, told):
    written(home, START, ("order.intent", INTENT, None))
    before = said(home.root, "orders")
    (home.state / "read.db").chmod(0o400)
    assert said(home.root, "orders") == before
    written(home, ("order.void", {"account": "paper", "order": ORDER}, None))
    status, out, err = told(home.root, "orders")
    assert (status, out) == (1, "")
    first, second = err.splitlines()
    assert (
        first == f"pp: error: {home.state / 'read.db'}: cannot be used: attempt to write a readonly database"
    )
    assert second == "pp: hint: it needs space and your permission to write; remove it, and it is built anew"


class Cherished(ReadModel):
    """Tables that nobody has a reason to begin again."""

    def forget(self):
        raise AssertionError("taken for the tables of another record")


class Interrupted:
    """A reader between whose answers another command brings the tables up to date."""

    def __init__(self, reader, other):
        self._reader, self._other = reader, other
        self.entry, self.entries = reader.entry, reader.entries

    @property
    def size(self):
        catch_up(self._other, self._reader)
        return self._reader.size


def test_what_another_command_reads_meanwhile_is_not_taken_for_another_record(home):
    written(home, START)
    with (
        closing(Cherished(home.state / "read.db")) as model,
        closing(Cherished(home.state / "read.db")) as other,
    ):
        with RecordReader.open(home.state) as reader:
            catch_up(model, reader)
        written(home, ("order.intent", INTENT, None))
        with RecordReader.open(home.state) as reader:
            catch_up(model, Interrupted(reader, other))
        assert model.reached() == other.reached()
        assert model.summary()["orders"] == 1
