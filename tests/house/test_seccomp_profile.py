"""deploy/seccomp.json names what exists, holds what the walls are built with, and nothing that Docker itself withholds."""

from __future__ import annotations

import ast
import json
from collections import defaultdict

import pytest
from pp_host.sandbox import bpf, mounts, namespaces, policy, syscalls

from tests.deploy import calls
from tests.deploy.profile import compiled, conditions, verdict

ALLOW = "SCMP_ACT_ALLOW"
# What no host needs: the kernel's own matters, other processes' memory, and what Docker's profile withholds too.
FORBIDDEN = [
    "_sysctl",
    "acct",
    "add_key",
    "adjtimex",
    "bpf",
    "chroot",
    "clock_adjtime",
    "clock_settime",
    "create_module",
    "delete_module",
    "fanotify_init",
    "finit_module",
    "fsconfig",
    "fsmount",
    "fsopen",
    "fspick",
    "get_kernel_syms",
    "init_module",
    "io_uring_enter",
    "io_uring_register",
    "io_uring_setup",
    "ioperm",
    "iopl",
    "kcmp",
    "kexec_file_load",
    "kexec_load",
    "keyctl",
    "lookup_dcookie",
    "mbind",
    "memfd_secret",
    "migrate_pages",
    "mknod",
    "mknodat",
    "modify_ldt",
    "move_pages",
    "name_to_handle_at",
    "nfsservctl",
    "open_by_handle_at",
    "perf_event_open",
    "personality",
    "pidfd_getfd",
    "process_madvise",
    "process_vm_readv",
    "process_vm_writev",
    "ptrace",
    "query_module",
    "quotactl",
    "quotactl_fd",
    "reboot",
    "request_key",
    "rt_sigqueueinfo",
    "rt_tgsigqueueinfo",
    "set_mempolicy",
    "setns",
    "settimeofday",
    "setxattr",
    "swapoff",
    "swapon",
    "sysfs",
    "syslog",
    "uselib",
    "userfaultfd",
    "ustat",
    "vhangup",
    "vmsplice",
]


@pytest.fixture(scope="module")
def profile(root):
    return json.loads((root / "deploy" / "seccomp.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def allowed(profile):
    """Name -> its alternatives, each a tuple of (argument, mask, value)."""
    found = defaultdict(list)
    for rule in profile["syscalls"]:
        for name in rule["names"]:
            if rule["action"] == ALLOW:
                found[name].append(tuple(conditions(rule)))
    return found


def test_what_is_not_named_is_refused(profile):
    assert (profile["defaultAction"], profile["defaultErrnoRet"]) == ("SCMP_ACT_ERRNO", 1)
    assert profile["architectures"] == ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"]
    refused = [rule for rule in profile["syscalls"] if rule["action"] != ALLOW]
    assert [(rule["names"], rule["errnoRet"]) for rule in refused] == [(["clone3"], 38)]


def test_every_name_is_a_real_call_and_stands_in_one_place(profile):
    named = [name for rule in profile["syscalls"] for name in rule["names"] if not rule.get("args")]
    assert sorted(set(named)) == sorted(named)
    assert [name for name in named if name not in calls.X86_64] == []
    for rule in profile["syscalls"]:
        assert rule["names"] == sorted(rule["names"])
        assert set(rule) <= {"comment", "names", "action", "args", "errnoRet"}


def test_what_no_host_needs_is_absent(allowed):
    assert [
        name for name in FORBIDDEN if name not in calls.X86_64
    ] == []  # a misspelt one would always be absent
    assert sorted(set(FORBIDDEN) & set(allowed)) == []


def test_both_tables_of_numbers_agree():
    for ours, full in ((syscalls.X86_64, calls.X86_64), (syscalls.AARCH64, calls.AARCH64)):
        assert {name: full.get(name) for name in ours.numbers} == dict(ours.numbers)


def test_what_a_plugin_may_call_its_container_may_call(allowed):
    """A filter inside cannot allow what the one outside refuses."""
    foreign = policy.FOREIGN
    needed = foreign.allowed | policy.ALLOWED_WITH_TMP | set(foreign.filtered)
    assert needed > policy.ALLOWED | set(policy.FILTERED)
    assert sorted(needed - set(allowed)) == []


def called_by_the_walls(host):
    """Every call that sandbox/ makes through its own door."""
    for module in host:
        if module.name.startswith("pp_host/sandbox/"):
            for node in ast.walk(module.tree):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "abi.call":
                    yield ast.literal_eval(node.args[0])


def test_what_the_walls_are_built_with_is_present(host, allowed):
    needed = set(called_by_the_walls(host))
    assert {
        "unshare",
        "clone",
        "mount",
        "pivot_root",
        "umount2",
        "landlock_restrict_self",
        "seccomp",
    } <= needed
    assert sorted(needed - set(allowed)) == []


def values(alternatives):
    return {value for ((_, _, value),) in alternatives}


def test_namespaces_are_made_in_the_ways_of_the_zygote_and_no_other(allowed):
    surroundings, user = namespaces._SURROUNDINGS, namespaces._NEW_USER
    assert values(allowed["unshare"]) == {user | surroundings, surroundings, user}
    ((_, mask, value),) = allowed["clone"][0]
    assert (mask, value) == (policy._CLONE_NEW & ~namespaces._OF_A_CHILD, 0)


def test_mounts_are_tmpfs_and_privacy_and_no_other(allowed):
    plain = mounts._MS_NOSUID | mounts._MS_NODEV
    closed = plain | mounts._MS_NOEXEC
    private = mounts._MS_REC | mounts._MS_PRIVATE
    assert values(allowed["mount"]) == {private, plain, closed, closed | mounts._MS_RDONLY}
    assert values(allowed["umount2"]) == {mounts._MNT_DETACH}
    assert values(allowed["socket"]) == {policy._AF_UNIX}


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_it_compiles_for_every_machine_that_the_walls_know(profile, machine):
    assert 8 * 100 < len(compiled(profile, machine)) < 8 * bpf.MOST_INSTRUCTIONS


def test_a_verdict_that_is_not_understood_is_an_error():
    with pytest.raises(AssertionError):
        verdict({"action": "SCMP_ACT_LOG"})
    with pytest.raises(ValueError, match="SCMP_CMP_GT"):
        list(conditions({"args": [{"index": 0, "value": 1, "op": "SCMP_CMP_GT"}]}))
