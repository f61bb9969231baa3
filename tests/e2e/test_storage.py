"""What plugins keep, through `pp`: over restarts of plugin and host, by kind of run, within its quota, each its own; and
plugins that try for more."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.unit.backtest.conftest import Recording

SOURCE = "dev.probablyprofit.source-sample"
OUTPUT = "dev.probablyprofit.output-file"
CYCLES = 4
PATIENCE = 120.0
MANIFEST = """schema: probablyprofit/plugin/v1
id: test.keeper.NAME
version: VERSION
kind: agent
title: Keeper
summary: Keeps things.
license: MIT
authors: [{name: Tester}]
api: {sdk: ">=1,<2", python: ">=3.11"}
entry: {module: keeper, object: plugin, runtime: python}
hooks: [decide]
capabilities:
  - {use: market.read, reason: "is called with markets"}
"""
KEEPING = """  - {use: storage.kv, mb: 1, reason: "remembers"}
  - {use: storage.append, mb: 1, reason: "notes"}
"""
CODE = """
from __future__ import annotations
import os
from pp_sdk import Decision, RemoteError, files, hookimpl, kv
from pp_sdk.wire.frames import REQUEST, encode

TURN = [0]

def say(*texts):
    return [Decision(market="report", outcome="yes", side="buy", probability=0.5, rationale=text) for text in texts]

def tried(action):
    try:
        return "done: " + repr(action())[:80]
    except RemoteError as refused:
        return refused.failure.code
    except ValueError as error:
        return "ValueError"

def raw(number, method, body):
    os.write(3, encode(REQUEST, number, method, body))

class Agent:
    @hookimpl
    def decide(self, observation):
        TURN[0] += 1
        BODY

plugin = Agent()
"""
COUNTS = """n = int(kv.get('n') or b'0') + 1
        kv.put('n', b'%d' % n)
        files.append('n.txt', str(n))
        return say(str(n))"""


@pytest.fixture(scope="module")
def settle(new_home: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """A home that runs agents with these bodies of `decide`, by name; those in `bare` may keep nothing."""

    def make(bodies: dict[str, str], *, bare: tuple[str, ...] = (), more: str = "") -> Any:
        home = new_home()
        scratch = tmp_path_factory.mktemp("keepers")
        lines = [
            "[host]",
            "cycle_seconds = 0.05",
            f'[plugins."{SOURCE}"]',
            "config = {markets = 3, seed = 7}",
        ]
        for name, body in bodies.items():
            bring(home, scratch, name, body, asked="" if name in bare else KEEPING)
            lines.append(f'[plugins."test.keeper.{name}"]')
        home.configure("\n".join(lines) + "\n" + more)
        return home

    return make


def bring(
    home: Any, scratch: Path, name: str, body: str, *, asked: str = KEEPING, version: str = "1.0.0"
) -> None:
    folder = scratch / f"{name}-{version}"
    folder.mkdir()
    manifest = MANIFEST.replace("NAME", name).replace("VERSION", version) + asked
    (folder / "plugin.yaml").write_text(manifest)
    (folder / "keeper.py").write_text(CODE.replace("BODY", body))
    home.install(folder)


def ran(home: Any, *words: object) -> dict[str, Any]:
    done = home.pp("run", *words, "--json")
    assert done.status == 0, done.stderr
    return done.json


@contextmanager
def running(home: Any, pp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A host that runs until it is stopped or killed, or the test ends."""
    words = [pp_path, "run", "--home", home.root]
    host = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield host
        host.wait(timeout=60)
    finally:
        if host.poll() is None:
            host.kill()
        host.wait()


def until(host: subprocess.Popen[bytes], happened: Callable[[], object]) -> None:
    """Look at a running host again and again, for as long as it runs and no longer than PATIENCE."""
    end = time.monotonic() + PATIENCE
    while not happened():
        assert host.poll() is None, "the host ended by itself"
        assert time.monotonic() < end, "not in time"


