"""Calls that no plugin ever needs: the kernel ends the process before the call happens."""

import os

import pytest
from pp_host.sandbox import syscalls

NUMBERS = syscalls.native().numbers
NEW_USER = 0x1000_0000
FATAL = {
    "execve": (), "execveat": (0, 0, 0, 0, 0x1000), "ptrace": (16, os.getpid()), "process_vm_readv": (os.getpid(),),
    "unshare": (NEW_USER,), "setns": (0, 0), "mount": (), "umount2": (), "pivot_root": (), "chroot": (),
    "mount_setattr": (), "open_tree": (), "bpf": (), "perf_event_open": (), "userfaultfd": (), "io_uring_setup": (1,),
    "keyctl": (), "personality": (0x0040_0000,), "open_by_handle_at": (), "pidfd_open": (os.getpid(), 0),
    "init_module": (), "reboot": (), "settimeofday": (), "sethostname": (), "mknodat": (), "kexec_load": (),
}  # fmt: skip


@pytest.mark.parametrize("name", FATAL)
def test_ends_with_sigsys(victim, name):
    assert victim.tries("raw", NUMBERS[name], *FATAL[name]) == {"signal": "SIGSYS"}


def test_clone_into_a_namespace(victim):
    assert victim.tries("raw", NUMBERS["clone"], NEW_USER | 17) == {"signal": "SIGSYS"}


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="only x86_64 has a second set of numbers")
def test_second_set_of_numbers(victim):
    assert victim.tries("raw", 0x4000_0000 | NUMBERS["getpid"]) == {"signal": "SIGSYS"}


def test_without_walls_the_same_calls_return(outside):
    """ptrace of nobody and an empty execve only fail: nothing but the filter ends a process for trying."""
    assert outside("raw", NUMBERS["execve"]) == {"errno": "EFAULT"}
    assert outside("raw", NUMBERS["ptrace"], 16, 0) == {"errno": "ESRCH"}


def test_crash_leaves_no_core(victim):
    assert victim.tries("crash") == {"signal": "SIGSEGV"}
