"""Why a wall cannot be built here, and what the operator can do about it, as exact commands.

Runs in the host, and on systems without any wall too, so it imports nothing of theirs.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pp_host.errors import WallMissing

_NAMESPACE_WALLS: Final = frozenset(
    {"namespaces", "user namespace", "nested namespaces", "host name", "empty root", "pid namespace"}
)
_FILTERS: Final = frozenset({"landlock", "seccomp"})
_SERVICE: Final = (
    "run a container as an ordinary user with `--security-opt seccomp=deploy/seccomp.json --security-opt "
    "systempaths=unconfined --security-opt apparmor=unconfined`, a unit like deploy/probablyprofit.service; "
    "docs/DEPLOYING.md"
)
_RESTRICTED: Final = (
    ", and since AppArmor restricts user namespaces on this machine, with the profile told there instead of "
    "apparmor=unconfined"
)
_WITHHELD: Final = {
    errno.EPERM: "a seccomp filter withholds what this wall is made of",
    errno.ENOSYS: "a seccomp filter withholds what this wall is made of",
    errno.EACCES: "a security module denies it, as AppArmor's docker-default denies every mount",
}
_SYSCTL_LOST: Final = {
    errno.EROFS: "/proc/sys is read-only here (Docker's system paths, ProtectKernelTunables=)",
    errno.ENOENT: "/proc/sys is hidden here (ProcSubset=)",
}
_MOST_NAMESPACES: Final = "user/max_user_namespaces"
_UNPRIVILEGED: Final = "kernel/unprivileged_userns_clone"  # Debian's and Arch's own patch
_APPARMOR: Final = "kernel/apparmor_restrict_unprivileged_userns"
_SETTINGS: Final = (_MOST_NAMESPACES, _UNPRIVILEGED, _APPARMOR)
_LANDLOCK_OFF: Final = (
    "Landlock is switched off: boot with the kernel parameter `lsm=landlock,...`, where the dots are what "
    "/sys/kernel/security/lsm lists now"
)
_LANDLOCK_MISSING: Final = "use a kernel of 5.13 or later built with CONFIG_SECURITY_LANDLOCK=y"
_OTHER: Final = {
    "foreign user": "this root may not become another user: run the host as an ordinary user",
    "seccomp": "use a kernel built with CONFIG_SECCOMP_FILTER=y",
    "start": "the machine is overloaded, or a preloaded module is broken: what is quoted are its last words",
    "preload": "what is preloaded may import only the plan's packages and the standard library",
}
_OTHER_SYSTEM: Final = (
    "run the host on Linux 5.13 or later, in a virtual machine for example; without walls nothing but paper "
    "trading of your own plugins is possible"
)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What decides which remedy fits. `settings` are files below /proc/sys, without those that are absent."""

    is_root: bool
    is_confined: bool  # a seccomp filter is in force already: a container runtime's
    settings: Mapping[str, str]


def surroundings(proc: Path) -> Surroundings:
    present = {name: proc / "sys" / name for name in _SETTINGS}
    return Surroundings(
        is_root=os.geteuid() == 0,
        is_confined="\nSeccomp:\t2\n" in (proc / "self/status").read_text(),
        settings={name: path.read_text().strip() for name, path in present.items() if path.exists()},
    )


def missing(wall: str, number: int, why: str) -> WallMissing:
    """`number` is the errno that building the wall met, or 0."""
    return WallMissing(wall, why, hint=remedy(wall, number, surroundings(Path("/proc"))))


def elsewhere() -> WallMissing:
    return WallMissing("namespaces", f"{sys.platform} has none", hint=_OTHER_SYSTEM)


def remedy(wall: str, number: int, around: Surroundings) -> str:
    """The most likely cause's; empty where nothing is known to help."""
    if wall in _NAMESPACE_WALLS:
        return _namespace_remedy(wall, number, around)
    if wall in _FILTERS and number == errno.EPERM and around.is_confined:
        return f"{_WITHHELD[number]}: {_SERVICE}"
    if wall == "landlock":
        return _LANDLOCK_OFF if number == errno.EOPNOTSUPP else _LANDLOCK_MISSING
    if wall == "packages":
        return _readable_remedy(around)
    return _OTHER.get(wall, "")


def _namespace_remedy(wall: str, number: int, around: Surroundings) -> str:
    if around.settings.get(_MOST_NAMESPACES) == "0":
        return f"user namespaces are switched off: `sysctl -w {_MOST_NAMESPACES.replace('/', '.')}=10000`"
    if around.settings.get(_UNPRIVILEGED) == "0" and not around.is_root:
        return f"user namespaces are switched off: `sysctl -w {_UNPRIVILEGED.replace('/', '.')}=1`"
    if around.settings.get(_APPARMOR) == "1" and not around.is_root:
        return f"{_SERVICE}{_RESTRICTED}" if around.is_confined else _apparmor_remedy()
    if wall == "nested namespaces" and number in _SYSCTL_LOST:
        return f"{_SYSCTL_LOST[number]}: {_SERVICE}"
    if number == errno.EACCES or (number in _WITHHELD and around.is_confined):
        return f"{_WITHHELD[number]}: {_SERVICE}"
    if number == errno.EPERM and around.is_root:
        return "this root lacks CAP_SYS_ADMIN: run the host as an ordinary user"
    return "use a kernel of 5.12 or later with CONFIG_USER_NS=y, CONFIG_PID_NS=y and CONFIG_NET_NS=y"


def _apparmor_remedy() -> str:
    """Ubuntu since 23.10 lets a process make a user namespace but gives it no rights there."""
    profile = f"abi <abi/4.0>, profile probablyprofit {Path(sys.executable).resolve()} flags=(unconfined) "
    return (
        f"AppArmor withholds user namespaces: as root, `echo '{profile}{{ userns, }}' "
        "> /etc/apparmor.d/probablyprofit && apparmor_parser -r /etc/apparmor.d/probablyprofit`"
    )


def _readable_remedy(around: Surroundings) -> str:
    command = f"`chmod -R o+rX {Path(os.__file__).parent}`"
    if around.is_root:
        return (
            "when root runs the host, plugins run as an id with no account: make what they import readable, "
            f"{command}, and the same for the folders of the packages"
        )
    return f"Python cannot be read by this user: {command}, and o+x for the folders above it"
