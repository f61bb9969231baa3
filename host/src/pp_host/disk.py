"""Small files of the home: bounded reads of regular files, durable replacement of whole files.

Laws: a symlink is never followed at the last step of a path, a file is judged by the descriptor that is then
read, and after a kill or a power cut at any moment a path holds either its old bytes or its new ones.
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from pp_host.errors import OperatorError, Refused

_OF_A_DATABASE = ("", "-wal", "-shm", "-journal")  # what SQLite opens and makes, by the ends of their names


def read(path: Path, most_bytes: int, *, forbidden: int = 0) -> bytes:
    """The bytes of a regular file of at most `most_bytes`. Errors: OSError, OperatorError.

    forbidden: mode bits that it may not have, such as 0o077; then it must be this user's or root's, else Refused
    """
    # O_NONBLOCK: opening a fifo must not wait for its writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            raise OperatorError(f"{path}: not a regular file")
        _check_guard(path, state, forbidden)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(most_bytes + 1)
    finally:
        os.close(descriptor)
    if len(data) > most_bytes:
        raise OperatorError(f"{path}: larger than {most_bytes:,} bytes", hint="is it the right file?")
    return data


def _check_guard(path: Path, state: os.stat_result, forbidden: int) -> None:
    us = os.geteuid()
    if forbidden and state.st_uid not in {us, 0}:
        raise Refused(f"{path}: belongs to user {state.st_uid}, not to {us}", hint=f"chown {us} {path}")
    mode = stat.S_IMODE(state.st_mode)
    if mode & forbidden:
        safe = mode & ~forbidden
        raise Refused(f"{path}: open to other users (mode {mode:04o})", hint=f"chmod {safe:04o} {path}")


def find_database(path: Path, *, hint: str) -> bool:
    """Whether there is a file at `path` for SQLite, which would wait for ever at a fifo, there or beside it.

    Errors: OSError, OperatorError with `hint`.
    """
    found = [_is_regular(path.with_name(path.name + suffix), hint) for suffix in _OF_A_DATABASE]
    return found[0]


def remove_database(path: Path) -> None:
    """Remove what SQLite made of a file at `path`, as far as it is there. Errors: OSError."""
    for suffix in _OF_A_DATABASE:
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _is_regular(path: Path, hint: str) -> bool:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(mode):
        raise OperatorError(f"{path}: not a regular file", hint=hint)
    return True


def create(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Make `path` a file of these bytes, durably, or leave it absent. Errors: OSError, FileExistsError."""
    _create(path, data, mode)
    sync_folder(path.parent)


def write(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Replace `path` by a file of these bytes, durably and all at once. Errors: OSError."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    _create(draft, data, mode)
    try:
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(path.parent)


def _create(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
