"""The clocks of a run. Wall time is UTC microseconds; deadlines use the event loop's monotonic clock, never these."""

from __future__ import annotations

import time
from pathlib import Path

import anyio
import anyio.lowlevel

from pp_host.model import SECOND as SECOND


def boot_id() -> str:
    """Which boot of the machine this is, for what counts from it; empty where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


class SystemClock:
    """Now is now; a cycle waits until its time has come."""

    def now(self) -> int:
        return time.time_ns() // 1000

    async def wait_until(self, moment: int) -> None:
        """Sleep until `moment` (microseconds UTC); cancelled by its caller's scope."""
        while (left := moment - self.now()) > 0:
            await anyio.sleep(min(left / SECOND, 1.0))  # short naps notice a stepped wall clock


class VirtualClock:
    """Time that moves only when told, for the demo and for tapes. It never goes back."""

    def __init__(self, start: int) -> None:
        self._now = start

    def now(self) -> int:
        return self._now

    async def wait_until(self, moment: int) -> None:
        """Jump to `moment`; a moment in the past changes nothing."""
        self._now = max(self._now, moment)
        await anyio.lowlevel.checkpoint()
