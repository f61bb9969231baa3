"""Every call number and the arguments that matter, through the assembled program and a plain reading of the rules."""

import errno
import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pp_host.sandbox import policy, syscalls

ARCHITECTURES = {"x86_64": syscalls.X86_64, "aarch64": syscalls.AARCH64}
EPERM, EACCES, EAGAIN, ENOTTY, ENOSYS = (
    policy.refuse(number) for number in (errno.EPERM, errno.EACCES, errno.EAGAIN, errno.ENOTTY, errno.ENOSYS)
)
ALLOW, KILL = policy.ALLOW, policy.KILL
HIGH = 1 << 32


class Machine:
    """Runs one filter; `judge(number, *arguments)` is the kernel's verdict."""

    def __init__(self, architecture, profile=policy.PURE, *, tmp=False):
        self.architecture = architecture
        self.instructions = list(struct.iter_unpack("=HBBI", policy.program(architecture, profile, tmp=tmp)))

    def judge(self, number, *arguments, audit=None):
        words = [number, audit or self.architecture.audit, 0, 0]
        for argument in (*arguments, 0, 0, 0, 0, 0, 0)[:6]:
            words += [argument & 0xFFFF_FFFF, argument >> 32]
        accumulator, at = 0, 0
        while True:
            code, jump_true, jump_false, k = self.instructions[at]
            at += 1
            match code:
                case 0x20:
                    accumulator = words[k // 4]
                case 0x54:
                    accumulator &= k
                case 0x05:
                    at += k
                case 0x15:
                    at += jump_true if accumulator == k else jump_false
                case 0x35:
                    at += jump_true if accumulator >= k else jump_false
                case 0x06:
                    return k

    def call(self, name, *arguments):
        return self.judge(self.architecture.numbers[name], *arguments)


@pytest.fixture(params=ARCHITECTURES.values(), ids=ARCHITECTURES, scope="module")
def machine(request):
    return Machine(request.param)


def plain_reading(architecture, profile, number, allowed):
    """What the tables say of a number whose arguments are all zero, without any assembler."""
    name = {number: name for name, number in architecture.numbers.items()}.get(number)
    if name in allowed:
        return ALLOW
    if name in profile.fatal:
        return KILL
    if name in policy.REFUSED:
        return policy.refuse(policy.REFUSED[name])
    if name in profile.filtered:
        missed = [rule for rule in profile.filtered[name] if 0 not in rule.values]
        return missed[0].otherwise if missed else ALLOW
    return EPERM


@pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=ARCHITECTURES)
@pytest.mark.parametrize("tmp", [False, True], ids=["without tmp", "with tmp"])
@pytest.mark.parametrize("profile", [policy.PURE, policy.FOREIGN], ids=["pure", "foreign"])
def test_every_number(architecture, profile, tmp):
    machine = Machine(architecture, profile, tmp=tmp)
    allowed = profile.allowed | policy.ALLOWED_WITH_TMP if tmp else profile.allowed
    for number in range(2048):
        assert machine.judge(number) == plain_reading(architecture, profile, number, allowed), number


@given(st.integers(2048, 2**32 - 1))
def test_numbers_beyond(number):
    machine = Machine(syscalls.X86_64)
    assert machine.judge(number) == (KILL if number >= policy.X32_BIT else EPERM)


def test_another_architecture_is_killed(machine):
    getpid = machine.architecture.numbers["getpid"]
    assert machine.judge(getpid) == ALLOW
    for other in (
        0x4000_0003,
        0x4000_0028,
        0xC000_00F3,
        0xC000_003E ^ 0xC000_00B7 ^ machine.architecture.audit,
    ):
        assert machine.judge(getpid, audit=other) == KILL


