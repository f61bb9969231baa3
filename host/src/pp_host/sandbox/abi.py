"""The one door to the kernel for calls that Python has no name for: `call("mount", ...)`.

Owns argument conversion and errno; knows no policy. Every failure is an OSError with the call's name.
"""

from __future__ import annotations

import ctypes
import os
from typing import Final

from pp_host.sandbox import syscalls

AT_FDCWD: Final = -100
AT_EMPTY_PATH: Final = 0x1000
AT_RECURSIVE: Final = 0x8000

# PyDLL keeps the GIL: `clone` must return in the child with the GIL held, as os.fork does.
_libc = ctypes.PyDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_libc.prctl.restype = ctypes.c_int

Argument = int | str | bytes | bytearray | None  # a bytearray is written to by the kernel


def _machine_word(argument: Argument) -> ctypes.c_void_p | ctypes.c_char_p | ctypes.c_ulong:
    if argument is None:
        return ctypes.c_void_p()
    if isinstance(argument, int):
        return ctypes.c_ulong(argument & 0xFFFF_FFFF_FFFF_FFFF)
    if isinstance(argument, bytearray):
        return ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(argument)))
    return ctypes.c_char_p(os.fsencode(argument))


def call(name: str, *arguments: Argument) -> int:
    """Make the system call `name`; raises OSError."""
    number = syscalls.native().numbers[name]
    result: int = _libc.syscall(ctypes.c_long(number), *map(_machine_word, arguments))
    if result < 0:
        raise _last_error(name)
    return result


def prctl(option: int, *arguments: int) -> int:
    """The kernel demands zero in every argument that an option does not use; raises OSError."""
    padded = (*arguments, 0, 0, 0, 0)[:4]
    result: int = _libc.prctl(option, *map(ctypes.c_ulong, padded))
    if result < 0:
        raise _last_error(f"prctl {option}")
    return result


def _last_error(name: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{name}: {os.strerror(number)}")