def of(home: Any, name: str, *events: str) -> list[dict[str, Any]]:
    return [one for one in home.entries(*events) if one["actor"].get("id") == f"test.keeper.{name}"]


def said(home: Any, name: str) -> list[str]:
    """What a keeper reported, in order."""
    return [one["subject"]["rationale"] for one in of(home, name, "decision")]


def value(home: Any, name: str, key: str) -> bytes | None:
    path = home.root / "state" / "values" / f"test.keeper.{name}.db"
    with closing(sqlite3.connect(path)) as database:
        found = database.execute("SELECT value FROM kept WHERE name = ?", (key,)).fetchone()
    return found and found[0]


# -- the honest ones, by kind of run ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def counted(settle: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A home in which a counter ran on paper, dry, on a tape twice, and on paper again after an upgrade."""
    home = settle({"counts": COUNTS})
    recording = Recording().market("m")
    for at in range(3):
        recording.point(60_000 * at, "m", "Yes", 0.4).point(60_000 * at, "m", "No", 0.6)
    scratch = tmp_path_factory.mktemp("counted")
    tape = recording.write(scratch / "tape")
    runs = [ran(home, "--cycles", 3), ran(home, "--mode", "dry-run", "--cycles", 2)]
    runs += [ran(home, "--tape", tape), ran(home, "--tape", tape), ran(home, "--cycles", 1)]
    bring(home, scratch, "counts", COUNTS, version="1.1.0")
    return home, [*runs, ran(home, "--cycles", 1)]


def by_run(home: Any, runs: list[dict[str, Any]], event: str) -> list[list[dict[str, Any]]]:
    entries = of(home, "counts", event)
    return [[one["subject"] for one in entries if one["run"] == run["run"]] for run in runs]


def test_paper_goes_on_dry_run_knows_and_leaves_nothing_and_a_tape_knows_nothing(counted: Any) -> None:
    home, runs = counted
    told = [[one["rationale"] for one in wishes] for wishes in by_run(home, runs, "decision")]
    assert told == [
        ["1", "2", "3"],
        ["4", "5"],
        ["1", "2", "3"],
        ["1", "2", "3"],
        ["4"],
        ["5"],
    ]


def test_files_of_tapes_and_dry_runs_lie_apart(counted: Any) -> None:
    home, runs = counted
    state = home.root / "state"
    dry, first, second = (run["run"] for run in runs[1:4])
    assert (state / "files/test.keeper.counts/n.txt").read_text() == "1\n2\n3\n4\n5\n"
    found = {path.parents[1].name: path.read_text() for path in (state / "run-files").glob("*/*/*")}
    assert found == {dry: "4\n5\n", first: "1\n2\n3\n", second: "1\n2\n3\n"}


def test_each_change_is_in_the_record_and_reads_are_counted(counted: Any) -> None:
    home, runs = counted
    puts, appends, reads = (by_run(home, runs, f"storage.{what}") for what in ("put", "append", "read"))
    assert [len(made) for made in puts] == [len(made) for made in appends] == [3, 2, 3, 3, 1, 1]
    assert {(one["key"], one["bytes"]) for made in puts for one in made} == {("n", 1)}
    assert {(one["file"], one["lines"], one["bytes"], one["cut"]) for made in appends for one in made} == {
        ("n.txt", 1, 2, 0)
    }
    assert [[one["reads"] for one in made] for made in reads] == [[3], [2], [3], [3], [1], [1]]
    assert not [one for one in home.entries("storage.put") if one["capability"] != "storage.kv"]


def test_an_operator_is_told_where_it_is(counted: Any) -> None:
    home, _ = counted
    storage = home.pp("plugin", "show", "test.keeper.counts", "--json").json["storage"]
    assert storage["values"] == str(home.root / "state/values/test.keeper.counts.db")
    assert storage["folder"] == str(home.root / "state/files/test.keeper.counts")
    assert (storage["value_bytes"], storage["files"]) == (1 + 1 + 128, 4)


