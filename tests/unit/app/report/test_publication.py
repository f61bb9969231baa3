"""A report's folder is there whole or is as it was, and nothing else is ever replaced."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pp_host.app.report.publication import check_place, publish, swap
from pp_host.errors import OperatorError

RUN = "20260101T000000Z-abcdef"


def files(word=b"new", run=RUN):
    return {"index.html": word, "report.json": b'{"header":{"run":"%s"}}' % run.encode()}


def held(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def test_a_new_folder_appears_and_nothing_beside_it(out):
    publish(out, RUN, files())
    assert held(out) == files()
    assert [path.name for path in out.parent.iterdir()] == ["out"]
    assert out.stat().st_mode & 0o700 == 0o700


def test_an_empty_folder_is_taken(out):
    out.mkdir()
    publish(out, RUN, files())
    assert held(out) == files()


def test_a_report_of_the_same_run_is_replaced_whole(out):
    publish(out, RUN, {**files(b"old"), "equity.png": b"png"})
    publish(out, RUN, files())
    assert held(out) == files()
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_what_fails_leaves_the_old_one(out):
    publish(out, RUN, files(b"old"))
    with pytest.raises(FileNotFoundError):
        publish(out, RUN, {**files(), "no/such": b""})
    assert held(out) == files(b"old")
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_a_place_that_could_not_be_taken_is_given_back(out):
    publish(out, RUN, files(b"old"))
    with pytest.raises(FileNotFoundError):
        swap(out.with_name("no-draft"), out, out.with_name("old"))
    assert held(out) == files(b"old")
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def a_file(out):
    out.write_bytes(b"mine")


def a_link(out):
    (out.parent / "real").mkdir()
    out.symlink_to(out.parent / "real")


def another_run(out):
    publish(out, "other", files(run="other"))


def notes_beside_it(out):
    publish(out, RUN, files())
    (out / "notes.txt").write_bytes(b"mine")


def a_page_without_figures(out):
    out.mkdir()
    (out / "index.html").write_bytes(b"mine")


def broken_figures(out):
    publish(out, RUN, {**files(), "report.json": b"{"})


def a_fifo(out):
    out.mkdir()
    os.mkfifo(out / "report.json")


def no_parent(out):
    out.parent.rmdir()


@pytest.mark.parametrize(
    ("there", "said"),
    [
        (a_file, "is there already and is no folder"),
        (a_link, "is there already and is no folder"),
        (another_run, f"is there already and is a report of other, not of {RUN}"),
        (notes_beside_it, "holds notes.txt, which is no part of a report"),
        (a_page_without_figures, f"is there already and is no report, not of {RUN}"),
        (broken_figures, f"is there already and is no report, not of {RUN}"),
        (a_fifo, f"is there already and is no report, not of {RUN}"),
        (no_parent, "there is no folder"),
    ],
)
def test_anything_else_is_refused_and_left_alone(out, there, said):
    there(out)
    before = sorted(out.parent.rglob("*")) if out.parent.exists() else []
    for refused in (lambda: check_place(out, RUN), lambda: publish(out, RUN, files())):
        with pytest.raises(OperatorError, match=said) as caught:
            refused()
        assert caught.value.hint
    assert (sorted(out.parent.rglob("*")) if out.parent.exists() else []) == before


@pytest.mark.parametrize("name", [".", "..", "/", "a/.."])
def test_a_folder_without_a_name_of_its_own_is_refused(name):
    with pytest.raises(OperatorError, match="cannot take the place of this folder"):
        check_place(Path(name), RUN)
