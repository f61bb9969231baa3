"""Looks at a running process from outside: memory held, processor time used during a call.

RLIMIT_AS bounds what a plugin can map; this bounds what it holds and burns, by looking. It is a sampling watch: what
happens between two looks is bounded by the rlimits alone.
"""

from __future__ import annotations

from collections.abc import Callable

import anyio
import psutil

from pp_host.limits import LIMITS, MIB


class Watch:
    """Samples one pid until it is gone; calls `over` once with what was exceeded."""

    def __init__(self, pid: int, *, memory_mb: int, cpu_seconds: float, over: Callable[[str], None]) -> None:
        self._process = psutil.Process(pid)
        self._memory = memory_mb * MIB
        self._cpu_seconds = cpu_seconds
        self._over = over
        self._call_began: float | None = None

    def call_begins(self) -> None:
        """Processor time counts from the next look on."""
        self._call_began = None

    async def run(self, in_call: Callable[[], bool]) -> None:
        """Look every `watch_seconds`; return when the process is gone or was reported."""
        while True:
            await anyio.sleep(LIMITS.process.watch_seconds)
            try:
                held = self._process.memory_info().rss
                times = self._process.cpu_times()
            except psutil.NoSuchProcess:
                return
            used = times.user + times.system
            if held > self._memory:
                self._over(f"memory: holds {held // MIB} MB of {self._memory // MIB} MB")
                return
            if not in_call():
                self._call_began = None
            elif self._call_began is None:
                self._call_began = used
            elif used - self._call_began > self._cpu_seconds:
                self._over(f"cpu: more than {self._cpu_seconds:g} s in one call")
                return
