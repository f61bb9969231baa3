"""The kill latch: durable, kept, and believed when in doubt."""

from __future__ import annotations

import json
import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pp_host.latch import NAME, clear_latch, raise_latch, read_latch


def test_no_latch_and_back(tmp_path):
    assert read_latch(tmp_path) is None
    raise_latch(tmp_path, "the market is odd", by="host")
    assert read_latch(tmp_path) == "the market is odd"
    clear_latch(tmp_path)
    assert read_latch(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_what_the_file_says(tmp_path):
    before = time.time_ns() // 1000
    raise_latch(tmp_path, "why")
    path = tmp_path / NAME
    latch = json.loads(path.read_text())
    assert latch.keys() == {"at", "reason", "by"}
    assert before <= latch["at"] <= time.time_ns() // 1000
    assert (latch["reason"], latch["by"]) == ("why", "operator")
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_second_latch_replaces_the_first_whole(tmp_path):
    raise_latch(tmp_path, "x" * 400)
    raise_latch(tmp_path, "short")
    assert read_latch(tmp_path) == "short"
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


@pytest.mark.parametrize("reason", ["", "\udcff not unicode", "long " * 1000, "line\nline \x1b[31m"])
def test_no_reason_is_too_odd_to_halt_for(tmp_path, reason):
    raise_latch(tmp_path, reason)
    assert read_latch(tmp_path)


@pytest.mark.parametrize("data", [b"", b"{}", b'{"at":1,"reason":"","by":"x"}', b"\xff", b"x" * 10_000])
def test_an_odd_file_is_a_latch(tmp_path, data):
    (tmp_path / NAME).write_bytes(data)
    assert read_latch(tmp_path)
    clear_latch(tmp_path)
    assert read_latch(tmp_path) is None


@given(data=st.binary(max_size=100))
def test_no_bytes_read_as_no_latch(tmp_path_factory, data):
    state = tmp_path_factory.mktemp("state")
    (state / NAME).write_bytes(data)
    assert read_latch(state)


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.mkdir(),
        lambda path: path.symlink_to("nowhere"),
        lambda path: os.mkfifo(path),
    ],
    ids=["folder", "dangling symlink", "fifo"],
)
def test_what_cannot_be_read_is_a_latch(tmp_path, make):
    make(tmp_path / NAME)
    assert read_latch(tmp_path).startswith("the latch cannot be read")


def test_no_state_folder_is_a_latch(tmp_path):
    assert read_latch(tmp_path / "gone") == f"{tmp_path / 'gone'} cannot be read"


def test_raising_over_a_folder_stays_latched(tmp_path):
    (tmp_path / NAME).mkdir()
    raise_latch(tmp_path, "why")
    assert read_latch(tmp_path)


def test_a_disk_that_takes_names_but_no_bytes_still_latches(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pp_host.latch.disk.write", full)
    raise_latch(tmp_path, "why")
    assert read_latch(tmp_path) == "the latch is not readable as one"


def test_a_latch_that_cannot_be_made_is_an_error(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        raise_latch(tmp_path / "gone", "why")
