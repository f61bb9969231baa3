"""What the figures were taken on."""

from __future__ import annotations

import os
import platform
from typing import Any


def described() -> dict[str, Any]:
    cpus = sorted(os.sched_getaffinity(0))
    return {
        "python": platform.python_version(),
        "kernel": platform.release(),
        "cpus": os.cpu_count(),
        "pinned": "no" if len(cpus) == os.cpu_count() else f"to {cpus}",
        "user": "root" if os.geteuid() == 0 else "ordinary",
        "nice": os.getpriority(os.PRIO_PROCESS, 0),
        "load": [round(load, 2) for load in os.getloadavg()],
    }
