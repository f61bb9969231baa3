"""For scripts that kill what the store does at each of its changes of the disk: one process each, ended there."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

CHANGES = {"os.rename", "os.remove", "os.rmdir", "shutil.rmtree"}


def killed_at(step: int, what: Callable[[], object]) -> bool:
    """Do it in a process that ends without any clean-up at its n-th change of the disk. True: it came to that."""
    child = os.fork()
    if child == 0:
        sys.addaudithook(until(step))
        what()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0


def until(step: int) -> Callable[[str, tuple[object, ...]], None]:
    seen = 0

    def watch(event: str, args: tuple[object, ...]) -> None:
        nonlocal seen
        seen += event in CHANGES or (event == "open" and creates(*args))
        if seen == step:
            os._exit(9)

    return watch


def creates(path: object, _mode: object, flags: int) -> bool:
    """Whether a file is made that is not the one which stands for the record."""
    return bool(flags & os.O_CREAT) and not str(path).endswith("record")