def test_a_host_that_runs_it_refuses_its_removal(settle: Any, pp_path: Path) -> None:
    home = settle({"counts": COUNTS})
    before = (home.root / "pp.toml").read_text()
    with running(home, pp_path) as host:
        until(host, lambda: home.pp("status", "--json").json.get("cycles"))
        home.configure(before + "enabled = false\n")
        refused = home.pp("plugin", "remove", "test.keeper.counts", "--yes")
        assert (refused.status, refused.stderr) == (
            3,
            "pp: error: test.keeper.counts: this host runs it\npp: hint: pp stop ends the host\n",
        )
        assert home.pp("plugin", "show", "test.keeper.counts").status == 0
        assert home.pp("plugin", "remove", OUTPUT, "--yes").status == 0, "that one is none of this host's"
        home.pp("stop")
    assert home.pp("plugin", "remove", "test.keeper.counts", "--yes").status == 0
    assert not (home.root / "state/values/test.keeper.counts.db").exists()
    assert not list((home.root / "state").glob("*/**/test.keeper.counts"))
    removed = [one["subject"]["id"] for one in home.entries("plugin.remove")]
    assert removed == [OUTPUT, "test.keeper.counts"]


def test_installed_again_it_begins_with_nothing(settle: Any, tmp_path: Path) -> None:
    home = settle({"counts": COUNTS})
    ran(home, "--cycles", 2)
    settings = (home.root / "pp.toml").read_text()
    home.configure(settings + "enabled = false\n")
    for words, first in ((["--keep-data"], "3"), (["--yes"], "1")):
        assert home.pp("plugin", "remove", "test.keeper.counts", *words).status == 0
        bring(home, tmp_path, "counts", COUNTS, version=f"1.0.{first}")
        home.configure(settings)
        ran(home, "--cycles", 1)
        assert said(home, "counts")[-1] == first
        home.configure(settings + "enabled = false\n")


# -- on a tape, whatever its speed ------------------------------------------------------------------------------

STEPS = 70
BUSY = """for n in range(100): kv.get(str(n))
        return say(*[tried(lambda: kv.put(str(n), b'')) for n in range(17)])"""
LISTENER = """
from pp_sdk import files, hookimpl

class Output:
    @hookimpl
    def notify(self, event):
        files.append('heard.txt', event.kind)

plugin = Output()
"""


