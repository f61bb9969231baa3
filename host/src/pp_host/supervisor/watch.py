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

    async def run(self, call: Callable[[], int]) -> None:
        """Look every `watch_seconds`; return when the process is gone or was reported.

        call: the number of the call under way, 0 for none. Time counts from the first look at a call.
        """
        watched, began = 0, 0.0
        while True:
            await anyio.sleep(LIMITS.process.watch_seconds)
            try:
                held = self._process.memory_info().rss
                times = self._process.cpu_times()
            except psutil.NoSuchProcess:
                return
            except psutil.AccessDenied as error:
                self._over(f"cannot be watched: {error}")
                return
            used = times.user + times.system
            if held > self._memory:
                self._over(f"memory: holds {held // MIB} MB of {self._memory // MIB} MB")
                return
            number = call()
            if number == 0 or number != watched:
                watched, began = number, used
            elif used - began > self._cpu_seconds:
                self._over(f"cpu: more than {self._cpu_seconds:g} s in one call")
                return
