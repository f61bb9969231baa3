"""The process itself: its parent, session, descriptors, and the prctl switches that only ever go one way."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import sys
from typing import Final

from pp_host.sandbox import abi
from pp_host.sandbox.plan import CONTROL_FD, PROC_FD, RPC_FD, RULESET_FD, ZYGOTE_FD, SandboxPlan

GO: Final = b"go"

_PR_SET_PDEATHSIG: Final = 1
_PR_GET_PDEATHSIG: Final = 2
_PR_SET_DUMPABLE: Final = 4
_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_SET_MDWE: Final = 65
_MDWE_REFUSE_EXEC_GAIN: Final = 1
_ABOVE_THE_PLACES: Final = 16


def place_in_zygote(control_fd: int) -> None:
    """Move what the zygote needs to fixed numbers, and keep those taken that its children use."""
    control = fcntl.fcntl(control_fd, fcntl.F_DUPFD, _ABOVE_THE_PLACES)
    for place in (RPC_FD, CONTROL_FD, RULESET_FD, PROC_FD):
        os.dup2(0, place)
    os.dup2(control, ZYGOTE_FD)
    os.closerange(PROC_FD + 1, control + 1)
    proc = os.open("/proc", os.O_PATH | os.O_DIRECTORY)
    os.dup2(proc, PROC_FD)
    os.close(proc)


def place_in_child(rpc_fd: int, control_fd: int, stdout: int, stderr: int) -> None:
    """All four arrived above the fixed numbers, since those are taken."""
    os.dup2(rpc_fd, RPC_FD)
    os.dup2(control_fd, CONTROL_FD)
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)


def end_with_host() -> None:
    abi.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def signal_at_parents_end() -> int:
    number = bytearray(4)
    abi.call("prctl", _PR_GET_PDEATHSIG, number)
    return int.from_bytes(number, sys.byteorder)


def await_go(control_fd: int) -> None:
    """A host that has ended shows as EOF here."""
    if os.read(control_fd, len(GO)) != GO:
        os._exit(1)


def end_with_parent(_: SandboxPlan) -> None:
    """The signal is tied to the host's thread that started the zygote.

    In a new pid namespace getppid() is 0, so a host that died before the signal was armed shows as EOF here.
    """
    end_with_host()
    await_go(CONTROL_FD)


def new_session(_: SandboxPlan) -> None:
    os.setsid()


def keep_only_rpc_fd(plan: SandboxPlan) -> None:
    """Besides stdio: the control socket and the Landlock ruleset stay until the steps that use them up."""
    first = RULESET_FD if plan.level == "L1" else RULESET_FD + 1
    abi.call("close_range", first, 0xFFFF_FFFF, 0)


def no_new_privs(_: SandboxPlan) -> None:
    forbid_gaining_privileges()


def forbid_gaining_privileges() -> None:
    """Landlock and seccomp ask for this of a process without rights."""
    abi.prctl(_PR_SET_NO_NEW_PRIVS, 1)


def dumpable() -> None:
    """Changing ids made the zygote undumpable, which would keep its children from writing their own id maps."""
    abi.prctl(_PR_SET_DUMPABLE, 1)


def undumpable(_: SandboxPlan) -> None:
    """No core, and no way in for ptrace or /proc/PID/mem from another process of the same user."""
    abi.prctl(_PR_SET_DUMPABLE, 0)


def deny_write_exec(_: SandboxPlan) -> None:
    """Kernels before 6.3 lack this switch; seccomp refuses executable memory on every kernel (policy.py)."""
    try:
        abi.prctl(_PR_SET_MDWE, _MDWE_REFUSE_EXEC_GAIN)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