# What sandbox.md promises, by hand: call, arguments, verdict.
THREAD = 0x003D_0F00  # glibc's flags for a thread
PROMISES = {
    "thread": ("clone", (THREAD,), ALLOW),
    "fork": ("clone", (17,), EAGAIN),
    "vfork": ("clone", (0x4100 | 17,), EAGAIN),
    "user namespace": ("clone", (0x1000_0000 | 17,), KILL),
    "thread in a namespace": ("clone", (THREAD | 0x4000_0000,), KILL),
    "mount namespace": ("clone", (0x0002_0000,), KILL),
    "clone3": ("clone3", (0, 88), ENOSYS),
    "socket": ("socket", (2, 1, 0), EACCES),
    "pair": ("socketpair", (1, 1), ALLOW),
    "pair with flags": ("socketpair", (1, 1 | 0o2000000 | 0o4000), ALLOW),
    "pair, high bits of a small number": ("socketpair", (HIGH | 1, HIGH | 1), ALLOW),
    "datagram pair": ("socketpair", (1, 2), EACCES),
    "raw pair": ("socketpair", (1, 3), EACCES),
    "seqpacket pair": ("socketpair", (1, 5 | 0o2000000), EACCES),
    "datagram with high bits": ("socketpair", (1, HIGH | 2), EACCES),
    "pair with unknown flag": ("socketpair", (1, 1 | 0x100), EACCES),
    "internet pair": ("socketpair", (2, 1), EACCES),
    "send": ("sendto", (3, 0, 0, 0, 0), ALLOW),
    "send to an address": ("sendto", (3, 0, 0, 0, 0x1000), EACCES),
    "send to a high address": ("sendto", (3, 0, 0, 0, HIGH), EACCES),
    "data memory": ("mmap", (0, 4096, 3), ALLOW),
    "code memory": ("mmap", (0, 4096, 4), EPERM),
    "writable code": ("mmap", (0, 4096, 7), EPERM),
    "code, high bits": ("mmap", (0, 4096, HIGH | 4), EPERM),
    "make it code": ("mprotect", (0, 4096, 5), EPERM),
    "make it data": ("mprotect", (0, 4096, 3), ALLOW),
    "terminal size": ("ioctl", (0, 0x5413), ALLOW),
    "TIOCSTI": ("ioctl", (0, 0x5412), ENOTTY),
    "TIOCSTI with high bits": ("ioctl", (0, HIGH | 0x5412), ENOTTY),
    "TIOCLINUX": ("ioctl", (0, 0x541C), ENOTTY),
    "set name": ("prctl", (15,), ALLOW),
    "read name": ("prctl", (16,), ALLOW),
    "forget the parent": ("prctl", (1,), EPERM),
    "dumpable": ("prctl", (4,), EPERM),
    "seccomp by prctl": ("prctl", (22,), EPERM),
    "ptracer": ("prctl", (0x5961_6D61,), EPERM),
    "read own limit": ("prlimit64", (0, 7, 0), ALLOW),
    "set own limit": ("prlimit64", (0, 7, 0x1000), EPERM),
    "read another's limit": ("prlimit64", (77, 7, 0), EPERM),
    "execve": ("execve", (), KILL),
    "ptrace": ("ptrace", (), KILL),
    "io_uring": ("io_uring_setup", (), KILL),
    "kill": ("kill", (), EPERM),
    "memfd": ("memfd_create", (), EPERM),
    "receive descriptors": ("recvmsg", (), ALLOW),
}


@pytest.mark.parametrize(("name", "arguments", "verdict"), PROMISES.values(), ids=PROMISES)
def test_promises(machine, name, arguments, verdict):
    assert machine.call(name, *arguments) == verdict


# What a foreign program has beyond a plugin, and what it has not.
FOREIGN = {
    "execve": ("execve", (), ALLOW),
    "start a descriptor": ("execveat", (), KILL),
    "first thread": ("set_tid_address", (), ALLOW),
    "data memory": ("mmap", (0, 4096, 3, 0x22), ALLOW),
    "code of a file": ("mmap", (0, 4096, 5, 0x2), ALLOW),
    "writable code of a file": ("mmap", (0, 4096, 7, 0x2), EPERM),
    "code without a file": ("mmap", (0, 4096, 5, 0x22), EPERM),
    "code without a file, high bits": ("mmap", (0, 4096, HIGH | 4, HIGH | 0x20), EPERM),
    "make it code": ("mprotect", (0, 4096, 5), EPERM),
    "memfd": ("memfd_create", (), EPERM),
    "fork": ("clone", (17,), EAGAIN),
    "socket": ("socket", (2, 1, 0), EACCES),
    "ptrace": ("ptrace", (), KILL),
}


@pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=ARCHITECTURES)
@pytest.mark.parametrize(("name", "arguments", "verdict"), FOREIGN.values(), ids=FOREIGN)
def test_a_foreign_program(architecture, name, arguments, verdict):
    assert Machine(architecture, policy.FOREIGN).call(name, *arguments) == verdict


def test_the_register_of_the_first_thread():
    machine = Machine(syscalls.X86_64, policy.FOREIGN)
    assert machine.call("arch_prctl", 0x1002, 0x7FFF_0000_0000) == ALLOW
    assert (
        machine.call("arch_prctl", 0x1001)
        == machine.call("arch_prctl", 0x1012)
        == policy.refuse(errno.EINVAL)
    )


def test_what_a_foreign_program_has_beyond_a_plugin_is_this_and_no_more():
    pure, foreign = policy.PURE, policy.FOREIGN
    assert foreign.allowed - pure.allowed == {"execve", "set_tid_address"}
    assert pure.fatal - foreign.fatal == {"execve"}
    assert not pure.allowed - foreign.allowed | foreign.fatal - pure.fatal
    differs = {name for name in foreign.filtered if foreign.filtered[name] != pure.filtered.get(name)}
    assert differs == {"mmap", "arch_prctl"}


@pytest.mark.parametrize("flag", [0x2_0000, *(1 << bit for bit in range(25, 31))], ids=hex)
def test_no_kind_of_namespace(machine, flag):
    assert machine.call("clone", flag | 17) == machine.call("clone", flag | THREAD) == KILL


@given(st.sampled_from(sorted(policy.FILTERED)), st.lists(st.integers(0, 2**64 - 1), min_size=6, max_size=6))
def test_filtered_calls_with_any_arguments(name, arguments):
    machine = Machine(syscalls.X86_64)
    broken = [
        rule for rule in policy.FILTERED[name] if arguments[rule.argument] & rule.mask not in rule.values
    ]
    assert machine.call(name, *arguments) == (broken[0].otherwise if broken else ALLOW)


def test_no_call_is_in_two_lists():
    lists = [
        policy.ALLOWED,
        policy.ALLOWED_WITH_TMP,
        policy.FATAL,
        set(policy.REFUSED),
        set(policy.FILTERED),
    ]
    for one, other in itertools.combinations(lists, 2):
        assert not one & other
