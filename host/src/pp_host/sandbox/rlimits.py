"""Resource limits of one process.

RLIMIT_CPU is cumulative and a backstop only: the host samples CPU per call.
"""

from __future__ import annotations

import resource
from collections.abc import Mapping

from pp_host.limits import MIB
from pp_host.sandbox.plan import SandboxPlan


def bounds(plan: SandboxPlan) -> Mapping[int, int]:
    """Resource -> limit; the soft and the hard limit are the same.

    Processes are counted by user namespace and id: without a namespace of its own a plugin's threads would be counted
    with everything else that the account runs, so there the watch alone bounds them.
    """
    own = {resource.RLIMIT_NPROC: plan.processes} if plan.level == "L3" else {}
    return own | {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_AS: plan.memory_mb * MIB,
        resource.RLIMIT_DATA: plan.memory_mb * MIB,
        resource.RLIMIT_STACK: plan.stack_mb * MIB,
        resource.RLIMIT_FSIZE: plan.file_size_mb * MIB,
        resource.RLIMIT_CPU: plan.cpu_seconds_lifetime,
        resource.RLIMIT_NOFILE: plan.open_files,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_NICE: 0,
        resource.RLIMIT_RTPRIO: 0,
    }


def apply(plan: SandboxPlan) -> None:
    """Where the host itself has a lower hard limit, that one stands."""
    for kind, most in bounds(plan).items():
        _, hard = resource.getrlimit(kind)
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (bound, bound))
