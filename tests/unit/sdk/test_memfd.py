"""Sealed memory: nobody can change it, and nothing unsealed is believed."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os

import pytest
from pp_sdk.memfd import COPY_BYTES, SEALS, NotSealed, seal, unseal

SIZES = [1, 100, COPY_BYTES - 1, COPY_BYTES, COPY_BYTES + 1, 1_000_003]


@pytest.fixture
def sealed():
    fds = []

    def make(block):
        fds.append(seal(block))
        return fds[-1]

    yield make
    for fd in fds:
        os.close(fd)


@pytest.mark.parametrize("size", SIZES)
def test_what_was_sealed_is_read(sealed, size):
    block = os.urandom(size)
    view = unseal(sealed(memoryview(block)), size)
    assert view.readonly
    assert view == block


def test_a_view_outlives_its_descriptor():
    block = os.urandom(COPY_BYTES)
    fd = seal(block)
    view = unseal(fd, COPY_BYTES)
    os.close(fd)
    assert view == block


@pytest.mark.parametrize(
    ("change", "number"),
    [
        (lambda fd: os.write(fd, b"x"), errno.EBADF),
        (lambda fd: os.pwrite(reopened(fd), b"x", 0), errno.EPERM),
        (lambda fd: os.ftruncate(fd, 0), errno.EINVAL),
        (lambda fd: os.ftruncate(reopened(fd), 0), errno.EPERM),
        (lambda fd: os.ftruncate(reopened(fd), 10_000), errno.EPERM),
        (lambda fd: mmap.mmap(fd, 5, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE), errno.EACCES),
        (lambda fd: mmap.mmap(reopened(fd), 5, mmap.MAP_SHARED, mmap.PROT_WRITE), errno.EPERM),
        (lambda fd: fcntl.fcntl(reopened(fd), fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE), errno.EPERM),
    ],
)
def test_a_holder_cannot_change_it(sealed, change, number):
    """Root reopens it for writing in spite of its mode; the seals hold all the same."""
    fd = sealed(b"12345")
    with pytest.raises(OSError) as caught:
        change(fd)
    assert caught.value.errno in {number, errno.EACCES}
    assert unseal(fd, 5) == b"12345"


def reopened(fd):
    return os.open(f"/proc/self/fd/{fd}", os.O_RDWR | os.O_CLOEXEC)


def test_its_mode_is_0400(sealed):
    assert os.fstat(sealed(b"x")).st_mode & 0o777 == 0o400


def test_another_length_than_announced_is_refused(sealed):
    fd = sealed(b"12345")
    for length in (0, 4, 6, 2**31):
        with pytest.raises(NotSealed, match=f"5 bytes where {length} were announced"):
            unseal(fd, length)
    assert unseal(fd, 5) == b"12345"


@pytest.mark.parametrize(
    "missing", [fcntl.F_SEAL_SHRINK, fcntl.F_SEAL_GROW, fcntl.F_SEAL_WRITE, fcntl.F_SEAL_SEAL]
)
def test_memory_that_lacks_one_seal_is_refused(missing):
    fd = os.memfd_create("pp", os.MFD_ALLOW_SEALING)
    try:
        os.write(fd, b"12345")
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, SEALS & ~missing)
        with pytest.raises(NotSealed, match="not sealed against every change"):
            unseal(fd, 5)
        if missing != fcntl.F_SEAL_SEAL:
            return
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, missing)
        assert unseal(fd, 5) == b"12345"
    finally:
        os.close(fd)


def test_a_plain_file_is_refused(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    with path.open("rb") as file, pytest.raises(OSError, match="Invalid argument"):
        unseal(file.fileno(), 5)
