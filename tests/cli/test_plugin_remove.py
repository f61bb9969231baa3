"""`pp plugin remove`: package, grant and what the plugin kept, whole or not at all, and never another publisher's."""

from __future__ import annotations

import json
import os
from contextlib import closing
from io import StringIO
from pathlib import Path

import pytest
from pp_host.app.founding import found_home, install_folder
from pp_host.app.operator import store_of
from pp_host.cli.main import main
from pp_host.keep.values import Values
from pp_host.record.log import Record
from pp_host.record.note import load_key
from pp_host.record.reader import RecordReader
from pp_host.trust.keys import SigningKey
from pp_host.trust.truststore import TrustStore

ID = "org.example.keeper"
OTHER = "dev.probablyprofit.output-file"
MANIFEST = f"""schema: probablyprofit/plugin/v1
id: {ID}
version: VERSION
kind: output
title: Keeper
summary: Keeps things.
license: MIT
authors: [{{name: Tester}}]
api: {{sdk: ">=1,<2", python: ">=3.11"}}
entry: {{module: keeper, object: plugin}}
hooks: [notify]
capabilities:
  - {{use: notify, reason: "is told"}}
  - {{use: storage.kv, mb: 1, reason: "remembers"}}
  - {{use: storage.append, mb: 1, reason: "notes"}}
"""


@pytest.fixture
def home(tmp_path):
    made = found_home(tmp_path / "home")
    made.config_file.write_text("")
    return made


@pytest.fixture
def pp(home, capsys):
    """Run a command on the home: (status, its document or None, its stderr)."""

    def run(*words):
        status = main([*map(str, words), "--home", str(home.root), "--json"])
        told = capsys.readouterr()
        return status, json.loads(told.out) if told.out else None, told.err

    return run


@pytest.fixture
def bring(home, tmp_path):
    """Install the keeper in this version, signed with the home's key."""

    def install(version="1.0.0"):
        folder = tmp_path / f"keeper-{version}"
        folder.mkdir(exist_ok=True)
        (folder / "plugin.yaml").write_text(MANIFEST.replace("VERSION", version))
        (folder / "keeper.py").write_text("plugin = None\n")
        key = SigningKey.read((home.keys / "dev").read_bytes(), lambda: b"")
        return install_folder(home, folder, key, TrustStore.open(home.trust_file))

    return install


@pytest.fixture
def keep(home):
    """Leave a value, a lasting file, and a file of a run, as a session would."""

    def write(plugin=ID):
        with closing(Values.open(home.state / "values" / f"{plugin}.db", 10**6)) as values:
            values.put("k", b"value")
        for folder in (home.state / "files" / plugin, home.state / "run-files" / "RUN" / plugin):
            folder.mkdir(parents=True, mode=0o700)
            (folder / "f.txt").write_text("line\n")

    return write


IN_USE = (".db-wal", ".db-shm")  # what SQLite puts beside a database that is being read


def left(home, plugin=ID):
    return sorted(
        str(path.relative_to(home.state))
        for path in home.state.rglob("*")
        if plugin in str(path) and path.is_file() and path.suffix not in IN_USE
    )


EVERYTHING = [f"files/{ID}/f.txt", f"run-files/RUN/{ID}/f.txt", f"values/{ID}.db"]


def entries(home, *events):
    with RecordReader.open(home.state) as reader:
        return [(entry.event, entry.subject) for entry in reader.entries(events)]


def test_it_takes_everything_away_and_says_what(home, pp, bring, keep):
    bring()
    keep()
    keep(OTHER)
    before = left(home, OTHER)
    shown = pp("plugin", "show", ID)[1]
    assert shown["storage"] == {
        "values": str(home.state / "values" / f"{ID}.db"),
        "value_bytes": 1 + 5 + 128,
        "folder": str(home.state / "files" / ID),
        "run_folders": str(home.state / "run-files" / "*" / ID),
        "files": 2,
        "file_bytes": 10,
    }
    assert left(home) == EVERYTHING
    status, document, errors = pp("plugin", "remove", ID, "--yes")
    assert (status, errors) == (0, "")
    assert document == {
        "id": ID,
        "version": "1.0.0",
        "digest": shown["digest"],
        "data": "erased",
        "value_bytes": 134,
        "files": 2,
        "file_bytes": 10,
    }
    assert not list((home.state / "values").glob(f"{ID}*"))
    assert left(home) == []
    assert entries(home, "plugin.remove") == [("plugin.remove", document)]
    assert ID not in [plugin["id"] for plugin in pp("plugin", "list")[1]["plugins"]]
    assert not list(home.store.glob(f"{shown['digest']}*"))
    assert left(home, OTHER) == before != []
    assert pp("plugin", "remove", ID, "--yes")[0] == 1


