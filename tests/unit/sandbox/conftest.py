from pathlib import Path

import pp_host.sandbox.canary
import pytest
from pp_host.limits import LIMITS
from pp_host.sandbox.plan import SandboxPlan


@pytest.fixture(scope="session")
def plan() -> SandboxPlan:
    """A start that works: the canary with the usual limits."""
    process = LIMITS.process
    return SandboxPlan(
        level="L3",
        packages=(Path(pp_host.sandbox.canary.__file__),),
        preload=(),
        entry="canary:main",
        memory_mb=process.memory_mb,
        cpu_seconds_lifetime=60,
        open_files=process.open_files,
        processes=process.processes,
        file_size_mb=process.file_size_mb,
        stack_mb=process.stack_mb,
        tmp_mb=0,
        hash_seed=7,
    )
