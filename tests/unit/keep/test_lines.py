"""A plugin's files: whole lines only, in its own folder only, and no more than was granted."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import closing
from dataclasses import replace

import pytest
from pp_host.errors import OperatorError, RequestRefused
from pp_host.keep import lines as room
from pp_host.keep.lines import BATCH_BYTES, Lines

MOST = 1000


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "files" / "org.example.x"


@pytest.fixture
def lines(tmp_path, folder):
    with closing(Lines.open(tmp_path, "files", "org.example.x", most_bytes=MOST)) as opened:
        yield opened


def refusal(lines, name="f", data=b"line\n"):
    with pytest.raises(RequestRefused) as refused:
        lines.append(name, data)
    return refused.value.code


def test_lines_are_added_at_the_end_of_private_files(lines, folder):
    assert lines.append("f", b"one\n") == 0
    lines.append("f", b"two\nthree\n")
    lines.append("g.txt", b"other\n")
    assert (folder / "f").read_bytes() == b"one\ntwo\nthree\n"
    modes = {path.name: path.stat().st_mode & 0o777 for path in (folder, *folder.iterdir())}
    assert modes == {"org.example.x": 0o700, "f": 0o600, "g.txt": 0o600}


def test_the_quota_is_over_all_files_and_counts_what_is_there_at_the_start(tmp_path, lines, folder):
    lines.append("f", bytes(599) + b"\n")
    with closing(Lines.open(tmp_path, "files", "org.example.x", most_bytes=MOST)) as again:
        assert refusal(again, "g", bytes(400) + b"\n") == "over_quota"
        assert not (folder / "g").exists(), "nothing half-written, not even a name"
        again.append("g", bytes(399) + b"\n")
        assert refusal(again, "g", b"\n") == "over_quota"


def test_room_that_an_operator_makes_counts_within_a_second(tmp_path, folder):
    now = [0.0]
    with closing(
        Lines.open(tmp_path, "files", "org.example.x", most_bytes=MOST, seconds=lambda: now[0])
    ) as lines:
        lines.append("f", bytes(MOST - 1) + b"\n")
        assert refusal(lines) == "over_quota"
        (folder / "f").unlink()
        now[0] = 0.9
        assert refusal(lines) == "over_quota"
        now[0] = 1.0
        lines.append("f", b"line\n")


def test_a_full_folder_is_not_looked_through_for_what_is_there_already(lines, monkeypatch):
    monkeypatch.setattr(room, "LIMITS", replace(room.LIMITS, keep=replace(room.LIMITS.keep, files=2)))
    lines.append("f", b"one\n")
    lines.append("g", b"one\n")
    looked = []
    monkeypatch.setattr(room, "measure", lambda folder: looked.append(folder) or (2, 8))
    lines.append("f", b"two\n")
    assert looked == []
    assert refusal(lines, "h") == "over_quota"
    assert len(looked) == 1


def test_so_many_files_and_no_more(lines, folder, monkeypatch):
    monkeypatch.setattr(room, "LOOK_SECONDS", 0)
    monkeypatch.setattr(room, "LIMITS", replace(room.LIMITS, keep=replace(room.LIMITS.keep, files=2)))
    lines.append("a", b"\n")
    lines.append("b", b"\n")
    lines.append("a", b"\n")
    assert refusal(lines, "c") == "over_quota"
    (folder / "b").unlink()
    lines.append("c", b"\n")


# --- torn ---


@pytest.mark.parametrize(
    ("there", "whole"),
    [
        (b"one\ntw", b"one\n"),
        (b"one\n\0\0\0\0", b"one\n"),
        (b"tw", b""),
        (b"one\n", b"one\n"),
        (b"", b""),
    ],
)
def test_a_torn_last_line_is_cut_off_before_the_next(lines, folder, there, whole):
    (folder / "f").write_bytes(there)
    assert lines.append("f", b"next\n") == len(there) - len(whole)
    assert (folder / "f").read_bytes() == whole + b"next\n"


def test_what_is_longer_than_anything_of_ours_is_not_cut(tmp_path, folder):
    with closing(Lines.open(tmp_path, "files", "org.example.x", most_bytes=10 * BATCH_BYTES)) as lines:
        foreign = b"x" * (BATCH_BYTES + 1)
        (folder / "f").write_bytes(foreign)
        assert refusal(lines) == "in_the_way"
        assert (folder / "f").read_bytes() == foreign
        (folder / "g").write_bytes(b"kept\n" + b"x" * (BATCH_BYTES - 1))
        assert lines.append("g", b"next\n") == BATCH_BYTES - 1
        assert (folder / "g").read_bytes() == b"kept\nnext\n"


def test_a_full_disk_leaves_no_half_of_it(lines, folder):
    import resource

    lines.append("f", b"before\n")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20, limits[1]))
        assert refusal(lines, data=b"x" * 99 + b"\n") == "unavailable"
        assert (folder / "f").read_bytes() == b"before\n"
        lines.append("f", b"short\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert (folder / "f").read_bytes() == b"before\nshort\n"


KILLED = """
import sys
from pathlib import Path
from pp_host.keep.lines import Lines

