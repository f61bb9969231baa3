"""Puts the filter of policy.py into force: the last wall, for every thread, irrevocably."""

from __future__ import annotations

import ctypes
from typing import Final

from pp_host.sandbox import abi
from pp_host.sandbox.plan import Cell

_SET_MODE_FILTER: Final = 1
_FLAG_TSYNC: Final = 1
_INSTRUCTION_BYTES: Final = 8


class _Program(ctypes.Structure):
    """`struct sock_fprog`"""

    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def install(cell: Cell) -> None:
    load(cell.filter_program)


def load(filter_program: bytes) -> None:
    program = _Program(len(filter_program) // _INSTRUCTION_BYTES, filter_program)
    out_of_step = abi.call("seccomp", _SET_MODE_FILTER, _FLAG_TSYNC, bytes(program))
    if out_of_step:
        raise OSError(0, f"thread {out_of_step} could not take the filter")
