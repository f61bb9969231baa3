"""What a plugin's process may use: the frozen plan that the sandbox enforces, and the walls' fixed places.

The sandbox knows no manifest and no plugin. Whoever makes a plan has already decided what is granted.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, Self

from pp_host.limits import LIMITS

# Inside every plugin the same neutral names, whatever the host's folders are called.
PYTHON: Final = "/python"
LIBRARY: Final = f"{PYTHON}/lib"
SITE: Final = f"{PYTHON}/site"
HOSTNAME: Final = "plugin"
FIRST: Final = 1  # the process id of the only process in a namespace
INNER_ID: Final = 1000  # user and group as the plugin sees them; never 0
FOREIGN_ID: Final = 231_072  # who it is outside when the host runs as root: an id with no account

# The descriptors a plugin's process starts with; all but the first are gone before its code runs.
RPC_FD: Final = 3
CONTROL_FD: Final = 4
RULESET_FD: Final = 5
ZYGOTE_FD: Final = 6  # the zygote's own control socket
PROC_FD: Final = 7  # a descriptor of /proc, which has no path any more once the root is new

LEVELS: Final = ("L3", "L2", "L1")  # strongest first; docs/THREATS.md says what each one keeps


class RoomFile(NamedTuple):
    """A file of a foreign program's: `source` on the host, read-only and executable as `target` inside."""

    source: Path
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ZygotePlan:
    """What a zygote prepares once for all processes that it bears.

    `packages` are visible read-only as SITE/<name>; `preload` is trusted code, imported before the walls are whole.
    room: a foreign program's files. Where there are any, the entry may become one of them, and nothing else.
    told: fatal calls are told to the host, which has to listen and to end the process; else the kernel ends it.
    """

    level: str  # one of LEVELS
    packages: tuple[Path, ...]  # folders, or single extension or .py files
    preload: tuple[str, ...]
    hash_seed: int  # 0 to 4294967295, recorded so that a replay iterates in the same order
    room: tuple[RoomFile, ...] = ()
    told: bool = False

    def encode(self) -> bytes:
        return json.dumps(dataclasses.asdict(self), default=str).encode()

    @classmethod
    def decode(cls, message: bytes) -> Self:
        """The sender is the host, so nothing is checked again."""
        fields = json.loads(message)
        fields["packages"] = tuple(Path(path) for path in fields["packages"])
        fields["preload"] = tuple(fields["preload"])
        fields["room"] = tuple(RoomFile(Path(source), target) for source, target in fields["room"])
        return cls(**fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxPlan(ZygotePlan):
    """What one process of such a zygote runs, and its bounds."""

    entry: str  # "package.module:function", called with (rpc_fd, selfcheck)
    memory_mb: int
    cpu_seconds_lifetime: int
    open_files: int
    processes: int
    file_size_mb: int
    stack_mb: int
    tmp_mb: int  # 0: no /tmp

    def __post_init__(self) -> None:
        names = [path.name for path in self.packages]
        if len(set(names)) != len(names):
            raise ValueError(f"two packages share one name inside: {sorted(names)}")

    @property
    def zygote(self) -> ZygotePlan:
        names = (field.name for field in dataclasses.fields(ZygotePlan))
        return ZygotePlan(**{name: getattr(self, name) for name in names})

    @classmethod
    def within_limits(
        cls,
        level: str,
        packages: tuple[Path, ...],
        preload: tuple[str, ...],
        entry: str,
        *,
        memory_mb: int,
        tmp_mb: int,
        hash_seed: int,
        told: bool = False,
    ) -> Self:
        """A plan with the bounds that are the same for every process."""
        process = LIMITS.process
        return cls(
            level=level,
            packages=packages,
            preload=preload,
            entry=entry,
            memory_mb=memory_mb,
            cpu_seconds_lifetime=process.cpu_seconds_lifetime,
            open_files=process.open_files,
            processes=process.processes,
            file_size_mb=max(process.file_size_mb, tmp_mb),  # one file may fill what is granted
            stack_mb=process.stack_mb,
            tmp_mb=tmp_mb,
            hash_seed=hash_seed,
            told=told,
        )