def test_a_person_is_told_what_is_gone(home, bring, keep, capsys):
    bring()
    assert main(["plugin", "show", ID, "--home", str(home.root)]) == 0
    assert "values kept: none yet\nfiles: none yet; a paper run's are in " in capsys.readouterr().out
    keep()
    assert main(["plugin", "show", ID, "--home", str(home.root)]) == 0
    shown = capsys.readouterr().out
    assert f"values kept: 134 bytes in {home.state}/values/{ID}.db" in shown
    assert f"files: 2, 10 bytes; a paper run's are in {home.state}/files/{ID}" in shown
    assert f"those of tapes and dry runs in {home.state}/run-files/*/{ID}" in shown
    assert main(["plugin", "remove", ID, "--yes", "--home", str(home.root)]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"removed {ID} 1.0.0, sha256 ")
    assert second == "erased: 134 bytes of values, 2 files of 10 bytes"


def test_a_person_is_told_of_leftovers_that_nothing_was_installed(home, bring, keep, capsys):
    bring()
    keep()
    assert main(["plugin", "remove", ID, "--keep-data", "--home", str(home.root)]) == 0
    capsys.readouterr()
    assert main(["plugin", "remove", ID, "--yes", "--home", str(home.root)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{ID} was not installed; something of it was left",
        "erased: 134 bytes of values, 2 files of 10 bytes",
    ]


def test_an_upgrade_keeps_what_was_kept(home, bring, keep):
    bring()
    keep()
    bring("1.1.0")
    assert left(home) == EVERYTHING


def test_what_it_kept_can_stay_and_be_erased_later(home, pp, bring, keep):
    bring()
    keep()
    assert pp("plugin", "remove", ID, "--keep-data")[1]["data"] == "kept"
    assert left(home) == EVERYTHING
    assert pp("plugin", "remove", ID, "--keep-data")[0] == 1, "it is not installed"
    document = pp("plugin", "remove", ID, "--yes")[1]
    assert (document["version"], document["digest"], document["data"]) == ("", "", "erased")
    assert left(home) == []
    assert [subject["data"] for _, subject in entries(home, "plugin.remove")] == ["kept", "erased"]


def test_what_is_not_installed(pp):
    status, _, errors = pp("plugin", "remove", "dev.probablyprofit.output-fil", "--yes")
    assert (status, errors) == (
        1,
        (
            "pp: error: dev.probablyprofit.output-fil: not installed\n"
            "pp: hint: did you mean dev.probablyprofit.output-file?\n"
        ),
    )


@pytest.mark.parametrize("name", ["../../etc", "..", "/etc/passwd", "", "*"])
def test_what_is_no_id_names_nothing(home, pp, name):
    before = sorted(home.root.rglob("*"))
    assert pp("plugin", "remove", name, "--yes")[0] == 1
    assert sorted(home.root.rglob("*")) == before


def test_not_while_pp_toml_has_it_enabled(home, pp, bring, keep):
    bring()
    keep()
    home.config_file.write_text(f'[host]\nmode = "paper"\n[plugins."{ID}"]\n')
    status, _, errors = pp("plugin", "remove", ID, "--yes")
    assert (status, errors) == (
        1,
        (
            f'pp: error: pp.toml:3: plugins."{ID}": it is enabled, the next start would want it\n'
            "pp: hint: set enabled = false or take the section out, then remove it\n"
        ),
    )
    assert left(home) == EVERYTHING
    home.config_file.write_text(f'[plugins."{ID}"]\nenabled = false\n')
    assert pp("plugin", "remove", ID, "--yes")[0] == 0


def test_not_while_a_set_of_pp_toml_names_it(home, pp, bring, keep):
    bring()
    keep()
    section = f'[plugins."{ID}"]\nenabled = false\n'
    home.config_file.write_text(f'{section}[sets.evening]\nplugins = ["{ID}"]\n')
    status, _, errors = pp("plugin", "remove", ID, "--yes")
    assert (status, errors) == (
        1,
        (
            f"pp: error: pp.toml:4: sets.evening.plugins: {ID} is in this set\n"
            "pp: hint: take it out of the set, then remove it\n"
        ),
    )
    assert left(home) == EVERYTHING
    home.config_file.write_text(f'{section}[plugins."{OTHER}"]\n[sets.evening]\nplugins = ["{OTHER}"]\n')
    assert pp("plugin", "remove", ID, "--yes")[0] == 0


def test_not_while_another_process_writes_the_record(home, pp, bring, keep):
    bring()
    keep()
    record = Record.open(home.state, load_key(home.keys / "record"), home.origin, run="R")
    try:
        status, _, errors = pp("plugin", "remove", ID, "--yes")
        assert status == 3
        assert "another host is writing this record" in errors
    finally:
        record.close()
    assert [plugin["id"] for plugin in pp("plugin", "list")[1]["plugins"] if plugin["id"] == ID] == [ID]
    assert left(home) == EVERYTHING, "and the next command has dropped the announcement"
    assert not list(home.grants.glob(".*"))


@pytest.mark.parametrize("keep_data", [False, True])
def test_one_that_was_recorded_and_killed_is_finished_by_the_next_command(home, pp, bring, keep, keep_data):
    bring()
    keep()

    def dies(*_):
        raise KeyboardInterrupt

    digest = pp("plugin", "show", ID)[1]["digest"]
    data = "kept" if keep_data else "erased"
    store, subject = store_of(home), {"id": ID, "version": "1.0.0", "digest": digest, "data": data}

    def recorded_and_killed():
        record = Record.open(home.state, load_key(home.keys / "record"), home.origin, run="")
        record.append("plugin.remove", subject)
        record.close()
        dies()

    with pytest.raises(KeyboardInterrupt):
        store.remove(ID, keep_data=keep_data, record=recorded_and_killed, erase=dies)
    assert left(home) == EVERYTHING
    assert ID not in [plugin["id"] for plugin in pp("plugin", "list")[1]["plugins"]]
    assert left(home) == (EVERYTHING if keep_data else [])


def test_a_symlink_in_the_place_of_its_folder_is_not_followed(home, pp, bring, keep, tmp_path):
    bring()
    keep()
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "mine").touch()
    folder = home.state / "files" / ID
    (folder / "f.txt").unlink()
    folder.rmdir()
    folder.symlink_to(outside)
    status, _, errors = pp("plugin", "remove", ID, "--yes")
    assert status == 1
    assert f"{folder}: cannot be read" in errors
    folder.unlink()
    assert pp("plugin", "remove", ID, "--yes")[0] == 0
    assert (outside / "mine").exists()