lines = Lines.open(Path(sys.argv[1]), "files", "org.example.x", most_bytes=10**9)
turn = 0
while True:
    lines.append("f", (f"{turn:07} " + "x" * 500_000 + "\\n").encode())
    print(turn, flush=True)
    turn += 1
"""


@pytest.mark.parametrize("appends", [1, 5, 20])
def test_killed_in_the_middle_of_it_whole_lines_are_left(tmp_path, folder, appends):
    writer = subprocess.Popen([sys.executable, "-c", KILLED, tmp_path], stdout=subprocess.PIPE, text=True)
    told = [int(writer.stdout.readline()) for _ in range(appends)][-1]
    os.kill(writer.pid, signal.SIGKILL)
    rest, _ = writer.communicate()
    answered = int((rest.splitlines() or [told])[-1])
    with closing(Lines.open(tmp_path, "files", "org.example.x", most_bytes=10**9)) as lines:
        lines.append("f", b"after\n")
    *found, last = (folder / "f").read_bytes().splitlines()
    assert last == b"after"
    assert len(found) in (answered + 1, answered + 2), "what was answered is there"
    assert all(line == f"{n:07} ".encode() + b"x" * 500_000 for n, line in enumerate(found))


# --- in the way ---


def linked(path, outside):
    path.symlink_to(outside)


def dangling(path, outside):
    path.symlink_to(outside.with_name("made-by-it"))


def hard(path, outside):
    path.hardlink_to(outside)


def piped(path, outside):
    os.mkfifo(path)


def folded(path, outside):
    path.mkdir()


def bound(path, outside):
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.getcwd()
        os.chdir(path.parent)
        listener.bind(path.name)
        os.chdir(here)


@pytest.mark.parametrize("obstacle", [linked, dangling, hard, piped, folded, bound])
def test_whatever_else_has_the_name_is_not_written(lines, folder, tmp_path, obstacle):
    outside = tmp_path / "outside"
    outside.write_bytes(b"mine\n")
    obstacle(folder / "f", outside)
    assert refusal(lines) == "in_the_way"
    assert outside.read_bytes() == b"mine\n"
    assert not (tmp_path / "made-by-it").exists()
    lines.append("g", b"fine\n")


@pytest.mark.parametrize("at", ["files", "files/org.example.x"])
def test_a_symlink_where_the_folder_should_be_is_an_operators_error(tmp_path, at):
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "files").mkdir()
    if at == "files":
        (tmp_path / "files").rmdir()
    (tmp_path / at).symlink_to(outside)
    with pytest.raises(OperatorError) as error:
        Lines.open(tmp_path, "files", "org.example.x", most_bytes=MOST)
    assert str(error.value).startswith(f"{tmp_path / at}: cannot be used: ")
    assert "move this away" in error.value.hint
    assert not list(outside.iterdir())


def test_a_folder_that_others_can_write_is_refused(tmp_path):
    (tmp_path / "files").mkdir()
    (tmp_path / "files").chmod(0o777)
    with pytest.raises(OperatorError, match="others can write it"):
        Lines.open(tmp_path, "files", "org.example.x", most_bytes=MOST)
    (tmp_path / "files").chmod(0o700)
    Lines.open(tmp_path, "files", "org.example.x", most_bytes=MOST).close()


def test_the_folder_is_the_one_that_was_opened(lines, folder, tmp_path):
    """Swapped for a symlink in mid-run, it still leads nowhere else."""
    outside = tmp_path / "outside"
    outside.mkdir()
    folder.rename(folder.with_name("moved"))
    folder.symlink_to(outside)
    lines.append("f", b"line\n")
    assert not list(outside.iterdir())
    assert (folder.with_name("moved") / "f").read_bytes() == b"line\n"
