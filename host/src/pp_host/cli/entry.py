"""Where `pp` begins: what has to be in order before anything else is imported, and its exit status.

Laws: descriptors 0 to 2 are open before another file is, else the record could become stderr. Ctrl-C ends `pp`
without a word, also while Python is still reading modules. As a container's first process `pp` ends by SIGTERM too.
"""

from __future__ import annotations

import os
import signal
import sys
from io import TextIOWrapper
from typing import TextIO

INTERRUPTED = 130  # 128 + SIGINT, as shells count
TERMINATED = 143


def run() -> None:
    """The entry point of the distribution."""
    _open_standard_streams()
    if os.getpid() == 1:  # the kernel keeps from process 1 what it has no handler for
        signal.signal(signal.SIGTERM, lambda *_: os._exit(TERMINATED))
    interruptible = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if interruptible:  # an exception in the midst of an import may be printed, or lost
        signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    from pp_host.cli.main import main

    try:
        if interruptible:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        status = main(sys.argv[1:])
    except KeyboardInterrupt:
        status = INTERRUPTED
    sys.exit(_told(status))


def _open_standard_streams() -> None:
    """Put /dev/null where whoever started us closed stdin, stdout or stderr."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free number: this one
    sys.stdin = sys.stdin or open(0, closefd=False, encoding="utf-8")  # noqa: SIM115  # open until the end
    sys.stdout = sys.stdout or open(1, "w", closefd=False, encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False, encoding="utf-8")  # noqa: SIM115
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # not every terminal knows every character


def _told(status: int) -> int:
    """The status, once what was to be told has arrived; a reader of errors who is gone changes nothing about it."""
    arrived = _flushed(sys.stdout)
    _flushed(sys.stderr)
    return status if arrived else status or 1


def _flushed(stream: TextIO) -> bool:
    """Whether all of it could be written; else the rest goes nowhere, so that Python does not try again."""
    try:
        stream.flush()
    except OSError:  # a closed pipe, a full disk
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return False
    return True
