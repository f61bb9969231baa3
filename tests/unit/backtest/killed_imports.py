"""Run by test_import.py in a process of its own: kill an import at each of its changes of the disk, then look.

Arguments: a file of prices, a mapping file, an empty folder, how many steps to try. Prints one JSON line a step: whether
the import ended by itself, what the folder holds under a name that is not hidden, and what it holds after one more.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pyarrow.compute  # nothing is loaded, and so opened, after the fork
import pyarrow.parquet  # noqa: F401
from pp_host.backtest import bookfile, piles  # noqa: F401
from pp_host.backtest.intake import PROOF, import_tape
from pp_host.backtest.tape import Tape


def make(prices: Path, mapping: Path, out: Path) -> None:
    import_tape([prices], mapping, out, lambda path, rows: None)


def die_at(step: int) -> None:
    """End this process without any clean-up at its n-th change of the disk."""
    seen = 0

    def watch(event, args):
        nonlocal seen
        created = event == "open" and isinstance(args[2], int) and bool(args[2] & os.O_CREAT)
        seen += created or event in {"os.mkdir", "os.rename", "os.remove"}
        if seen == step:
            os._exit(9)

    sys.addaudithook(watch)


def held(folder: Path) -> list[str]:
    """What can be seen; a tape that is there can be played."""
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    for name in names:
        Tape.open(folder / name, PROOF)
    return names


def attempt(prices: Path, mapping: Path, folder: Path, step: int) -> dict[str, object]:
    folder.mkdir()
    child = os.fork()
    if child == 0:
        die_at(step)
        make(prices, mapping, folder / "tape")
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    found = held(folder)
    if not found:
        make(prices, mapping, folder / "tape")
    return {"finished": code == 0, "found": found, "all": sorted(path.name for path in folder.iterdir())}


def main(prices: Path, mapping: Path, folder: Path, steps: int) -> None:
    for step in range(1, steps + 1):
        print(json.dumps(attempt(prices, mapping, folder / str(step), step)))


main(*map(Path, sys.argv[1:4]), int(sys.argv[4]))
