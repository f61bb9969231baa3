"""Where a plugin's things are, and what becomes of a place in which there are none."""

from __future__ import annotations

from pp_host.app.kept import drop_if_empty


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
