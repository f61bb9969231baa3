"""`pp sandbox exec` with the shortest attacks there are: the filter and the room bind what execve starts.

Outside, each call of SOFT does not fail with the errno that it fails with inside: what refuses it is a wall.
"""

import errno
import os
import subprocess

import pytest
from pp_host.sandbox import syscalls

NUMBERS = syscalls.native().numbers
KILL = 62 if os.uname().machine == "x86_64" else 129
OPENAT, WRITE = NUMBERS["openat"], NUMBERS["write"]
HERE = 2**64 - 100  # AT_FDCWD

SOFT = {
    "opens a file of the host": (OPENAT, (HERE, b"/etc/passwd", 0), errno.ENOENT),
    "lists processes": (OPENAT, (HERE, b"/proc", 0), errno.ENOENT),
    "lists the root": (OPENAT, (HERE, b"/", 0), errno.EACCES),
    "opens a socket": (NUMBERS["socket"], (2, 1, 0), errno.EACCES),
    "opens a unix socket": (NUMBERS["socket"], (1, 1, 0), errno.EACCES),
    "forks": (NUMBERS["clone"], (17, 0, 0, 0, 0), errno.EAGAIN),
    "signals itself, as it would anybody": (KILL, (0, 0), errno.EPERM),
    "makes a memfd": (NUMBERS["memfd_create"], (b"x", 0), errno.EPERM),
    "maps code without a file": (NUMBERS["mmap"], (0, 4096, 5, 0x22, 2**64 - 1, 0), errno.EPERM),
    "maps writable code": (NUMBERS["mmap"], (0, 4096, 7, 0x22, 2**64 - 1, 0), errno.EPERM),
    "raises a limit": (NUMBERS["prlimit64"], (0, 7, 1, 0), errno.EPERM),
    "says that it may be traced": (NUMBERS["prctl"], (4, 1, 0, 0, 0), errno.EPERM),
    "starts a device": (NUMBERS["execve"], (b"/dev/null", 0, 0), errno.EACCES),
    "starts a library of Python's": (NUMBERS["execve"], (b"/python/lib/os.py", 0, 0), errno.EACCES),
    "starts what is not in the room": (NUMBERS["execve"], (b"/bin/sh", 0, 0), errno.ENOENT),
    "makes a file": (OPENAT, (HERE, b"/x", os.O_CREAT | os.O_WRONLY, 0o600), errno.EROFS),
}
FATAL = {
    "traces": ("ptrace", (0, 0, 0, 0)),
    "mounts": ("mount", (0, 0, 0, 0, 0)),
    "makes a namespace": ("unshare", (0x1000_0000,)),
    "clones into a namespace": ("clone", (0x1000_0000 | 17, 0, 0, 0, 0)),
    "starts a descriptor": ("execveat", (3, 0, 0, 0, 0x1000)),
    "loads a module": ("init_module", (0, 0, 0)),
    "reads another's memory": ("process_vm_readv", (1, 0, 0, 0, 0, 0)),
    "changes its root": ("chroot", (0,)),
}
NOT_OUTSIDE = {
    "makes a file",
    "starts a device",
    "starts a library of Python's",
    "starts what is not in the room",
}


@pytest.mark.parametrize("name", SOFT)
def test_a_soft_refusal(sandbox, tiny, name):
    number, arguments, refusal = SOFT[name]
    file = tiny(number, *arguments)
    _, told = sandbox("exec", "--", file)
    assert (told["outcome"], told["status"], told["signal"]) == ("error", refusal, None)
    if name not in NOT_OUTSIDE:
        assert subprocess.run([file], check=False, stdin=subprocess.DEVNULL).returncode != refusal


@pytest.mark.parametrize("name", FATAL)
def test_a_fatal_call(sandbox, tiny, name):
    call, arguments = FATAL[name]
    status, told = sandbox("exec", "--", tiny(NUMBERS[call], *arguments))
    assert (status, told["outcome"], told["signal"], told["status"]) == (3, "violation", "SIGKILL", None)
    assert told["denied"] == [call]


def test_an_honest_program_writes_and_ends_with_its_status(sandbox, tiny):
    file = tiny(WRITE, 1, b"hello\n", 6)
    status, told = sandbox("exec", "--", file)
    assert status == 0
    assert told == {
        "level": "L3", "outcome": "ok", "signal": None, "status": 0, "stdout": "hello\n", "stderr": "", "denied": [],
    }  # fmt: skip


def test_it_may_start_itself_again_and_is_bound_as_before(sandbox, tiny):
    """A program that starts itself for ever: what ends it is the deadline, and each start has one pid, 1."""
    file = tiny(NUMBERS["execve"], b"/program", 0, 0)
    status, told = sandbox("exec", "--seconds", 1, "--", file)
    assert (status, told["outcome"]) == (3, "timeout")


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="only x86_64 has other sets of numbers")
def test_other_sets_of_numbers_are_fatal(sandbox, tiny, shelf):
    from tests.escape.programs import tinyelf

    _, told = sandbox("exec", "--", tiny(0x4000_0000 | NUMBERS["getpid"]))
    assert (told["outcome"], told["signal"]) == ("violation", "SIGSYS")
    file = shelf / "int80"
    file.write_bytes(tinyelf.wrapped(62, b"\xb8\x14\x00\x00\x00\xcd\x80\x31\xff\xb8\xe7\x00\x00\x00\x0f\x05"))
    file.chmod(0o755)
    _, told = sandbox("exec", "--", file)
    assert (told["outcome"], told["signal"]) == ("violation", "SIGSYS")
