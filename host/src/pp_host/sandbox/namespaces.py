"""Namespaces: the zygote leaves the host's, each child gets user, pid, mount and ipc namespaces of its own.

An ordinary user owns the new user namespace and maps himself into it. Root must never be found inside: root
leaves the other namespaces first, while he can still read everything that becomes the new root, then enters
a user namespace whose only id is a foreign one, mapped by the host. A child's own user namespace keeps its
threads from being counted with its siblings', and its mounts from being undone.
"""

from __future__ import annotations

import ctypes
import os
import signal
from typing import Final

from pp_host.sandbox import abi
from pp_host.sandbox.plan import HOSTNAME, INNER_ID, PROC_FD, SandboxPlan

_NEW_MOUNT: Final = 0x0002_0000
_NEW_CGROUP: Final = 0x0200_0000
_NEW_UTS: Final = 0x0400_0000
_NEW_IPC: Final = 0x0800_0000
_NEW_USER: Final = 0x1000_0000
_NEW_PID: Final = 0x2000_0000
_NEW_NET: Final = 0x4000_0000
_CLONE_PARENT: Final = 0x8000
_SURROUNDINGS: Final = _NEW_MOUNT | _NEW_NET | _NEW_IPC | _NEW_UTS | _NEW_CGROUP
_OF_A_CHILD: Final = _NEW_USER | _NEW_PID | _NEW_MOUNT | _NEW_IPC


def leave_as_user() -> None:
    abi.call("unshare", _NEW_USER | _SURROUNDINGS)


def map_self(uid: int, gid: int) -> None:
    """Groups are frozen first: without that an ordinary user may not map a group at all."""
    _write("self/setgroups", "deny")
    _write("self/uid_map", f"{INNER_ID} {uid} 1")
    _write("self/gid_map", f"{INNER_ID} {gid} 1")


def leave_as_root() -> None:
    abi.call("unshare", _SURROUNDINGS)


def give_up_root() -> None:
    """After this the process has no id at all until the host has written its maps."""
    os.setgroups([])
    abi.call("unshare", _NEW_USER)


def become(number: int) -> None:
    """User and group, in the order that leaves the right to do it until last."""
    os.setresgid(number, number, number)
    os.setresuid(number, number, number)


def map_inner(_: SandboxPlan) -> None:
    """In the child: it is in its own user namespace whom it was in the zygote's."""
    map_self(INNER_ID, INNER_ID)


def forbid_nesting(_: SandboxPlan) -> None:
    """A process without any capability could otherwise make a user namespace and hold all of them there.

    Must run inside the new user namespace: the same name outside is the host's own setting.
    """
    _write("sys/user/max_user_namespaces", "0")


def _write(setting: str, value: str) -> None:
    place = os.open(setting, os.O_WRONLY | os.O_CLOEXEC, dir_fd=PROC_FD)
    try:
        os.write(place, value.encode())
    finally:
        os.close(place)


def name_host() -> None:
    abi.call("sethostname", HOSTNAME, len(HOSTNAME))
    abi.call("setdomainname", HOSTNAME, len(HOSTNAME))


def clone_child(level: str) -> int:
    """Like os.fork, at L3 into new namespaces; the child belongs to the host, which reaps it.

    Returns 0 in the child and the child's pid in the zygote; raises OSError.
    """
    flags = (_OF_A_CHILD if level == "L3" else 0) | _CLONE_PARENT | signal.SIGCHLD
    ctypes.pythonapi.PyOS_BeforeFork()
    try:
        pid = abi.call("clone", flags, None, None, None, None)
    except OSError:
        ctypes.pythonapi.PyOS_AfterFork_Parent()
        raise
    if pid:
        ctypes.pythonapi.PyOS_AfterFork_Parent()
    else:
        ctypes.pythonapi.PyOS_AfterFork_Child()
    return pid
