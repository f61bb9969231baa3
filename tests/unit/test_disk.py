"""Small files: bounded and regular when read, whole when written."""

from __future__ import annotations

import os

import pytest
from pp_host import disk
from pp_host.errors import OperatorError


def test_what_was_written_is_read(tmp_path):
    path = tmp_path / "file"
    disk.write(path, b"one")
    disk.write(path, b"two")
    assert disk.read(path, 3) == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [found.name for found in tmp_path.iterdir()] == ["file"]


def test_one_byte_too_many_is_refused(tmp_path):
    path = tmp_path / "file"
    disk.write(path, b"1234")
    with pytest.raises(OperatorError, match="larger than 3 bytes"):
        disk.read(path, 3)


def test_a_symlink_is_not_followed(tmp_path):
    (tmp_path / "real").write_bytes(b"x")
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(OSError, match="symbolic links"):
        disk.read(tmp_path / "link", 10)


def test_a_fifo_does_not_hang_the_reader(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OperatorError, match="not a regular file"):
        disk.read(tmp_path / "fifo", 10)


def test_a_failed_write_leaves_the_old_bytes_and_no_draft(tmp_path):
    target = tmp_path / "folder"
    target.mkdir()
    (target / "keep").write_bytes(b"x")
    with pytest.raises(OSError, match="folder"):
        disk.write(target, b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def test_no_descriptor_is_left_open_whatever_is_read(tmp_path):
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "file").chmod(0o644)
    os.mkfifo(tmp_path / "fifo")
    before = descriptors()
    for path in (tmp_path, tmp_path / "fifo"):
        with pytest.raises(OperatorError, match="not a regular file"):
            disk.read(path, 10)
    with pytest.raises(OperatorError, match="open to other users"):
        disk.read(tmp_path / "file", 10, forbidden=0o077)
    with pytest.raises(OperatorError, match="larger than"):
        disk.read(tmp_path / "file", 4)
    assert disk.read(tmp_path / "file", 5) == b"12345"
    assert descriptors() == before


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm", "-journal"])
def test_a_database_has_only_regular_files(tmp_path, suffix):
    path = tmp_path / "data.db"
    assert disk.find_database(path, hint="") is False
    path.touch()
    assert disk.find_database(path, hint="") is True
    (tmp_path / f"data.db{suffix}").unlink(missing_ok=True)
    os.mkfifo(tmp_path / f"data.db{suffix}")
    with pytest.raises(OperatorError, match="not a regular file") as refused:
        disk.find_database(path, hint="move it away")
    assert refused.value.hint == "move it away"


def test_a_database_goes_with_all_its_files(tmp_path):
    path = tmp_path / "data.db"
    for name in ("data.db", "data.db-wal", "data.db-shm", "data.db-journal", "data.db2"):
        (tmp_path / name).touch()
    for _ in range(2):  # asked again it finds nothing to do
        disk.remove_database(path)
        assert [found.name for found in tmp_path.iterdir()] == ["data.db2"]


def test_what_is_created_is_new_and_whole(tmp_path, monkeypatch):
    path = tmp_path / "key"
    disk.create(path, b"one", 0o644)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"one", 0o644)
    with pytest.raises(FileExistsError):
        disk.create(path, b"two")
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(FileExistsError):
        disk.create(tmp_path / "link", b"two")
    assert path.read_bytes() == b"one"

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        disk.create(tmp_path / "half", b"three")
    assert sorted(found.name for found in tmp_path.iterdir()) == ["key", "link"]
