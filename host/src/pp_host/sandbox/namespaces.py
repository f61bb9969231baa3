"""Namespaces: the launcher leaves the host's, the child gets a pid and a mount namespace of its own.

An ordinary user owns the new user namespace and maps himself into it. Root must never be found inside: root
leaves the other namespaces first, while he can still read everything that becomes the new root, then enters
a user namespace whose only id is a foreign one, mapped by the host.
"""

from __future__ import annotations

import ctypes
import os
import signal
from pathlib import Path
from typing import Final

from pp_host.sandbox import abi
from pp_host.sandbox.plan import HOSTNAME, INNER_ID

_NEW_MOUNT: Final = 0x0002_0000
_NEW_CGROUP: Final = 0x0200_0000
_NEW_UTS: Final = 0x0400_0000
_NEW_IPC: Final = 0x0800_0000
_NEW_USER: Final = 0x1000_0000
_NEW_PID: Final = 0x2000_0000
_NEW_NET: Final = 0x4000_0000
_CLONE_PARENT: Final = 0x8000
_SURROUNDINGS: Final = _NEW_MOUNT | _NEW_NET | _NEW_IPC | _NEW_UTS | _NEW_CGROUP


def leave_as_user() -> None:
    abi.call("unshare", _NEW_USER | _SURROUNDINGS)


def map_self(uid: int, gid: int) -> None:
    """Groups are frozen first: without that an ordinary user may not map a group at all."""
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{INNER_ID} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{INNER_ID} {gid} 1")


def leave_as_root() -> None:
    abi.call("unshare", _SURROUNDINGS)


def give_up_root() -> None:
    """After this the process has no id at all until the host has written its maps."""
    os.setgroups([])
    abi.call("unshare", _NEW_USER)


def become_inner() -> None:
    os.setresgid(INNER_ID, INNER_ID, INNER_ID)
    os.setresuid(INNER_ID, INNER_ID, INNER_ID)


def forbid_nesting(proc_fd: int) -> None:
    """A process without any capability could otherwise make a user namespace and hold all of them there.

    Must run inside the new user namespace: the same name outside is the host's own setting. `proc_fd` is a
    descriptor of /proc, which has no path any more once the root is new.
    """
    setting = os.open("sys/user/max_user_namespaces", os.O_WRONLY | os.O_CLOEXEC, dir_fd=proc_fd)
    try:
        os.write(setting, b"0")
    finally:
        os.close(setting)


def name_host() -> None:
    abi.call("sethostname", HOSTNAME, len(HOSTNAME))
    abi.call("setdomainname", HOSTNAME, len(HOSTNAME))


def clone_child() -> int:
    """Like os.fork, into new pid and mount namespaces; the child belongs to the host, which reaps it.

    Returns 0 in the child and the child's pid in the launcher; raises OSError.
    """
    ctypes.pythonapi.PyOS_BeforeFork()
    try:
        pid = abi.call(
            "clone", _NEW_PID | _NEW_MOUNT | _CLONE_PARENT | signal.SIGCHLD, None, None, None, None
        )
    except OSError:
        ctypes.pythonapi.PyOS_AfterFork_Parent()
        raise
    if pid:
        ctypes.pythonapi.PyOS_AfterFork_Parent()
    else:
        ctypes.pythonapi.PyOS_AfterFork_Child()
    return pid
