"""`pp audit` on a real home; what strangers wrote never reaches the terminal as it is."""

from __future__ import annotations

import json
import shutil
import sqlite3

import pytest
from pp_host.cli.audit import app
from pp_host.errors import OperatorError, RecordError
from pp_host.home import Home
from pp_host.record.entry import Actor
from pp_host.record.log import Record
from pp_host.record.note import generate_key, load_key
from pp_host.record.store import COPY, DATABASE
from typer.testing import CliRunner

EVIL = "\x1b[2J\n#999 verdict allow\r\u202egnp\u2066\x9b31m[bold red]x[/bold red]\u200b"
PLUGIN = Actor("plugin", "agent-" + EVIL, "1.0.0", "cd" * 32)


@pytest.fixture
def home(tmp_path):
    made = Home.create(tmp_path / "home", "", lambda draft: generate_key(draft.keys / "record", draft.origin))
    record = Record.open(made.state, load_key(made.keys / "record"), made.origin, run="run-1")
    record.append(
        "plugin.start", {"id": PLUGIN.id, "digest": PLUGIN.digest, "grant": "g", "level": "L3"}, actor=PLUGIN
    )
    call = record.append("plugin.call", {"hook": "decide"}, actor=PLUGIN)
    verdict = record.append(
        "verdict", {"reason": EVIL, "list": [EVIL, {"key\n": EVIL}]}, cause=call, verdict="allow", rule=EVIL
    )
    intent = record.append("order.intent", {"order": "abc123", "market": EVIL}, cause=verdict)
    record.append("order.fill", {"order": "abc123"}, cause=intent)
    record.close()
    return made


def run(home, *words, fails=None):
    """The command's stdout, or the error that main would print."""
    result = CliRunner().invoke(app, [*words, "--home", str(home.root)])
    if fails:
        assert isinstance(result.exception, fails), result.output
        return result.exception
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def test_verify_tells_what_was_verified(home):
    document = json.loads(run(home, "verify", "--json"))
    assert document == {
        "ok": True,
        "origin": home.origin,
        "size": 5,
        "root": document["root"],
        "checkpoints": document["checkpoints"],
        "checkpoint": (home.state / COPY).read_text(),
        "vkey": (home.keys / "record.vkey").read_text().strip(),
    }
    assert len(document["root"]) == 64
    said = run(home, "verify")
    assert said.startswith("record verified: 5 entries")
    assert document["root"] in said
    assert said.endswith(document["checkpoint"])


def test_a_stranger_needs_the_record_and_its_key_and_nothing_else(home, tmp_path):
    (tmp_path / "copy").mkdir()
    for name in (DATABASE, COPY):
        shutil.copy(home.state / name, tmp_path / "copy")
    key = shutil.copy(home.keys / "record.vkey", tmp_path / "published.vkey")
    shutil.rmtree(home.root)
    words = ["verify", "--json", "--record", str(tmp_path / "copy"), "--vkey", str(key)]
    result = CliRunner().invoke(app, words, env={"PP_HOME": str(home.root)})
    assert result.exit_code == 0, (result.output, result.exception)
    document = json.loads(result.stdout)
    assert (document["ok"], document["size"], document["origin"]) == (True, 5, home.origin)
    generate_key(tmp_path / "other", home.origin)
    words[-1] = str(tmp_path / "other.vkey")
    error = CliRunner().invoke(app, words).exception
    assert isinstance(error, RecordError)
    assert f"not signed by {home.origin}" in str(error)


@pytest.mark.parametrize(
    "given", [("record",), ("vkey",), ("home", "record"), ("home", "vkey"), ("home", "record", "vkey")]
)
def test_the_record_and_its_key_are_given_together_and_without_a_home(home, given):
    places = {"home": home.root, "record": home.state, "vkey": home.keys / "record.vkey"}
    words = [word for name in given for word in (f"--{name}", str(places[name]))]
    error = CliRunner().invoke(app, ["verify", *words]).exception
    assert isinstance(error, OperatorError)
    assert str(error) == "pp audit verify: --record and --vkey go together, and without --home"


