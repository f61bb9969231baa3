"""Puts the filter of policy.py into force: the last wall, for every thread, irrevocably."""

from __future__ import annotations

import ctypes
import errno
import os
from functools import cache, partial
from typing import Final

from pp_host.sandbox import abi, policy, syscalls
from pp_host.sandbox.plan import SandboxPlan

_SET_MODE_FILTER: Final = 1
_FLAG_TSYNC: Final = 1
_FLAG_NEW_LISTENER: Final = 1 << 3
_FLAG_TSYNC_ESRCH: Final = 1 << 4
_LISTENING: Final = _FLAG_TSYNC | _FLAG_TSYNC_ESRCH | _FLAG_NEW_LISTENER
_UNHEARD: Final = (
    errno.EINVAL,
    errno.EBUSY,
)  # Linux before 5.7; somebody outside listens to a filter of their own
_INSTRUCTION_BYTES: Final = 8
_PR_GET_SECCOMP: Final = 21
_NO_FILTER: Final = 0


class _Program(ctypes.Structure):
    """`struct sock_fprog`"""

    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


@cache
def filter_program(level: str, own: int, *, foreign: bool, tmp: bool, told: bool) -> bytes:
    profile = policy.FOREIGN if foreign else policy.PURE
    fatal = policy.TELL if told else policy.KILL
    return policy.program(syscalls.native(), profile, tmp=tmp, level=level, own=own, fatal=fatal)


def install(plan: SandboxPlan) -> int | None:
    """A descriptor that hears of fatal calls, where the plan wants one and the machine can; else they kill.

    A container's own filter would answer first where it refuses a call, and the host never hear of it; nothing answers
    before a kill.
    """
    assemble = partial(filter_program, plan.level, os.getpid(), foreign=bool(plan.room), tmp=plan.tmp_mb > 0)
    if plan.told and abi.prctl(_PR_GET_SECCOMP) == _NO_FILTER:
        try:
            return _enforce(assemble(told=True), _LISTENING)
        except OSError as error:
            if error.errno not in _UNHEARD:
                raise
    load(assemble(told=False))
    return None


def load(filter_program: bytes) -> None:
    out_of_step = _enforce(filter_program, _FLAG_TSYNC)
    if out_of_step:
        raise OSError(0, f"thread {out_of_step} could not take the filter")


def _enforce(filter_program: bytes, flags: int) -> int:
    program = _Program(len(filter_program) // _INSTRUCTION_BYTES, filter_program)
    return abi.call("seccomp", _SET_MODE_FILTER, flags, bytes(program))
