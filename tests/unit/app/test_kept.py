"""Where a plugin's things are, and what becomes of a place in which there are none."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from pp_host.app.kept import drop_if_empty, erase, left


def test_a_runs_folder_goes_when_nothing_was_written(tmp_path):
    run = tmp_path / "run-files" / "RUN"
    writer, silent = run / "org.example.writer", run / "org.example.silent"
    for folder in (writer, silent):
        folder.mkdir(parents=True)
    (writer / "f.txt").touch()
    drop_if_empty(silent)
    drop_if_empty(writer)
    assert [path.relative_to(run).as_posix() for path in run.rglob("*")] == [
        "org.example.writer",
        "org.example.writer/f.txt",
    ]
    (writer / "f.txt").unlink()
    drop_if_empty(writer)
    assert list((tmp_path / "run-files").iterdir()) == []


@pytest.mark.parametrize("linked", ["files", "run-files", "run-files/RUN"])
def test_what_lies_behind_a_link_is_nobodys_and_stays(tmp_path, linked):
    home, elsewhere = SimpleNamespace(state=tmp_path / "state"), tmp_path / "elsewhere"
    inner = "RUN/org.example.x" if linked == "run-files" else "org.example.x"
    (elsewhere / inner).mkdir(parents=True)
    (elsewhere / inner / "precious").touch()
    place = home.state / linked
    place.parent.mkdir(parents=True)
    place.symlink_to(elsewhere)
    assert not left(home, "org.example.x")
    erase(home, "org.example.x")
    assert (elsewhere / inner / "precious").exists()
    place.unlink()
    elsewhere.rename(place)
    assert left(home, "org.example.x")
    erase(home, "org.example.x")
    assert not left(home, "org.example.x"), "in a folder of ours all of it goes"
