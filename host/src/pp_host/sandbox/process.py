"""The process itself: its parent, session, descriptors, and the prctl switches that only ever go one way."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import sys
from typing import Final

from pp_host.sandbox import abi
from pp_host.sandbox.plan import CONTROL_FD, RPC_FD, RULESET_FD, Cell

GO: Final = b"go"

_PR_SET_PDEATHSIG: Final = 1
_PR_GET_PDEATHSIG: Final = 2
_PR_SET_DUMPABLE: Final = 4
_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_SET_MDWE: Final = 65
_MDWE_REFUSE_EXEC_GAIN: Final = 1
_ABOVE_THE_PLACES: Final = 16


def place_fds(rpc_fd: int, control_fd: int) -> None:
    """Move the two inherited sockets to their fixed numbers, whatever numbers they came with."""
    sources = [fcntl.fcntl(fd, fcntl.F_DUPFD, _ABOVE_THE_PLACES) for fd in (rpc_fd, control_fd)]
    for source, place in zip(sources, (RPC_FD, CONTROL_FD), strict=True):
        os.dup2(source, place)
    os.closerange(CONTROL_FD + 1, max(*sources, rpc_fd, control_fd) + 1)


def end_with_host() -> None:
    abi.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def signal_at_parents_end() -> int:
    number = bytearray(4)
    abi.call("prctl", _PR_GET_PDEATHSIG, number)
    return int.from_bytes(number, sys.byteorder)


def end_with_parent(_: Cell) -> None:
    """The signal is tied to the host's thread that started the launcher.

    In a new pid namespace getppid() is 0, so a host that died before the signal was armed shows as EOF here.
    """
    end_with_host()
    if os.read(CONTROL_FD, len(GO)) != GO:
        os._exit(0)


def new_session(_: Cell) -> None:
    os.setsid()


def keep_only_rpc_fd(_: Cell) -> None:
    """Besides stdio: the control socket and the Landlock ruleset stay until the steps that use them up."""
    abi.call("close_range", RULESET_FD + 1, 0xFFFF_FFFF, 0)


def no_new_privs(_: Cell) -> None:
    forbid_gaining_privileges()


def forbid_gaining_privileges() -> None:
    """Landlock and seccomp ask for this of a process without rights."""
    abi.prctl(_PR_SET_NO_NEW_PRIVS, 1)


def undumpable(_: Cell) -> None:
    """No core, and no way in for ptrace or /proc/PID/mem from another process of the same user."""
    abi.prctl(_PR_SET_DUMPABLE, 0)


def deny_write_exec(_: Cell) -> None:
    """Kernels before 6.3 lack this switch; seccomp refuses executable memory on every kernel (policy.py)."""
    try:
        abi.prctl(_PR_SET_MDWE, _MDWE_REFUSE_EXEC_GAIN)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
