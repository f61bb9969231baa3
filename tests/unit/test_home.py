"""Homes: made whole or not at all, opened only when they are ours alone, never the current folder."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from pp_host.app.founding import found_home
from pp_host.config import load
from pp_host.errors import OperatorError, Refused
from pp_host.home import Home, place
from pp_host.record.note import load_key, load_verifier
from pp_host.trust.store import Store


def bare(root: Path) -> Home:
    return Home.create(root, "", lambda _: None)


def test_a_created_home_opens(tmp_path):
    made = bare(tmp_path / "home")
    assert Home.open(tmp_path / "home", {}) == made
    assert made.origin == f"probablyprofit/{made.root_id}"
    for folder in (made.root, made.keys, made.grants, made.store, made.state):
        assert folder.stat().st_mode & 0o777 == 0o700
    assert made.config_file.stat().st_mode & 0o077 == 0


def test_two_homes_have_two_ids(tmp_path):
    assert bare(tmp_path / "a").root_id != bare(tmp_path / "b").root_id


def test_every_built_in_plugin_is_installed_and_configured_and_three_are_enabled(tmp_path):
    home = found_home(tmp_path / "home")
    config = load(home.config_file, {})
    installed = {grant.id: grant for grant in Store(home.store, home.grants).installed()}
    assert set(config.plugins) == set(installed)
    assert len(config.enabled()) == 3
    for name, plugin in config.plugins.items():
        trades = any(one.__struct_config__.tag == "decision.propose" for one in installed[name].capabilities)
        assert (plugin.budget.order_micros > 0) is trades, "enabling it is all there is left to do"


def test_init_furnishes_keys_and_trust(tmp_path):
    home = found_home(tmp_path / "home")
    verifier = load_verifier(home.keys / "record.vkey")
    assert verifier == load_key(home.keys / "record").verifier(home.origin)
    (development,) = json.loads(home.trust_file.read_text())["keys"]
    assert development["plugins"] == ["*"]
    assert (home.keys / "dev.pub").read_text().startswith(development["public"])
    for private in ("record", "dev"):
        assert (home.keys / private).stat().st_mode & 0o777 == 0o600
    config = load(home.config_file, {})
    assert config.enabled() == (
        "dev.probablyprofit.source-sample",
        "dev.probablyprofit.agent-value",
        "dev.probablyprofit.output-console",
    )
    assert config.plugins["dev.probablyprofit.source-sample"].config == {"markets": 40, "seed": 7}
    assert config.host.mode == "paper"


def test_an_empty_folder_becomes_a_home_and_missing_parents_are_made(tmp_path):
    (tmp_path / "empty").mkdir(mode=0o755)
    assert bare(tmp_path / "empty").root.stat().st_mode & 0o777 == 0o700
    assert Home.open(bare(tmp_path / "a" / "b" / "c").root, {})


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda path: (path.mkdir(), (path / "kept").write_text("x")), "exists and is not empty"),
        (lambda path: path.write_text("x"), "exists and is not a folder"),
        (lambda path: path.symlink_to("elsewhere"), "exists and is not a folder"),
    ],
)
def test_nothing_is_written_over(tmp_path, make, what):
    path = tmp_path / "home"
    make(path)
    with pytest.raises(OperatorError) as caught:
        bare(path)
    assert str(caught.value) == f"{path}: {what}"
    assert caught.value.hint == "name a folder that does not exist yet"
    assert [found.name for found in tmp_path.iterdir()] == ["home"]


def test_a_home_is_not_made_twice(tmp_path):
    first = bare(tmp_path / "home")
    with pytest.raises(OperatorError, match="a home is here already"):
        bare(tmp_path / "home")
    assert Home.open(tmp_path / "home", {}) == first


@pytest.mark.parametrize("trouble", [KeyboardInterrupt, OSError, OperatorError, ZeroDivisionError])
def test_half_a_home_is_no_home(tmp_path, trouble):
    def furnish(home: Home) -> None:
        (home.keys / "record").write_text("half")
        raise trouble("stop")

    with pytest.raises(OperatorError if trouble is OSError else trouble):
        Home.create(tmp_path / "a" / "b", "", furnish)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_filled_meanwhile_is_kept(tmp_path):
    root = tmp_path / "home"

    def furnish(_: Home) -> None:
        root.mkdir()
        (root / "theirs").write_text("x")

    with pytest.raises(OperatorError) as caught:
        Home.create(root, "", furnish)
    assert str(caught.value) == f"{root}: cannot be made: Directory not empty"
    assert [path.name for path in root.iterdir()] == ["theirs"]
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def refused(path: Path) -> OperatorError:
    with pytest.raises(OperatorError) as caught:
        Home.open(path, {})
    assert caught.value.hint
    return caught.value


def test_a_missing_home_names_init(tmp_path):
    error = refused(tmp_path / "none")
    assert str(error) == f"{tmp_path / 'none'}: no home here: No such file or directory"
    assert error.hint == f"pp init {tmp_path / 'none'}"


def test_a_folder_without_home_json_is_no_home(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o700)
    assert str(refused(folder)) == f"{folder / 'home.json'}: not a home: No such file or directory"


def test_a_file_is_no_home(tmp_path):
    (tmp_path / "file").write_text("")
    assert str(refused(tmp_path / "file")) == f"{tmp_path / 'file'}: the home is not a folder"


def test_a_symlink_to_a_home_is_refused(tmp_path):
    bare(tmp_path / "home")
    (tmp_path / "link").symlink_to("home")
    error = refused(tmp_path / "link")
    assert isinstance(error, Refused)
    assert str(error) == f"{tmp_path / 'link'}: the home is a symlink"


@pytest.mark.parametrize("mode", [0o750, 0o701, 0o770, 0o707])
def test_a_home_that_others_can_enter_is_refused(tmp_path, mode):
    root = bare(tmp_path / "home").root
    root.chmod(mode)
    error = refused(root)
    assert isinstance(error, Refused)
    assert str(error) == f"{root}: the home is open to other users (mode {mode:04o})"
    assert error.hint == f"chmod 700 {root}"
    root.chmod(0o700)
    assert Home.open(root, {})


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_somebody_elses_home_is_refused(tmp_path):
    root = bare(tmp_path / "home").root
    os.chown(root, 65534, 65534)
    error = refused(root)
    assert isinstance(error, Refused)
    assert str(error) == f"{root}: the home belongs to user 65534"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"schema_version": 2}, "made by a newer pp (schema 2)"),
        ({"root_id": "../../x"}, "damaged: "),
        ({"origin": "two words"}, "damaged: "),
        ({"schema_version": "1"}, "damaged: "),
    ],
)
def test_an_altered_identity_is_refused(tmp_path, change, what):
    path = bare(tmp_path / "home").root / "home.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    error = refused(path.parent)
    assert str(error).startswith(f"{path}: {what}")


@pytest.mark.parametrize("data", [b"", b"\xff", b"[]", b"{" * 100_000])
def test_an_identity_that_is_not_json_is_refused(tmp_path, data):
    path = bare(tmp_path / "home").root / "home.json"
    path.write_bytes(data)
    assert str(refused(path.parent)).startswith(f"{path}: damaged: ")


def test_where_the_home_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/users/me")
    assert place(Path("here"), {"PP_HOME": "/named"}) == tmp_path / "here"
    assert place(None, {"PP_HOME": "/named", "XDG_DATA_HOME": "/shared"}) == Path("/named")
    assert place(None, {"XDG_DATA_HOME": "/shared"}) == Path("/shared/probablyprofit")
    default = Path("/users/me/.local/share/probablyprofit")
    for environ in ({}, {"XDG_DATA_HOME": "relative"}, {"PP_HOME": "", "XDG_DATA_HOME": ""}):
        assert place(None, environ) == default


def test_the_current_folder_is_never_a_home_by_itself(tmp_path, monkeypatch):
    monkeypatch.chdir(bare(tmp_path / "home").root)
    with pytest.raises(OperatorError, match="no home here"):
        Home.open(None, {"XDG_DATA_HOME": str(tmp_path / "data")})
    with pytest.raises(OperatorError) as caught:
        Home.open(None, {"PP_HOME": "."})
    assert str(caught.value) == "PP_HOME: . is not an absolute path"
    assert Home.open(Path(), {})


def test_a_user_without_any_folder_is_told_to_name_one(monkeypatch):
    def unknown():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", unknown)
    with pytest.raises(OperatorError) as caught:
        place(None, {})
    assert (str(caught.value), caught.value.hint) == (
        "no folder for a home is known here",
        "set PP_HOME, or add --home DIR",
    )
