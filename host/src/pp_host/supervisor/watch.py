"""Looks at a running process from outside: memory held, processor time used during a call.

RLIMIT_AS bounds what a plugin can map, RLIMIT_NPROC its threads where it has a user namespace of its own; this bounds
what it holds and burns, and its threads everywhere, by looking. It is a sampling watch: what
happens between two looks is bounded by the rlimits alone.
"""

from __future__ import annotations

from collections.abc import Callable

import anyio
import psutil
from msgspec import Struct

from pp_host.limits import LIMITS, MIB


class Phase(Struct, frozen=True):
    """Where a plugin stands: how many calls were made (being made ready is the first), and whether one is under way."""

    calls: int
    in_call: bool


class Watch:
    """Samples one pid until it is gone; calls `over` once with what was exceeded."""

    def __init__(self, pid: int, *, memory_mb: int, cpu_seconds: float, over: Callable[[str], None]) -> None:
        self._process = psutil.Process(pid)
        self._memory = memory_mb * MIB
        self._cpu_seconds = cpu_seconds
        self._over = over

    async def run(self, phase: Callable[[], Phase]) -> None:
        """Look every `watch_seconds`; return when the process is gone or was reported.

        A call, and the time between two calls, may use `cpu_seconds` each, counted from the first look at it.
        Until it is ready a plugin imports what it needs, which the time to load bounds.
        """
        watched, began = Phase(0, in_call=False), 0.0
        while True:
            await anyio.sleep(LIMITS.process.watch_seconds)
            try:
                held = self._process.memory_info().rss
                threads = self._process.num_threads()
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
            if threads > LIMITS.process.processes:
                self._over(f"threads: {threads} of {LIMITS.process.processes}")
                return
            now = phase()
            if now != watched or not now.calls:
                watched, began = now, used
            elif used - began > self._cpu_seconds:
                where = "in one call" if now.in_call else "between two calls"
                self._over(f"cpu: more than {self._cpu_seconds:g} s {where}")
                return