@pytest.fixture
def rival(home, pp, tmp_path):
    """Another publisher's package of the same id, enrolled."""
    assert pp("plugin", "keygen", tmp_path / "rival")[0] == 0
    assert pp("trust", "add", tmp_path / "rival.pub", "--plugins", ID)[0] == 0
    return packed(pp, tmp_path, "9.0.0", key=tmp_path / "rival")


def packed(pp, tmp_path, version, *, key):
    """The keeper's package in a version, signed with a key."""
    folder = tmp_path / f"packed-{version}"
    folder.mkdir()
    (folder / "plugin.yaml").write_text(MANIFEST.replace("VERSION", version))
    (folder / "keeper.py").write_text("plugin = None\n")
    package = pp("plugin", "pack", folder, "--out", tmp_path)[1]["path"]
    assert pp("plugin", "sign", package, "--key", key)[0] == 0
    return package


@pytest.mark.parametrize("how", ["kept", "the grant removed by hand"])
def test_what_one_publishers_plugin_kept_is_not_anothers(home, pp, bring, keep, rival, how):
    bring()
    keep()
    if how == "kept":
        assert pp("plugin", "remove", ID, "--keep-data")[0] == 0
    else:
        (home.grants / f"{ID}.json").unlink()
    status, _, errors = pp("plugin", "install", rival, "--yes")
    assert (status, errors.splitlines()[1]) == (3, f"pp: hint: pp plugin remove {ID} erases that")
    assert "is of another publisher" in errors
    assert left(home) == EVERYTHING
    bring()  # the one whose it is may have it back
    assert pp("plugin", "remove", ID, "--yes")[0] == 0
    assert pp("plugin", "install", rival, "--yes")[0] == 0