@pytest.fixture(scope="module")
def played(settle: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A tape played twice to an agent that asks much and to an output that writes at each event: (home, results)."""
    home = settle({"busy": BUSY}, more='[plugins."test.keeper.listener"]\n')
    scratch = tmp_path_factory.mktemp("played")
    folder = scratch / "listener"
    folder.mkdir()
    manifest = MANIFEST.replace("NAME", "listener").replace("VERSION", "1.0.0") + KEEPING
    for agents, outputs in (("agent", "output"), ("decide", "notify"), ("market.read", "notify")):
        manifest = manifest.replace(agents, outputs)
    (folder / "plugin.yaml").write_text(manifest)
    (folder / "keeper.py").write_text(LISTENER)
    home.install(folder)
    recording = Recording().market("m")
    for at in range(STEPS):
        recording.point(60_000 * at, "m", "Yes", 0.4).point(60_000 * at, "m", "No", 0.6)
    tape = recording.write(scratch / "tape")
    return home, [ran(home, "--tape", tape) for _ in range(2)]


def test_an_agent_that_asks_much_gets_the_same_answers_in_every_call(played: Any) -> None:
    home, results = played
    assert said(home, "busy") == (["done: None"] * 16 + ["too_often"]) * STEPS * 2
    assert Counter(one["subject"]["code"] for one in of(home, "busy", "capability.deny")) == {
        "too_often": STEPS * 2
    }
    assert not of(home, "busy", "plugin.failed", "plugin.quarantine")
    assert [result["cycles"] for result in results] == [STEPS] * 2


def test_an_output_may_write_at_each_event_of_a_delivery(played: Any) -> None:
    home, results = played
    assert not of(home, "listener", "capability.deny", "plugin.failed", "plugin.quarantine")
    kept = [
        (home.root / "state/run-files" / result["run"] / "test.keeper.listener/heard.txt").read_text()
        for result in results
    ]
    assert kept[0] == kept[1]
    writers = {path.name for path in (home.root / "state/run-files").glob("*/*")}
    assert writers == {"test.keeper.listener"}, "the agent might have, and wrote nothing"
    heard = kept[0].split()
    assert (heard[0], heard.count("decision"), heard[-1]) == ("run.start", 17 * STEPS, "run.end")
    assert max(sum(call["subject"]["kinds"].values()) for call in of(home, "listener", "plugin.call")) > 16


# -- those that try for more -----------------------------------------------------------------------------------

ATTACKS = {
    "other-keys": """return say(*[tried(lambda: kv.get(name)) for name in (
            'mine', 'test.keeper.honest/mine', '../test.keeper.honest.db', "'OR(1=1)--", '%')]
            + ["|".join(kv.keys())])""",
    "no-keys": "return say(*[tried(lambda: kv.put(name, b'')) for name in ('', 'a b', 'a\\0', 'x' * 129)])",
    "no-files": """return say(*[tried(lambda: files.append(name, 'x')) for name in (
            '../f', '/etc/passwd', '..', '.hidden', 'a/b', 'a\\0', 'A')])""",
    "steers": "return say(*[tried(lambda: files.append('f', line)) for line in ('a\\nb', '\\x1b[2J', '\\x7f')])",
    "huge": """return say(tried(lambda: kv.put('k', bytes(262_145))), tried(lambda: kv.put('k', bytes(262_144))))""",
    "fills": """return say(*[tried(lambda: kv.put(str(n), bytes(200_000))) for n in range(7)],
            tried(lambda: kv.put('0', b'small')))""",
    "fills-files": """return say(*[tried(lambda: files.append('f', *['x' * 60_000] * 10)) for n in range(3)])""",
    "bare": "return say(tried(lambda: kv.get('k')), tried(lambda: list(kv.keys())), tried(lambda: files.append('f', 'x')))",
}
EXPECTED = {
    "other-keys": ["done: None"] * 5 + [""],
    "no-keys": ["ValueError"] * 4,
    "no-files": ["ValueError"] * 7,
    "steers": ["ValueError"] * 3,
    "huge": ["ValueError", "done: None"],
    "fills": ["done: None"] * 5 + ["over_quota"] * 2 + ["done: None"],
    "fills-files": ["done: None"] + ["over_quota"] * 2,
    "bare": ["not_granted"] * 3,
}
FATAL = {
    "raw-key": "from pp_sdk.wire.messages import KvPut; raw(2, 'kv.put', KvPut(name='a\\0b', value=b'')); return []",
    "raw-file": "from pp_sdk.wire.messages import FileAppend; raw(2, 'file.append', FileAppend(file='../f', lines=['x'])); return []",
    "raw-value": "from pp_sdk.wire.messages import KvPut; raw(2, 'kv.put', KvPut(name='k', value=bytes(262_145))); return []",
    "raw-line": "from pp_sdk.wire.messages import FileAppend; raw(2, 'file.append', FileAppend(file='f', lines=['a\\nb'])); return []",
    "asks-on": "for n in range(100): tried(lambda: kv.put(str(n), b''))\n        return say('it went on')",
    "unread": """from pp_sdk.wire.messages import KvGet
        kv.put('k', bytes(262_144))
        for n in range(63): raw(4 + 2 * n, 'kv.get', KvGet(name='k'))
        import time; time.sleep(30)""",
}
ENDS = {
    **dict.fromkeys(["raw-key", "raw-file", "raw-value", "raw-line"], "not what the protocol says"),
    "asks-on": "more than 16 refused requests for each call of a hook",
    "unread": "does not read what it is sent",
}
LAST = """found = len(kv.get('last') or b'')
        if TURN[0] == 1 and not found:
            kv.put('last', b'old')
        elif kv.get('died') is None:
            from pp_sdk.wire.messages import KvPut
            kv.put('died', b'')
            raw(1000, 'kv.put', KvPut(name='last', value=b'new' * 80_000))
            os._exit(0)
        return say(str(len(kv.get('last') or b'')))"""
FLOODS = "for n in range(400): kv.get('k' if n else 'x')\n        return say('read')"
HONEST = "kv.put('mine', b'honest'); files.append('mine.txt', 'honest'); return say(kv.get('mine').decode())"


@pytest.fixture(scope="module")
def session(settle: Any) -> Any:
    """One session with all of them, and an honest one among them: (home, result of `pp run`)."""
    home = settle({"honest": HONEST, "floods": FLOODS, **ATTACKS, **FATAL}, bare=("bare",))
    result = ran(home, "--cycles", CYCLES)
    return home, result


def test_the_honest_one_keeps_what_it_kept_and_is_called_in_every_cycle(session: Any) -> None:
    home, result = session
    assert (result["cycles"], result["record"]["verified"]) == (CYCLES, True)
    assert said(home, "honest") == ["honest"] * CYCLES
    assert value(home, "honest", "mine") == b"honest"
    assert (home.root / "state/files/test.keeper.honest/mine.txt").read_text() == "honest\n" * CYCLES
    assert not of(home, "honest", "capability.deny", "plugin.failed")


@pytest.mark.parametrize("name", ATTACKS)
def test_each_attack_gets_exactly_this(session: Any, name: str) -> None:
    home, _ = session
    told = said(home, name)
    assert told[: len(EXPECTED[name])] == EXPECTED[name]
    refused = Counter(one["subject"]["code"] for one in of(home, name, "capability.deny"))
    assert set(refused) == set(EXPECTED[name]) & {"over_quota", "not_granted"}
    assert len(of(home, name, "plugin.call")) == CYCLES, "a refusal is no end"
    assert not of(home, name, "plugin.quarantine")


@pytest.mark.parametrize("name", FATAL)
def test_who_breaks_the_protocol_or_asks_on_is_ended_and_named(session: Any, name: str) -> None:
    home, _ = session
    ending = of(home, name, "plugin.exit")[0]["subject"]
    assert ENDS[name] in ending["detail"]
    assert ending["outcome"] == "violation"
    assert len(of(home, name, "plugin.quarantine")) == 1
    assert "it went on" not in said(home, name)


def test_puts_cannot_flood_the_record(session: Any) -> None:
    home, _ = session
    assert len(of(home, "asks-on", "storage.put")) == 16
    assert len(of(home, "asks-on", "capability.deny")) == 17
    assert {one["subject"]["code"] for one in of(home, "asks-on", "capability.deny")} == {"too_often"}


def test_reads_are_no_entries(session: Any) -> None:
    home, _ = session
    assert said(home, "floods") == ["read"] * CYCLES
    (read,) = of(home, "floods", "storage.read")
    assert read["subject"] == {"reads": 400 * CYCLES}


def test_a_quota_is_never_exceeded(session: Any) -> None:
    home, _ = session
    for name in ("fills", "fills-files", "huge"):
        storage = home.pp("plugin", "show", f"test.keeper.{name}", "--json").json["storage"]
        assert 0 < storage["value_bytes"] + storage["file_bytes"] <= 2**20, name
    assert value(home, "fills", "0") is not None


def test_nothing_was_written_but_their_own(session: Any) -> None:
    home, _ = session
    state = home.root / "state"
    files = {
        str(path.relative_to(state / "files")) for path in (state / "files").rglob("*") if path.is_file()
    }
    assert files == {"test.keeper.honest/mine.txt", "test.keeper.fills-files/f"}
    databases = {path.name.partition(".db")[0] for path in (state / "values").iterdir()}
    keepers = {"honest", "floods", *ATTACKS, *FATAL} - {"bare"}
    assert databases == {f"test.keeper.{name}" for name in keepers}
    assert not (state / "f").exists()


def test_a_put_in_the_last_moment_is_done_and_recorded_or_neither(settle: Any, pp_path: Path) -> None:
    home = settle({"last": LAST})
    with running(home, pp_path) as host:
        until(host, lambda: len(of(home, "last", "decision")) >= 3)
        home.pp("stop")
    assert len(of(home, "last", "plugin.start")) == 2, "it died with its put on the way, and came back"
    sizes = {"last": 0}
    for entry in of(home, "last", "storage.put", "decision"):
        if entry["event"] == "storage.put":
            sizes[entry["subject"]["key"]] = entry["subject"]["bytes"]
        else:
            found = entry["subject"]["rationale"]
            assert found == str(sizes["last"]), "what is kept is what the record says was kept last"
    assert set(said(home, "last")) <= {"3", "240000"}
    assert sizes["last"] in (3, 240_000)


# -- the host killed ---------------------------------------------------------------------------------------------


def test_a_host_killed_in_mid_put_leaves_whole_values_and_whole_lines(settle: Any, pp_path: Path) -> None:
    body = """for _ in range(8):
            n = int((kv.get('n') or b'0').split(b' ')[0]) + 1
            kv.put('n', b'%d ' % n + b'x' * 200_000)
            files.append('n.txt', str(n) + ' ' + 'x' * 500)
        return say(str(n))"""
    home = settle({"counts": body})
    log = home.root / "state/files/test.keeper.counts/n.txt"
    before = 0
    for kills, patience in enumerate((1, 20, 60), 1):
        with running(home, pp_path) as host:
            until(host, lambda size=before + patience * 503: log.exists() and log.stat().st_size >= size)
            host.kill()
        number, _, rest = (value(home, "counts", "n") or b"").partition(b" ")
        assert rest == b"x" * 200_000
        lines = log.read_text().splitlines()
        assert {line.partition(" ")[2] for line in lines} == {"x" * 500}
        found = [int(line.partition(" ")[0]) for line in lines]
        assert found == sorted(set(found))
        assert int(number) - kills <= len(found) <= int(number) == max(found[-1], int(number))
        before = log.stat().st_size
    final = ran(home, "--cycles", 1)
    assert final["record"]["verified"] is True
    puts = [one["subject"]["bytes"] for one in of(home, "counts", "storage.put")]
    assert len(puts) > 40, "of the last moment before each kill some are missing"
    assert int(said(home, "counts")[-1]) >= len(puts), "an entry for each but what the kills took along"


# -- output-file ---------------------------------------------------------------------------------------------------


def test_output_file_writes_what_happens(settle: Any) -> None:
    more = f'[plugins."dev.probablyprofit.agent-value"]\n[plugins."{OUTPUT}"]\nconfig = {{prefix = "log"}}\n'
    home = settle({}, more=more)
    ran(home, "--cycles", 3)
    (path,) = (home.root / "state/files" / OUTPUT).iterdir()
    told = [json.loads(line) for line in path.read_text().splitlines()]
    assert path.name.startswith("log-")
    assert (told[0]["kind"], told[-1]["kind"]) == ("run.start", "run.end")
    heard: Counter[str] = Counter()
    for call in home.entries("plugin.call"):
        if call["actor"]["id"] == OUTPUT:
            heard.update(call["subject"]["kinds"])
    assert Counter(one["kind"] for one in told) == heard
    appended = [one["subject"] for one in home.entries("storage.append")]
    assert sum(one["bytes"] for one in appended) == path.stat().st_size
