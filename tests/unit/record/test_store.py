"""The record's files: nothing waits for ever on one, and each trouble has its own remedy."""

from __future__ import annotations

import os
import sqlite3

import pytest
from pp_host.errors import RecordError
from pp_host.record.store import DAMAGE_HINT, PERMISSION_HINT, Store, read_copy

FILES = ["record.db", "record.db-wal", "record.db-shm", "record.db-journal"]


@pytest.fixture
def store(tmp_path):
    store = Store.for_writing(tmp_path, b"note")
    yield store
    store.close()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("opened", ["reading", "writing"])
def test_a_fifo_in_the_place_of_a_file_is_refused_at_once(tmp_path, name, opened):
    Store.for_writing(tmp_path, b"note").close()
    (tmp_path / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / name)
    with pytest.raises(RecordError, match=f"{name}: not a regular file") as refused:
        Store.for_reading(tmp_path) if opened == "reading" else Store.for_writing(tmp_path, b"note")
    assert refused.value.hint == DAMAGE_HINT


def test_without_a_fifo_both_open(tmp_path):
    Store.for_writing(tmp_path, b"note").close()
    Store.for_reading(tmp_path).close()


def test_a_full_disk_is_not_damage(store):
    store._connection.execute("PRAGMA max_page_count = 1")
    rows = [(seq, "host.start", "", b"x" * 4096) for seq in range(100)]
    with pytest.raises(RecordError, match="database or disk is full") as full:
        store.commit(rows, 100, b"note")
    assert "make space" in full.value.hint


def test_a_database_that_may_not_be_written_is_not_damage(store):
    store._connection.execute("PRAGMA query_only = 1")
    with pytest.raises(RecordError, match="readonly") as refused:
        store.commit([(0, "host.start", "", b"x")], 1, b"note")
    assert refused.value.hint == PERMISSION_HINT


def test_a_database_that_another_program_holds_is_not_damage(store, tmp_path):
    store._connection.execute("PRAGMA busy_timeout = 1")
    other = sqlite3.connect(tmp_path / "record.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(RecordError, match="locked") as refused:
        store.commit([(0, "host.start", "", b"x")], 1, b"note")
    other.close()
    assert refused.value.hint.startswith("another program")


@pytest.mark.parametrize("garbage", [b"garbage" * 999, b"SQLite format 3\0" + b"\xff" * 9999])
def test_a_file_that_is_no_database_is_damage(tmp_path, garbage):
    (tmp_path / "record.db").write_bytes(garbage)
    with pytest.raises(RecordError) as damaged:
        Store.for_reading(tmp_path)
    assert damaged.value.hint == DAMAGE_HINT


@pytest.mark.parametrize("name", ["record.db", "checkpoint"])
def test_a_file_without_permission_is_not_damage(tmp_path, name):
    Store.for_writing(tmp_path, b"note").close()
    path = tmp_path / name
    path.touch()
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("whoever runs this may read everything")
    with pytest.raises(RecordError) as refused:
        read_copy(tmp_path) if name == "checkpoint" else Store.for_reading(tmp_path)
    assert refused.value.hint == PERMISSION_HINT


def test_rows_that_are_left_early_outlive_their_store_in_silence(store):
    store.commit([(seq, "host.start", "", b"x") for seq in range(3)], 3, b"note")
    left = store.rows()
    assert next(left)[0] == 0
    assert [row[0] for row in store.rows(newest_first=True)] == [2, 1, 0]
    store.close()
    left.close()
