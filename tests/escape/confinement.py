"""Takes from a process, and from all it starts, what containers take: namespaces and mounts, and, for L1, Landlock."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

from pp_host.sandbox import abi, bpf, policy, process, seccomp, syscalls

WITHHELD = [
    "unshare",
    "setns",
    "mount",
    "umount2",
    "pivot_root",
    "open_tree",
    "move_mount",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "mount_setattr",
    "chroot",
    "sethostname",
    "setdomainname",
]
LANDLOCK = ["landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"]
CLONE_NEW, NEW_MOUNT = 0x7E02_0000, 0x2_0000
PRIVATE, TREE, EMPTY_PATH = 0x4_4000, 0x8001, 4
TOP = Path(__file__).parents[2]


def withhold(*, landlock: bool) -> None:
    """As Docker's default profile does: EPERM; clone3, whose flags a filter cannot see, is not there at all."""
    process.forbid_gaining_privileges()
    seccomp.load(bpf.assemble(_program(landlock)))


def open_python() -> None:
    """Where root's Python or this checkout lies in a folder of root's alone, a plugin, who is somebody else, could not
    read it: as on a machine made for L2, in a mount namespace of our own, it is bound where everybody may go.
    """
    for tree in (Path(sys.base_prefix).resolve(), TOP):
        closed = [folder for folder in tree.parents if not folder.stat().st_mode & 0o001]
        if os.geteuid() == 0 and closed:
            _bind_again(tree, closed[-1])


def _bind_again(tree: Path, closed: Path) -> None:
    abi.call("unshare", NEW_MOUNT)
    abi.call("mount", None, "/", None, PRIVATE, None)
    taken = abi.call("open_tree", abi.AT_FDCWD, str(tree), TREE | os.O_CLOEXEC)
    abi.call("mount", "tmpfs", str(closed), "tmpfs", 0, "mode=755")
    tree.mkdir(parents=True)
    abi.call("move_mount", taken, "", abi.AT_FDCWD, str(tree), EMPTY_PATH)
    os.close(taken)


def _program(landlock: bool) -> bpf.Code:
    numbers = syscalls.native().numbers
    allowed, denied = bpf.verdict(policy.ALLOW), bpf.verdict(policy.refuse(errno.EPERM))
    code = bpf.if_equal(numbers["clone3"], bpf.verdict(policy.refuse(errno.ENOSYS)), allowed)
    cloned = bpf.with_argument(0, 0, CLONE_NEW, bpf.if_equal(0, allowed, denied))
    code = bpf.if_equal(numbers["clone"], cloned, code)
    return bpf.with_word(
        bpf.NUMBER_OFFSET,
        bpf.if_any([numbers[name] for name in WITHHELD + LANDLOCK * landlock], denied, code),
    )
