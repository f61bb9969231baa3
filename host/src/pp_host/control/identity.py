"""Which process is the host: state/host.json, and a pidfd that is certainly that process.

Laws: a pid alone proves nothing, it may have been given to another process. Boot, pid and start time
together name one process; a pidfd taken before they are compared cannot change its meaning afterwards.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Self

import msgspec
from msgspec import Meta, Struct

from pp_host import disk
from pp_host.clock import boot_id
from pp_host.errors import OperatorError
from pp_host.limits import KIB

_FILE = "host.json"
_MOST_BYTES = 4 * KIB


class HostIdentity(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A host process: `start_ticks` after boot `boot_id`, in session `run`, `started` in microseconds UTC."""

    pid: Annotated[int, Meta(ge=1, lt=2**31)]
    start_ticks: int
    boot_id: str
    run: str
    started: int

    @classmethod
    def of_this_process(cls, run: str, started: int) -> Self:
        pid = os.getpid()
        return cls(pid=pid, start_ticks=_start_ticks(pid), boot_id=boot_id(), run=run, started=started)

    def write(self, state: Path) -> None:
        """Say who runs. The writer lock must be held already."""
        disk.write(state / _FILE, msgspec.json.encode(self) + b"\n")

    @classmethod
    def read(cls, state: Path) -> HostIdentity | None:
        """Who runs or last ran here; None when nobody did or the file is unreadable."""
        try:
            return msgspec.json.decode(disk.read(state / _FILE, _MOST_BYTES), type=cls)
        except (OSError, OperatorError, msgspec.DecodeError):
            return None

    @contextmanager
    def process(self) -> Iterator[int | None]:
        """A pidfd of exactly this process, or None when it has ended."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            yield None
            return
        try:
            yield descriptor if self._is_current() and not has_ended(descriptor, 0) else None
        finally:
            os.close(descriptor)

    def _is_current(self) -> bool:
        try:
            return self.boot_id == boot_id() and self.start_ticks == _start_ticks(self.pid)
        except (OSError, ValueError, IndexError):
            return False


def end(process: int, seconds: float) -> bool:
    """SIGKILL the process of a pidfd; True once it has certainly ended."""
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(process, signal.SIGKILL)
    return has_ended(process, seconds)


def has_ended(process: int, seconds: float) -> bool:
    """Wait at most `seconds` for the process of a pidfd to end."""
    poll = select.poll()
    poll.register(process, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def _start_ticks(pid: int) -> int:
    text = Path(f"/proc/{pid}/stat").read_bytes()
    after_name = text[text.rindex(b")") + 2 :]  # the name may hold anything, spaces and brackets too
    return int(after_name.split()[19])  # field 22 of proc(5)
