"""How this room reads and writes files: bounded, regular, guarded against other users, one writer per folder.

Laws: a symlink is never followed at the last step of a path, and a file is judged by the descriptor that is
then read. Whole files are replaced by `pp_host.disk`.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pp_host import disk
from pp_host.errors import OperatorError, Refused

_OTHERS_WRITE = 0o022
_OTHERS_ANY = 0o077


def read(path: Path, most_bytes: int) -> bytes:
    """The bytes of a regular file of at most `most_bytes`. Errors: OperatorError."""
    return _read(path, most_bytes, forbidden=0)


def read_guarded(path: Path, most_bytes: int) -> bytes:
    """The same, of a file that nobody but this user (or root) can have written. Errors: also Refused."""
    return _read(path, most_bytes, forbidden=_OTHERS_WRITE)


def read_private(path: Path, most_bytes: int) -> bytes:
    """The same, of a file that nobody but this user (or root) can have read. Errors: also Refused."""
    return _read(path, most_bytes, forbidden=_OTHERS_ANY)


def _read(path: Path, most_bytes: int, *, forbidden: int) -> bytes:
    try:
        with open(path, "rb", opener=_open_itself) as file:
            state = os.fstat(file.fileno())
            if not stat.S_ISREG(state.st_mode):
                raise OperatorError(f"{path}: not a regular file")
            _check_guard(path, state, forbidden)
            data = file.read(most_bytes + 1)
    except OSError as error:
        hint = "give the path of the file itself, not of a symlink" if path.is_symlink() else ""
        raise OperatorError(f"{path}: cannot be read: {error.strerror}", hint=hint) from None
    if len(data) > most_bytes:
        raise OperatorError(f"{path}: larger than {most_bytes:,} bytes")
    return data


def _open_itself(path: str, flags: int) -> int:
    # O_NONBLOCK: opening a fifo must not wait for its writer.
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)


def _check_guard(path: Path, state: os.stat_result, forbidden: int) -> None:
    us = os.geteuid()
    if forbidden and state.st_uid not in {us, 0}:
        raise Refused(f"{path}: belongs to user {state.st_uid}, not to {us}", hint=f"chown {us} {path}")
    mode = stat.S_IMODE(state.st_mode)
    if mode & forbidden:
        safe = mode & ~forbidden
        raise Refused(f"{path}: open to other users (mode {mode:04o})", hint=f"chmod {safe:04o} {path}")


def write(path: Path, data: bytes, mode: int) -> None:
    """Replace `path` by a file of these bytes, durably and all at once. Errors: OperatorError."""
    try:
        disk.write(path, data, mode)
    except OSError as error:
        raise OperatorError(f"{path}: cannot be written: {error.strerror}") from None


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold `folder` against every other process that asks for it; a killed holder lets go."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
