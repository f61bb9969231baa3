"""Tries one wall that needs no other, in a process of its own: `python -c "...trial.main('landlock')"`.

Ends with status 0 if the wall holds, else with the errno of what failed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
from typing import Final

from pp_host.sandbox import landlock, policy, process, seccomp, syscalls

_LET_THROUGH: Final = 255


def landlock_holds() -> None:
    landlock.build((), ())
    process.forbid_gaining_privileges()
    landlock.enforce()
    with contextlib.suppress(PermissionError):
        os.scandir("/").close()
        os._exit(_LET_THROUGH)


def seccomp_holds() -> None:
    process.forbid_gaining_privileges()
    seccomp.load(policy.program(syscalls.native(), tmp=False))
    with contextlib.suppress(PermissionError):
        socket.socket(socket.AF_INET, socket.SOCK_STREAM).close()
        os._exit(_LET_THROUGH)


TRIALS: Final = {"landlock": landlock_holds, "seccomp": seccomp_holds}


def main(wall: str) -> None:
    try:
        TRIALS[wall]()
    except OSError as error:
        sys.exit(error.errno or errno.EIO)
