"""Runs a command as a service manager or container runtime would: an ordinary user who gains no rights, behind a
profile's filter, in surroundings that are altered as some settings alter them.

    python confined.py PROFILE ALTERATION COMMAND...

Root becomes an ordinary user first, in a mount namespace of its own: with an empty /tmp, and with this checkout and its
Python in sight even where they lie below a folder that only root may enter.
"""

import json
import os
import struct
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from pp_host.sandbox import abi, mounts, namespaces, process, seccomp  # noqa: E402

from tests.deploy.profile import compiled  # noqa: E402

NOBODY = 65534
TMP = Path("/tmp")


def private_mounts():
    """Root just leaves; anyone else in a user namespace where he is himself."""
    uid, gid = os.getuid(), os.getgid()
    abi.call("unshare", namespaces._NEW_MOUNT | (namespaces._NEW_USER if uid else 0))
    if uid:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    abi.call("mount", None, "/", None, mounts._MS_REC | mounts._MS_PRIVATE, None)


def closed(path):
    """The outermost folder above `path` that others may not enter."""
    return next((up for up in reversed(path.parents) if not up.stat().st_mode & 0o001), None)


def empty_tmp():
    needed = sorted({ROOT, Path(sys.base_prefix).resolve()})
    covers = sorted({TMP, *filter(None, map(closed, needed))})
    hidden = [path for path in needed if any(path.is_relative_to(cover) for cover in covers)]
    trees = [
        abi.call("open_tree", abi.AT_FDCWD, str(path), mounts._OPEN_TREE_CLONE | abi.AT_RECURSIVE)
        for path in hidden
    ]
    for cover in covers:
        mounts._mount_tmpfs(str(cover), 0, f"mode={'1777' if cover == TMP else '755'}")
    for tree, path in zip(trees, hidden, strict=True):
        mounts._place(tree, path, is_folder=True)


def read_only_root():
    """As read_only: and ProtectSystem=strict have it; /tmp and /proc stay as they are."""
    mounts._set_attributes(abi.AT_FDCWD, "/", abi.AT_RECURSIVE, mounts._ATTR_RDONLY)
    writable = struct.pack("=QQQQ", 0, mounts._ATTR_RDONLY, 0, 0)
    for kept in (TMP, "/proc"):
        abi.call("mount_setattr", abi.AT_FDCWD, str(kept), abi.AT_RECURSIVE, writable, len(writable))


def read_only_sysctl():
    """As Docker's system paths and ProtectKernelTunables=yes have it."""
    tree = mounts._take(Path("/proc/sys"), 0)
    abi.call("move_mount", tree, "", abi.AT_FDCWD, "/proc/sys", mounts._MOVE_MOUNT_F_EMPTY_PATH)


def hidden_processes(hidepid):
    """As ProtectProc=invisible (2) and noaccess (1) have it; what follows is the first process of its namespace."""
    abi.call("unshare", namespaces._NEW_PID)
    child = os.fork()
    if child:
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    abi.call("mount", "proc", "/proc", "proc", 0, f"hidepid={hidepid}")


ALTERATIONS = {
    "none": lambda: None,
    "read-only root": read_only_root,
    "read-only sysctl": read_only_sysctl,
    "invisible processes": lambda: hidden_processes(2),
    "processes without access": lambda: hidden_processes(1),
}


def main(profile, alteration, *command):
    filter_program = compiled(json.loads(Path(profile).read_text()))
    is_root = os.geteuid() == 0
    if is_root or alteration != "none":
        private_mounts()
        empty_tmp()
        ALTERATIONS[alteration]()
    if is_root:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    process.forbid_gaining_privileges()
    seccomp.load(filter_program)
    os.execv(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
