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
from pp_host.sandbox.plan import FIRST, FOREIGN_ID, INNER_ID, LEVELS

# What the self-check must have seen: attempts with their errno, readings with their value; of several, one. None: at
# this level nothing is promised, and docs/THREATS.md says what leaks.
Promise = int | tuple[int, ...] | None
_REFUSED: Final = {
    "internet_socket": errno.EACCES,
    "unix_socket": errno.EACCES,
    "datagram_pair": errno.EACCES,
    "fork": errno.EAGAIN,
    "signal": errno.EPERM,
    "raise_limit": errno.EPERM,
    "executable_memory": errno.EPERM,
}
# Nothing moves, so a host's own root may answer first, read-only.
_WHERE_IT_LIES: Final[Mapping[str, Promise]] = {
    **dict.fromkeys(("read_host_file", "list_processes", "list_root"), errno.EACCES),
    **dict.fromkeys(("write_root", "write_library"), (errno.EACCES, errno.EROFS)),
}
ATTEMPTS: Final[Mapping[str, Mapping[str, Promise]]] = {
    "L3": {
        "read_host_file": errno.ENOENT,
        "list_processes": errno.ENOENT,
        "list_root": errno.EACCES,
        "write_root": errno.EROFS,
        "write_library": errno.EROFS,
        **_REFUSED,
    },
    "L2": {**_WHERE_IT_LIES, **_REFUSED},
    "L1": {**_WHERE_IT_LIES, **_REFUSED},
}
_READ: Final[Mapping[str, int]] = {
    "capabilities": 0,
    "no_new_privs": 1,
    "seccomp_mode": 2,
    "dumpable": 0,
    "signal_at_parents_end": signal.SIGKILL,
    "core_bytes": 0,
    "memory_unbounded": 0,
    "environment": 0,
    "descriptors_beyond_rpc": 0,
}

_NO_CAPABILITY: Final = "0000000000000000"
_CAPABILITY_SETS: Final = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
_NAMESPACES: Final = ("mnt", "net", "ipc", "uts", "cgroup", "user")  # pid: seen in NSpid
_HIDDEN: Final = "where /proc hides processes (hidepid=, ProtectProc=), it has to show the host its plugins"
_HINT: Final = "run `pp doctor`; a kernel that reports a wall it does not keep must not run plugins"


def promises(level: str, jailed_pid: int) -> dict[str, Promise]:
    """What the self-check of this process must have seen. KeyError: no such level."""
    if level == "L3":
        own: dict[str, Promise] = {
            "process_id": FIRST,
            "user_id": INNER_ID,
            "group_id": INNER_ID,
            "bounding_capabilities": 0,
            "named_like_host": 0,
        }
    else:
        as_root = os.geteuid() == 0
        own = {
            "process_id": jailed_pid,
            "user_id": FOREIGN_ID if as_root else os.geteuid(),
            "group_id": FOREIGN_ID if as_root else os.getegid(),
            "bounding_capabilities": 0 if as_root else None,
            "named_like_host": None,
        }
    return {**ATTEMPTS[level], **_READ, **own}


def attest(jailed_pid: int, level: str, selfcheck: Mapping[str, int]) -> tuple[str, ...]:
    """The names of the walls that stand; raises WallMissing (a Refused) naming the first that does not."""
    process = Path("/proc") / str(jailed_pid)
    if level not in LEVELS:
        raise WallMissing("level", f"nothing is promised for {level!r}", hint=_HINT)
    try:
        seen = [*_status_walls(process, level)]
        if level == "L3":
            seen += _namespace_walls(process)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        raise WallMissing(
            "process", f"{jailed_pid} has ended or is hidden from the host", hint=_HIDDEN
        ) from None
    return (*seen, *_selfcheck_walls(promises(level, jailed_pid), selfcheck))


def _status_walls(process: Path, level: str) -> Iterator[str]:
    lines = (line.partition(":") for line in (process / "status").read_text().splitlines())
    status = {name: value.split() for name, _, value in lines}
    yield _equal("seccomp", ["2"], status["Seccomp"])
    yield _equal("no new privileges", ["1"], status["NoNewPrivs"])
    as_root = os.geteuid() == 0
    for name in _CAPABILITY_SETS:
        if name != "CapBnd" or level == "L3" or as_root:  # an ordinary user has no say in it
            yield _equal(f"empty {name}", [_NO_CAPABILITY], status[name])
    if level == "L3":
        yield _equal("pid namespace", 2, len(status["NSpid"]))
    yield _equal("session", status["NSpid"][-1], status["NSsid"][-1])
    if as_root:
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


def _selfcheck_walls(promised: Mapping[str, Promise], selfcheck: Mapping[str, int]) -> Iterator[str]:
    _equal("self-check", sorted(promised), sorted(selfcheck))
    for name, value in promised.items():
        if isinstance(value, tuple) and selfcheck[name] in value:
            yield name
        elif value is not None:
            yield _equal(name, value, selfcheck[name])


def _equal(wall: str, promised: object, found: object) -> str:
    if found != promised:
        raise WallMissing(wall, f"promised {promised}, found {found}", hint=_HINT)
    return wall