@pytest.mark.parametrize("how", ["kept", "the grant removed by hand"])
def test_what_is_left_is_of_the_publisher_installed_last(home, pp, bring, keep, rival, tmp_path, how):
    """The first of them kept nothing, so that the second was let in."""
    bring()
    if how == "kept":
        assert pp("plugin", "remove", ID, "--keep-data")[0] == 0
    else:
        (home.grants / f"{ID}.json").unlink()
    assert pp("plugin", "install", rival, "--yes")[0] == 0
    keep()
    assert pp("plugin", "install", rival, "--yes")[0] == 0, "it is its own"
    assert pp("plugin", "remove", ID, "--keep-data")[0] == 0
    first = packed(pp, tmp_path, "1.1.0", key=home.keys / "dev")
    status, _, errors = pp("plugin", "install", first, "--yes")
    assert (status, "is of another publisher" in errors) == (3, True)
    assert left(home) == EVERYTHING
    assert pp("plugin", "install", rival, "--yes")[0] == 0, "it may have it back"
    assert pp("plugin", "remove", ID, "--yes")[0] == 0
    assert pp("plugin", "install", first, "--yes")[0] == 0, "once that is erased"


def test_a_removal_that_was_never_recorded_erases_nothing_that_an_earlier_one_kept(home, pp, bring, keep):
    bring()
    keep()
    assert pp("plugin", "remove", ID, "--keep-data")[0] == 0

    def dies(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store_of(home).remove(ID, keep_data=False, record=dies, erase=dies)
    assert pp("plugin", "list")[0] == 0
    assert left(home) == EVERYTHING
    assert not list(home.grants.glob(".*")), "the announcement is dropped"
    assert pp("plugin", "remove", ID, "--yes")[1]["data"] == "erased"
    assert left(home) == []


def test_a_damaged_file_of_values_is_told_and_can_be_moved_away(home, pp, bring, keep):
    bring()
    keep()
    path = home.state / "values" / f"{ID}.db"
    for suffix in ("-wal", "-shm"):
        assert not Path(f"{path}{suffix}").exists()
    path.write_bytes(os.urandom(5000))
    status, _, errors = pp("plugin", "show", ID)
    assert (status, errors.splitlines()[1]) == (
        1,
        "pp: hint: move it away, with its -wal and -shm: the plugin then begins with nothing",
    )
    path.rename(home.root / "aside")
    assert pp("plugin", "show", ID)[1]["storage"]["value_bytes"] == 0
    assert pp("plugin", "remove", ID, "--yes")[0] == 0


def test_nothing_is_erased_without_a_word(home, pp, bring, keep, monkeypatch, capsys):
    bring()
    keep()
    status, _, errors = pp("plugin", "remove", ID)
    assert status == 3
    assert errors.splitlines() == [
        f"pp: error: {ID}: it keeps 134 bytes of values, 2 files of 10 bytes, and nobody is here to ask",
        "pp: hint: --yes erases that, --keep-data leaves it",
    ]
    monkeypatch.setattr("sys.stdin", Person("n\n"))
    assert main(["plugin", "remove", ID, "--home", str(home.root)]) == 3
    assert left(home) == EVERYTHING
    assert entries(home, "plugin.remove") == []
    monkeypatch.setattr("sys.stdin", Person("y\n"))
    capsys.readouterr()
    assert main(["plugin", "remove", ID, "--home", str(home.root)]) == 0
    assert "Erase 134 bytes of values, 2 files of 10 bytes?" in capsys.readouterr().out
    assert left(home) == []


def test_who_keeps_nothing_is_removed_without_a_question(pp, bring):
    bring()
    assert pp("plugin", "remove", ID)[0] == 0


class Person(StringIO):
    """Somebody at a terminal, who types this."""

    def isatty(self):
        return True
