"""One plugin's files of lines: whole lines added at the end, within a quota, in a folder of its own.

Laws: a file is opened by its name in the folder's descriptor, never through a path, and is refused unless it is a
regular file of ours under one name. Nothing half-written stays: what did not fit is cut off at once, what a crash tore
is cut off before the next line. Only whole lines of at most BATCH_BYTES are ever cut. An operator may read, move and
remove these files at any time.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from pp_sdk.wire.frames import FRAME_BYTES

from pp_host.errors import OperatorError, RequestRefused
from pp_host.limits import LIMITS

BATCH_BYTES = FRAME_BYTES  # what one request can carry, and so what one crash can tear
APPENDING = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
OTHERS_WRITE = 0o022
LOOK_SECONDS = 1.0  # 4,096 files take some 20 ms
OTHER_KINDS = frozenset(
    {errno.ELOOP, errno.EISDIR, errno.ENXIO, errno.ENODEV}
)  # a symlink, a folder, a socket
TAKEN = "that name is taken by something that is no file of this plugin's lines"


class Lines:
    """Implements broker.asker.OwnLines. `open` makes it; whoever made it must `close` it.

    `seconds` is a clock that only goes forward: a full folder is not looked through at every refusal.
    """

    def __init__(self, folder: int, most_bytes: int, seconds: Callable[[], float]) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._seconds = seconds
        self._look_again = seconds()
        self._files, self._used = measure(folder)

    @classmethod
    def open(
        cls, state: Path, *below: str, most_bytes: int, seconds: Callable[[], float] = time.monotonic
    ) -> Self:
        """Lines in the folder `below` the state folder, each step of which is made, or must be ours. OperatorError."""
        with _usable(state):
            folder = os.open(state, FOLDER)
        for depth, name in enumerate(below, 1):
            above = folder
            try:
                with _usable(state.joinpath(*below[:depth])):
                    folder = _inner(name, above)
            finally:
                os.close(above)
        return cls(folder, most_bytes, seconds)

    def append(self, name: str, data: bytes) -> int:
        """Add `data`, whole lines, to a file; how many torn bytes were cut off before it.

        RequestRefused: over the quota, something else has that name, or the disk failed; then nothing was added.
        """
        try:
            is_new = not _exists(name, self._folder)
            self._check_room(len(data), is_new=is_new)
            file = os.open(name, APPENDING, 0o600, dir_fd=self._folder)
            self._files += is_new
            try:
                return self._add(file, data)
            finally:
                os.close(file)
        except OSError as error:
            if error.errno in OTHER_KINDS:
                raise RequestRefused("in_the_way", TAKEN) from error
            raise RequestRefused("unavailable", "the host could not write it") from error

    def _add(self, file: int, data: bytes) -> int:
        size = _size_of_ours(file)
        whole = _whole(file, size)
        if whole < size:
            os.ftruncate(file, whole)
        try:
            _write(file, data)
        except OSError:
            os.ftruncate(file, whole)
            raise
        self._used += whole - size + len(data)
        return size - whole

    def _check_room(self, more: int, *, is_new: bool) -> None:
        full = self._used + more > self._most_bytes or (is_new and self._files >= LIMITS.keep.files)
        if full and self._seconds() >= self._look_again:
            self._files, self._used = measure(self._folder)  # an operator may have made room
            self._look_again = self._seconds() + LOOK_SECONDS
        if self._used + more > self._most_bytes:
            what = f"{self._used} and {more} more are over the {self._most_bytes} bytes granted"
            raise RequestRefused("over_quota", what)
        if is_new and self._files >= LIMITS.keep.files:
            raise RequestRefused("over_quota", f"no more than {LIMITS.keep.files} files")

    def close(self) -> None:
        os.close(self._folder)


def measure(folder: int) -> tuple[int, int]:
    """How many files are in a folder, and their bytes. Errors: OSError."""
    with os.scandir(folder) as entries:
        found = [entry.stat(follow_symlinks=False) for entry in entries]
    return len(found), sum(one.st_size for one in found if stat.S_ISREG(one.st_mode))


def _inner(name: str, above: int) -> int:
    """The folder `name` in another, which is made if it is not there, and is ours. Errors: OSError, ValueError."""
    if not _exists(name, above):
        os.mkdir(name, 0o700, dir_fd=above)
    folder = os.open(name, FOLDER, dir_fd=above)
    found = os.fstat(folder)
    if found.st_uid != os.geteuid() or found.st_mode & OTHERS_WRITE:
        os.close(folder)
        raise PermissionError(0, "others can write it")
    return folder


@contextmanager
def _usable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        hint = "what plugins write goes into folders of this user's own; move this away"
        raise OperatorError(f"{path}: cannot be used: {error.strerror}", hint=hint) from None


def _exists(name: str, folder: int) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _size_of_ours(file: int) -> int:
    found = os.fstat(file)
    ours = stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and found.st_nlink == 1
    if not ours:
        raise RequestRefused("in_the_way", TAKEN)
    return found.st_size


def _whole(file: int, size: int) -> int:
    """Where the last whole line ends. RequestRefused: what stands behind it is longer than anything of ours."""
    if not size or os.pread(file, 1, size - 1) == b"\n":
        return size
    start = max(0, size - BATCH_BYTES)
    line = os.pread(file, BATCH_BYTES, start).rfind(b"\n")
    if line < 0 and start:
        raise RequestRefused("in_the_way", TAKEN)
    return start + line + 1


def _write(file: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(file, left) :]
