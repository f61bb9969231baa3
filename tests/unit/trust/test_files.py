from __future__ import annotations

import fcntl
import os

import pytest
from pp_host.errors import OperatorError, Refused
from pp_host.trust import files


def test_read(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    path.chmod(0o644)
    assert files.read(path, 5) == files.read_guarded(path, 5) == b"12345"
    path.chmod(0o600)
    assert files.read_private(path, 5) == b"12345"


def test_read_is_bounded(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    with pytest.raises(OperatorError, match="larger than 4 bytes"):
        files.read(path, 4)


def test_only_regular_files_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OperatorError, match="pipe: not a regular file"):
        files.read(tmp_path / "pipe", 10)
    with pytest.raises(OperatorError, match="not a regular file"):
        files.read(tmp_path, 10)
    with pytest.raises(OperatorError, match="cannot be read: No such file"):
        files.read(tmp_path / "absent", 10)


def test_symlinks_are_not_followed(tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "link").symlink_to("a")
    with pytest.raises(OperatorError, match="cannot be read") as caught:
        files.read(tmp_path / "link", 10)
    assert caught.value.hint == "give the path of the file itself, not of a symlink"


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666, 0o777])
def test_a_file_others_can_write_is_refused(tmp_path, mode):
    path = tmp_path / "a"
    path.write_bytes(b"1")
    path.chmod(mode)
    with pytest.raises(Refused, match=f"open to other users \\(mode {mode:04o}\\)") as caught:
        files.read_guarded(path, 10)
    assert caught.value.hint == f"chmod {mode & ~0o022:04o} {path}"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o610])
def test_a_secret_others_can_read_is_refused(tmp_path, mode):
    path = tmp_path / "a"
    path.write_bytes(b"1")
    path.chmod(mode)
    with pytest.raises(Refused, match="open to other users"):
        files.read_private(path, 10)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_somebody_else_is_refused(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"1")
    path.chmod(0o600)
    os.chown(path, 12345, 12345)
    with pytest.raises(Refused, match="belongs to user 12345, not to 0"):
        files.read_guarded(path, 10)


def test_write_replaces_whole_files(tmp_path):
    path = tmp_path / "a"
    files.write(path, b"one", 0o600)
    files.write(path, b"two", 0o444)
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o444
    assert list(tmp_path.iterdir()) == [path]


def test_write_says_where_it_failed(tmp_path):
    with pytest.raises(OperatorError, match=r"absent/a: cannot be written: No such file or directory"):
        files.write(tmp_path / "absent" / "a", b"", 0o600)


def test_locked_keeps_a_second_holder_out(tmp_path):
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        with files.locked(tmp_path), pytest.raises(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(descriptor)


def test_absent_is_not_unreadable(tmp_path):
    folder = tmp_path / "folder"
    assert (files.exists(folder), files.within(folder, ".json")) == (False, [])
    folder.mkdir()
    for name in ("b.json", "a.json", "c.txt"):
        (folder / name).touch()
    assert files.exists(folder / "a.json")
    assert [path.name for path in files.within(folder, ".json")] == ["a.json", "b.json"]
    folder.chmod(0)
    try:
        if os.access(folder, os.R_OK):
            pytest.skip("whoever runs this may read everything")
        with pytest.raises(OperatorError, match=r"a\.json: cannot be read: Permission denied"):
            files.exists(folder / "a.json")
        with pytest.raises(OperatorError, match=r"folder: cannot be read: Permission denied"):
            files.within(folder, ".json")
    finally:
        folder.chmod(0o700)
