"""Takes from a process, and from all it starts, what containers take: namespaces and mounts."""

from __future__ import annotations

import errno

from pp_host.sandbox import bpf, policy, process, seccomp, syscalls

WITHHELD = """unshare setns mount umount2 pivot_root open_tree move_mount fsopen fsconfig fsmount fspick
    mount_setattr chroot sethostname setdomainname""".split()
CLONE_NEW = 0x7E02_0000


def withhold_namespaces() -> None:
    """As Docker's default profile does: EPERM; clone3, whose flags a filter cannot see, is not there at all."""
    process.forbid_gaining_privileges()
    seccomp.load(bpf.assemble(_program()))


def _program() -> bpf.Code:
    numbers = syscalls.native().numbers
    allowed, denied = bpf.verdict(policy.ALLOW), bpf.verdict(policy.refuse(errno.EPERM))
    code = bpf.if_equal(numbers["clone3"], bpf.verdict(policy.refuse(errno.ENOSYS)), allowed)
    cloned = bpf.with_argument(0, 0, CLONE_NEW, bpf.if_equal(0, allowed, denied))
    code = bpf.if_equal(numbers["clone"], cloned, code)
    return bpf.with_word(bpf.NUMBER_OFFSET, bpf.if_any([numbers[name] for name in WITHHELD], denied, code))
