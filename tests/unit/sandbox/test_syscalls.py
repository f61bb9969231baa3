"""The embedded numbers against what this machine knows."""

import ctypes
import ctypes.util
import os
import re
from pathlib import Path

import pytest
from pp_host.errors import WallMissing
from pp_host.sandbox import policy, syscalls

HEADER = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
ARCHITECTURES = {"x86_64": syscalls.X86_64, "aarch64": syscalls.AARCH64}


@pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=ARCHITECTURES)
def test_no_number_twice(architecture):
    assert len(set(architecture.numbers.values())) == len(architecture.numbers)


@pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=ARCHITECTURES)
def test_every_name_in_the_policy_is_known_somewhere(architecture):
    named = policy.ALLOWED | policy.ALLOWED_WITH_TMP | policy.FATAL | {*policy.REFUSED, *policy.FILTERED}
    named |= policy.FOREIGN.allowed | {*policy.FOREIGN.filtered}
    everywhere = {*syscalls.X86_64.numbers, *syscalls.AARCH64.numbers}
    assert named <= everywhere
    assert len(named & set(architecture.numbers)) > 120


def test_new_calls_have_one_number_everywhere():
    both = set(syscalls.X86_64.numbers) & set(syscalls.AARCH64.numbers)
    for name in both:
        x86_64, aarch64 = syscalls.X86_64.numbers[name], syscalls.AARCH64.numbers[name]
        assert (x86_64 >= 424) == (aarch64 >= 424)
        assert x86_64 == aarch64 or x86_64 < 424


@pytest.mark.skipif(not HEADER.exists(), reason="kernel headers are not installed")
def test_against_the_kernel_headers():
    known = {name: int(number) for name, number in re.findall(r"__NR_(\w+) (\d+)", HEADER.read_text())}
    wrong = {
        name: number for name, number in syscalls.X86_64.numbers.items() if known.get(name, number) != number
    }
    assert wrong == {}


@pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=ARCHITECTURES)
def test_against_libseccomp(architecture):
    library = ctypes.util.find_library("seccomp")
    if library is None:
        pytest.skip("libseccomp is not installed")
    resolve = ctypes.CDLL(library).seccomp_syscall_resolve_name_arch
    found = {
        name: resolve(ctypes.c_uint32(architecture.audit), name.encode()) for name in architecture.numbers
    }
    wrong = {name for name, number in found.items() if number >= 0 and number != architecture.numbers[name]}
    assert wrong == set()


def test_the_native_table_is_the_kernels_own():
    libc = ctypes.CDLL(None)
    assert libc.syscall(ctypes.c_long(syscalls.native().numbers["getpid"])) == os.getpid()


def test_a_machine_without_a_table(monkeypatch):
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "x", "6", "1", "riscv64")))
    with pytest.raises(
        WallMissing, match="wall seccomp: no system call table for this Python on riscv64"
    ) as refusal:
        syscalls.native()
    assert refusal.value.hint == "run the host with a 64-bit Python on x86_64 or aarch64"
