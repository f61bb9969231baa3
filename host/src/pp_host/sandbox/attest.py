"""The host's judgement of a plugin's process before any of the plugin's code is handed over.

Two witnesses: what the host itself reads in /proc, and what the child's self-check saw. The child's word
proves nothing later, but at this moment it has run no code but ours.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from pp_host.errors import WallMissing
from pp_host.sandbox.plan import FOREIGN_ID, INNER_ID

# What the self-check must have seen, exactly: attempts with their errno, readings with their value.
ATTEMPTS: Final[Mapping[str, dict[str, int]]] = {
    "L3": {
        "read_host_file": errno.ENOENT,
        "list_processes": errno.ENOENT,
        "list_root": errno.EACCES,
        "write_root": errno.EROFS,
        "write_library": errno.EROFS,
        "internet_socket": errno.EACCES,
        "unix_socket": errno.EACCES,
        "datagram_pair": errno.EACCES,
        "fork": errno.EAGAIN,
        "signal": errno.EPERM,
        "raise_limit": errno.EPERM,
        "executable_memory": errno.EPERM,
    },
}
READINGS: Final[Mapping[str, dict[str, int]]] = {
    "L3": {
        "process_id": 1,
        "user_id": INNER_ID,
        "group_id": INNER_ID,
        "capabilities": 0,
        "no_new_privs": 1,
        "seccomp_mode": 2,
        "dumpable": 0,
        "signal_at_parents_end": signal.SIGKILL,
        "core_bytes": 0,
        "memory_unbounded": 0,
        "environment": 0,
        "descriptors_beyond_rpc": 0,
        "named_like_host": 0,
    },
}

_NO_CAPABILITY: Final = "0000000000000000"
_CAPABILITY_SETS: Final = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
_NAMESPACES: Final = ("mnt", "net", "ipc", "uts", "cgroup", "user")  # pid: seen in NSpid
_HIDDEN: Final = "where /proc hides processes (hidepid=, ProtectProc=), it has to show the host its plugins"
_HINT: Final = "run `pp doctor`; a kernel that reports a wall it does not keep must not run plugins"


def attest(jailed_pid: int, level: str, selfcheck: Mapping[str, int]) -> tuple[str, ...]:
    """The names of the walls that stand; raises WallMissing (a Refused) naming the first that does not."""
    process = Path("/proc") / str(jailed_pid)
    if level not in ATTEMPTS:
        raise WallMissing("level", f"nothing is promised for {level!r}", hint=_HINT)
    try:
        seen = (*_status_walls(process), *_namespace_walls(process))
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        raise WallMissing(
            "process", f"{jailed_pid} has ended or is hidden from the host", hint=_HIDDEN
        ) from None
    return (*seen, *_selfcheck_walls(ATTEMPTS[level] | READINGS[level], selfcheck))


def _status_walls(process: Path) -> Iterator[str]:
    lines = (line.partition(":") for line in (process / "status").read_text().splitlines())
    status = {name: value.split() for name, _, value in lines}
    yield _equal("seccomp", ["2"], status["Seccomp"])
    yield _equal("no new privileges", ["1"], status["NoNewPrivs"])
    for name in _CAPABILITY_SETS:
        yield _equal(f"empty {name}", [_NO_CAPABILITY], status[name])
    yield _equal("pid namespace", 2, len(status["NSpid"]))
    yield _equal("session", "1", status["NSsid"][-1])
    if os.geteuid() == 0:
        yield _equal("foreign user", {str(FOREIGN_ID)}, {*status["Uid"], *status["Gid"], *status["Groups"]})


def _namespace_walls(process: Path) -> Iterator[str]:
    """An ordinary user may not look: the process is undumpable. Then the self-check stands alone."""
    for name in _NAMESPACES:
        try:
            theirs = (process / "ns" / name).readlink()
        except PermissionError:
            return
        if theirs == Path("/proc/self/ns", name).readlink():
            raise WallMissing(f"{name} namespace", "it is the host's own", hint=_HINT)
        yield f"{name} namespace"


def _selfcheck_walls(promised: Mapping[str, int], selfcheck: Mapping[str, int]) -> Iterator[str]:
    _equal("self-check", sorted(promised), sorted(selfcheck))
    for name, value in promised.items():
        yield _equal(name, value, selfcheck[name])


def _equal(wall: str, promised: object, found: object) -> str:
    if found != promised:
        raise WallMissing(wall, f"promised {promised}, found {found}", hint=_HINT)
    return wall
