"""How this room reads and writes files: `pp_host.disk` in the words of an operator, and one writer per folder.

Laws: what counts as trust or a key is read only when other users cannot have written, or read, it.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pp_host import disk
from pp_host.errors import OperatorError
from pp_host.limits import LIMITS

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
        return disk.read(path, most_bytes, forbidden=forbidden)
    except OSError as error:
        hint = "give the path of the file itself, not of a symlink" if path.is_symlink() else ""
        raise OperatorError(f"{path}: cannot be read: {error.strerror}", hint=hint) from None


def write(path: Path, data: bytes, mode: int) -> None:
    """Replace `path` by a file of these bytes, durably and all at once. Errors: OperatorError."""
    try:
        disk.write(path, data, mode)
    except OSError as error:
        raise OperatorError(f"{path}: cannot be written: {error.strerror}") from None


def rename(old: Path, new: Path) -> None:
    """Put `old` in the place of `new`, durably. Errors: OperatorError."""
    try:
        old.replace(new)
        disk.sync_folder(new.parent)
    except OSError as error:
        raise OperatorError(f"{new}: cannot be written: {error.strerror}") from None


def remove(path: Path) -> None:
    """Make sure that there is nothing at `path`, durably. Errors: OperatorError."""
    try:
        path.unlink(missing_ok=True)
        disk.sync_folder(path.parent)
    except OSError as error:
        raise OperatorError(f"{path}: cannot be removed: {error.strerror}") from None


def create(path: Path, data: bytes, mode: int) -> None:
    """Make a new file of these bytes, durably. Errors: OperatorError, also where there is one already."""
    try:
        disk.create(path, data, mode)
    except FileExistsError:
        hint = "it is never overwritten; name another"
        raise OperatorError(f"{path}: exists already", hint=hint) from None
    except OSError as error:
        raise OperatorError(f"{path}: cannot be written: {error.strerror}") from None


def exists(path: Path) -> bool:
    """Whether there is anything at `path`. Errors: OperatorError where that cannot be known."""
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise OperatorError(f"{path}: cannot be read: {error.strerror}") from None
    return True


def within(folder: Path, suffix: str) -> list[Path]:
    """What is in `folder` under names that end in `suffix`, sorted; an absent one is empty. Errors: OperatorError."""
    try:
        return sorted(path for path in folder.iterdir() if path.name.endswith(suffix))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise OperatorError(f"{folder}: cannot be read: {error.strerror}") from None


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold `folder` against every other process that asks for it; a killed holder lets go. Errors: OperatorError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    deadline = time.monotonic() + LIMITS.package.lock_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise OperatorError(
                    f"{folder}: another pp is installing", hint="wait for it, or end it"
                ) from None
            time.sleep(0.05)
        else:
            return
