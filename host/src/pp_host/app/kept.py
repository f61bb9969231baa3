"""What one plugin keeps in a home: where, how much, and the end of it.

Laws: a plugin's id names its place and nothing else does. Erasing follows no symlink, and erases what is left when it
is asked again.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from pp_host import disk
from pp_host.errors import OperatorError
from pp_host.home import Home
from pp_host.keep import lines, values

VALUES, FILES, RUN_FILES = "values", "files", "run-files"


def values_file(home: Home, plugin: str) -> Path:
    return home.state / VALUES / f"{plugin}{values.SUFFIX}"


def folders(home: Home, plugin: str) -> list[Path]:
    """Every folder with files of a plugin's: the lasting one, and one of each run on a tape or without orders."""
    lasting, runs = home.state / FILES / plugin, (home.state / RUN_FILES).glob(f"*/{plugin}")
    found = [path for path in (lasting, *sorted(runs)) if os.path.lexists(path)]
    return [path for path in found if not _elsewhere(home, path)]


def _elsewhere(home: Home, path: Path) -> bool:
    """Whether a link leads there: nothing is ever written through one, so what lies behind it is not a plugin's."""
    return any(above.is_symlink() for above in path.parents if above.is_relative_to(home.state))


def left(home: Home, plugin: str) -> bool:
    """Whether there is anything of a plugin's."""
    return os.path.lexists(values_file(home, plugin)) or bool(folders(home, plugin))


def kept(home: Home, plugin: str) -> dict[str, Any]:
    """Where a plugin's values and files are and how many bytes they have, of files those of every run."""
    found = [_measured(path) for path in folders(home, plugin)]
    return {
        "values": str(values_file(home, plugin)),
        "value_bytes": values.kept_bytes(values_file(home, plugin)),
        "folder": str(home.state / FILES / plugin),
        "run_folders": str(home.state / RUN_FILES / "*" / plugin),
        "files": sum(number for number, _ in found),
        "file_bytes": sum(size for _, size in found),
    }


def _measured(path: Path) -> tuple[int, int]:
    try:
        folder = os.open(path, lines.FOLDER)
        try:
            return lines.measure(folder)
        finally:
            os.close(folder)
    except OSError as error:
        hint = "only what plugins write belongs there; move this away"
        raise OperatorError(f"{path}: cannot be read: {error.strerror}", hint=hint) from None


def drop_if_empty(folder: Path) -> None:
    """Take away one run's folder of a plugin that wrote nothing in it, and the run's own after the last of them."""
    with suppress(OSError):  # there is something in it
        folder.rmdir()
        folder.parent.rmdir()


def erase(home: Home, plugin: str) -> None:
    """Remove all of it. Errors: OperatorError; asked again it goes on."""
    try:
        for path in folders(home, plugin):
            path.unlink() if path.is_symlink() else shutil.rmtree(path)
        disk.remove_database(values_file(home, plugin))
    except OSError as error:
        raise OperatorError(f"{error.filename}: cannot be erased: {error.strerror}") from None
