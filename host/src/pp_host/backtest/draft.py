"""A folder that appears whole or not at all.

Laws: it is made under a name of its own beside the place where it will be, synced, and renamed. Whoever makes it holds
a lock on it, so that what a killed process left behind is known and cleared by the next one, and by nobody else.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pp_host import disk
from pp_host.errors import OperatorError

HINT = "name a folder that does not exist yet, inside one that you can write to"


@contextmanager
def draft(out: Path, names: Collection[str]) -> Iterator[Path]:
    """An empty folder that becomes `out` when the block ends well, else is gone. Errors: OperatorError.

    names: the files that will be in it, and that a killed process may have left
    """
    out = out.absolute()
    if os.path.lexists(out):
        raise OperatorError(f"{out}: exists", hint=HINT)
    folder = out.with_name(f".{out.name}.import")
    try:
        folder.mkdir(exist_ok=True)
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise OperatorError(f"{out}: cannot be made: {error.strerror}", hint=HINT) from None
    try:
        _take(folder, lock, out, names)
        try:
            yield folder
            _publish(folder, out)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    finally:
        os.close(lock)


def _take(folder: Path, lock: int, out: Path, names: Collection[str]) -> None:
    """The folder is ours, and empty."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OperatorError(f"{out}: another import is writing it", hint="wait for it, or end it") from None
    others = sorted(left.name for left in folder.iterdir() if left.name not in names)
    if others:
        raise OperatorError(
            f"{folder}: holds {others[0]}, which no import wrote", hint="move that folder away"
        )
    for name in names:
        (folder / name).unlink(missing_ok=True)


@contextmanager
def drafted_file(path: Path) -> Iterator[BinaryIO]:
    """A new file, durable when the block ends. Errors: OperatorError."""
    try:
        with path.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        what = f"{path}: cannot be written: {error.strerror or error}"
        raise OperatorError(what, hint="make room there, or name another place") from None


def _publish(folder: Path, out: Path) -> None:
    disk.sync_folder(folder)
    try:
        folder.rename(out)
    except OSError as error:
        raise OperatorError(f"{out}: cannot be made: {error.strerror}", hint=HINT) from None
    disk.sync_folder(out.parent)