def test_a_strangers_origin_is_printed_escaped(tmp_path):
    key = generate_key(tmp_path / "record", "o\x7fo")
    Record.open(tmp_path, key, "o\x7fo", run="r").close()
    words = ["verify", "--record", str(tmp_path), "--vkey", str(tmp_path / "record.vkey")]
    result = CliRunner().invoke(app, words)
    assert (result.exit_code, "\x7f" in result.stdout) == (0, False), result.exception
    assert "origin  o\\x7fo" in result.stdout


def test_verify_fails_on_a_damaged_record(home):
    with sqlite3.connect(home.state / DATABASE) as connection:
        connection.execute("UPDATE entries SET run = 'x' WHERE seq = 2")
    connection.close()
    error = run(home, "verify", fails=RecordError)
    assert str(error) == "the record is damaged: entry 2: its columns say something else than its body"
    assert (error.exit_status, bool(error.hint)) == (1, True)


def test_verify_refuses_the_key_of_another_record(home, tmp_path):
    generate_key(tmp_path / "other", "probablyprofit/other")
    (home.keys / "record.vkey").write_bytes((tmp_path / "other.vkey").read_bytes())
    error = run(home, "verify", fails=RecordError)
    assert "is the key of probablyprofit/other" in str(error)


def test_tail_filters(home):
    assert [entry["seq"] for entry in json.loads(run(home, "tail", "--json"))["entries"]] == [0, 1, 2, 3, 4]
    assert [entry["seq"] for entry in json.loads(run(home, "tail", "-n", "2", "--json"))["entries"]] == [3, 4]
    for words, seqs in (
        (("--event", "verdict"), [2]),
        (("--verdict", "allow"), [2]),
        (("--plugin", PLUGIN.id), [0, 1]),
        (("--plugin", "nobody"), []),
    ):
        assert [entry["seq"] for entry in json.loads(run(home, "tail", *words, "--json"))["entries"]] == seqs


def test_show_prints_one_entry(home):
    document = json.loads(run(home, "show", "2", "--json"))
    assert document["subject"]["reason"] == EVIL
    assert (document["event"], document["cause"], document["verdict"]) == ("verdict", 1, "allow")
    assert "the record has no entry 77" in str(run(home, "show", "77", fails=OperatorError))


@pytest.mark.parametrize("seq", ["-1", "9223372036854775808", "two"])
def test_show_takes_a_number(home, seq):
    result = CliRunner().invoke(app, ["show", "--home", str(home.root), "--", seq])
    assert result.exit_code == 2


def test_why_as_json_has_the_chain_the_life_and_the_plugins(home):
    document = json.loads(run(home, "why", "abc", "--json"))
    assert document["order"] == "abc123"
    assert [entry["event"] for entry in document["chain"]] == [
        "order.fill",
        "order.intent",
        "verdict",
        "plugin.call",
    ]
    assert [entry["event"] for entry in document["life"]] == ["order.intent", "order.fill"]
    assert [entry["subject"]["grant"] for entry in document["plugins"]] == ["g"]


def test_why_draws_a_tree_with_the_digest(home):
    said = run(home, "why", "abc123")
    lines = said.splitlines()
    assert lines[0] == "order abc123"
    assert [line.split("#")[1][0] for line in lines if line.startswith("│ ") and "└" in line] == list("4321")
    assert f"@1.0.0 sha256:{'cd' * 8}" in lines[-1]
    assert "grant=g" in lines[-1]
    for title in ("why, from effect to cause", "what became of it", "whose code"):
        assert title in said


def test_why_tells_what_the_strategy_let_be_bought_and_whose_brief_it_was(home):
    assert json.loads(run(home, "why", "abc", "--json"))["brief"] is None
    assert "brief" not in run(home, "why", "abc")
    strategy = Actor("plugin", "org.example.cheap", "1.0.0", "ef" * 32)
    told = {"plugin": strategy.id, "name": "tight", "digest": "12" * 32}
    record = Record.open(home.state, load_key(home.keys / "record"), home.origin, run="run-2")
    record.append("run.start", {"brief": told})
    record.append("plugin.start", {"id": strategy.id, "grant": "s"}, actor=strategy)
    selected = {"account": "paper", "markets": 20, "digest": "d", "ids": [], "stale": False}
    selection = record.append("selection", selected, actor=strategy)
    record.append("order.intent", {"order": "def456"}, cause=selection)
    record.close()
    lines = run(home, "why", "def456").splitlines()
    (said,) = [line for line in lines if " selection " in line]
    assert "  The strategy lets 20 markets be bought (the list is unchanged)  account=paper" in said
    assert "ids=" not in said
    assert lines[-1] == f"  └ strategy org.example.cheap, brief tight, sha256:{'12' * 32}"
    assert json.loads(run(home, "why", "def456", "--json"))["brief"] == told


def test_an_unknown_order_has_a_hint(home):
    error = run(home, "why", "ffff", fails=OperatorError)
    assert (error.exit_status, error.hint) == (1, "pp audit tail --event order.intent shows orders")


@pytest.mark.parametrize("words", [("tail",), ("show", "2"), ("why", "abc123"), ("show", "0")])
def test_nothing_a_stranger_wrote_reaches_the_terminal_as_it_is(home, words):
    said = run(home, *words)
    assert {c for c in said if not c.isprintable()} <= {"\n"}
    assert not [line for line in said.splitlines() if line.startswith("#999")]
    assert "\\x1b[2J\\n#999" in said
    assert "[bold red]x" in said, "markup is text"


def test_a_kept_checkpoint_shows_a_tail_that_was_cut_with_its_copy(home, tmp_path):
    write_more(home, run="run-2")
    kept = tmp_path / "kept.txt"
    kept.write_text(json.loads(run(home, "verify", "--json"))["checkpoint"] + "\n")  # as jq -r leaves it
    words = ["verify", "--json", "--checkpoint", str(kept)]
    assert json.loads(run(home, *words))["size"] == 6
    cut(home, 5)
    assert json.loads(run(home, "verify", "--json"))["size"] == 5
    shorter = run(home, *words, fails=RecordError)
    assert "5 entries are signed, but the checkpoint that you kept is over 6" in str(shorter)
    write_more(home, run="run-3")
    assert json.loads(run(home, "verify", "--json"))["size"] == 6
    other = run(home, *words, fails=RecordError)
    assert "the checkpoint that you kept is of another log, over 6 entries" in str(other)


@pytest.mark.parametrize("content", [None, b"", b"nothing signed\n", b"\xff", bytes(2**20)])
def test_what_is_no_checkpoint_is_not_one_that_was_kept(home, tmp_path, content):
    kept = tmp_path / "kept.txt"
    if content is not None:
        kept.write_bytes(content)
    refusal = run(home, "verify", "--checkpoint", str(kept), fails=(OperatorError, RecordError))
    assert "kept" in str(refusal)


def cut(home, size):
    """What whoever can write the folder can do without a key: back to an older checkpoint, with its copy."""
    with sqlite3.connect(home.state / DATABASE) as connection:
        connection.execute("DELETE FROM entries WHERE seq >= ?", (size,))
        connection.execute("DELETE FROM checkpoints WHERE size > ?", (size,))
        (note,) = connection.execute("SELECT note FROM checkpoints WHERE size = ?", (size,)).fetchone()
    connection.close()
    (home.state / COPY).write_bytes(note)


def write_more(home, *, run):
    record = Record.open(home.state, load_key(home.keys / "record"), home.origin, run=run)
    record.append("snapshot", {})
    record.close()
