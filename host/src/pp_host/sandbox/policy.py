"""Which system calls a plugin may make, as data, and the program that enforces it.

Three verdicts: allow; a soft errno, for what a decent library may try; fatal, for what no plugin ever needs. A fatal
call never happens: either the kernel ends the process at once, or it holds the caller and tells the host, which ends
it and knows what was called. Everything not named here is refused with EPERM, so a call that a future kernel adds is
refused too. Plugins bring no native code: once their interpreter is loaded, nothing may become executable any more
(see interpreter.py). That is the profile PURE; FOREIGN is for a program that an operator puts behind the walls to see
what it gets.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pp_host.sandbox import bpf
from pp_host.sandbox.syscalls import Architecture

ALLOW: Final = 0x7FFF_0000
KILL: Final = 0x8000_0000  # the whole process, not only the thread
TELL: Final = 0x7FC0_0000  # hold the caller until the host, which listens, has decided
X32_BIT: Final = 0x4000_0000


def refuse(number: int) -> int:
    """SECCOMP_RET_ERRNO: the call does not happen and reports `number`."""
    return 0x0005_0000 | number


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


ALLOWED: Final = _names("""
    read write readv writev pread64 lseek close close_range fstat newfstatat stat lstat statx open openat
    access faccessat faccessat2 readlink readlinkat getdents64 getcwd dup dup2 dup3 pipe pipe2
    munmap mremap madvise brk futex set_robust_list rseq restart_syscall
    rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack
    clock_gettime clock_getres clock_nanosleep nanosleep gettimeofday time times
    poll ppoll select pselect6 epoll_create1 epoll_ctl epoll_wait epoll_pwait eventfd2
    recvfrom sendmsg recvmsg shutdown getsockname getpeername
    getpid gettid getppid getuid geteuid getgid getegid getrandom getrusage sysinfo uname
    sched_yield sched_getaffinity getcpu capget exit exit_group
""")

# Only where /tmp is granted: a file there may be made, grown and removed.
ALLOWED_WITH_TMP: Final = _names("""
    pwrite64 ftruncate fsync fdatasync unlink unlinkat mkdir mkdirat rmdir rename renameat renameat2
""")

# Where neither an empty root nor Landlock stands, no path may be given to the kernel at all.
_WITH_A_PATH: Final = _names("""
    open openat access faccessat faccessat2 readlink readlinkat stat lstat statx getdents64
""")

FATAL: Final = _names("""
    ptrace process_vm_readv process_vm_writev process_madvise keyctl add_key request_key bpf perf_event_open
    userfaultfd io_uring_setup io_uring_enter io_uring_register
    mount umount2 pivot_root chroot open_tree move_mount fsopen fsconfig fsmount fspick mount_setattr
    unshare setns execve execveat kexec_load kexec_file_load init_module finit_module delete_module reboot
    swapon swapoff acct quotactl personality iopl ioperm modify_ldt open_by_handle_at name_to_handle_at
    pidfd_open pidfd_getfd vmsplice kcmp lookup_dcookie syslog sethostname setdomainname
    settimeofday clock_settime adjtimex clock_adjtime fanotify_init mknod mknodat
""")

# clone3 hides its flags behind a pointer: say it does not exist and libc falls back to clone.
REFUSED: Final[Mapping[str, int]] = {
    "clone3": errno.ENOSYS,
    "fork": errno.EAGAIN,
    "vfork": errno.EAGAIN,
    "socket": errno.EACCES,
}

_CLONE_NEW: Final = 0x7E02_0000  # every CLONE_NEW* that clone(2) takes
_CLONE_THREAD: Final = 0x0001_0000
_PROT_WRITE: Final = 0x2
_PROT_EXEC: Final = 0x4
_MAP_ANONYMOUS: Final = 0x20
_ARCH_SET_FS: Final = 0x1002
_AF_UNIX: Final = 1
_SOCK_STREAM: Final = 1
_SOCK_FLAGS: Final = 0o2004000  # SOCK_CLOEXEC | SOCK_NONBLOCK
_AT_EMPTY_PATH: Final = 0x1000
_INT: Final = 0xFFFF_FFFF  # the kernel reads the low half of an `int` argument and ignores the rest
_POINTER: Final = 0xFFFF_FFFF_FFFF_FFFF
_TTY_AND_FLAGS: Final = (
    0x5401,
    0x5413,
    0x541B,
    0x5421,
    0x5450,
    0x5451,
)  # TCGETS TIOCGWINSZ FIONREAD FIONBIO FION/CLEX
_FCNTL: Final = (
    0,
    1,
    2,
    3,
    4,
    1030,
    1032,
    1034,
)  # DUPFD, GET/SETFD, GET/SETFL, DUPFD_CLOEXEC, GETPIPE_SZ, GET_SEALS
_SOL_SOCKET: Final = 1
_SOCKET_READS: Final = (3, 4, 7, 8, 38, 39)  # TYPE ERROR SNDBUF RCVBUF PROTOCOL DOMAIN
_PRCTL_READS: Final = (2, 3, 16, 21, 23, 39, 66)  # PDEATHSIG DUMPABLE NAME SECCOMP CAPBSET NO_NEW_PRIVS MDWE
_PRCTL_NAMES: Final = (15, 0x5356_4D41)  # SET_NAME, SET_VMA: labels for debuggers


SELF: Final = -1


@dataclass(frozen=True, slots=True)
class Require:
    """`argument & mask` must be one of `values`, or else; a 64-bit mask takes one value. SELF: the own process id.

    otherwise: a verdict, KILL standing for any fatal one, or further requirements that make up for this one.
    """

    argument: int
    mask: int
    values: tuple[int, ...]
    otherwise: int | tuple[Require, ...]


# Allowed when every requirement holds; the first that does not gives the verdict.
FILTERED: Final[Mapping[str, tuple[Require, ...]]] = {
    "clone": (
        Require(0, _CLONE_NEW, (0,), KILL),
        Require(0, _CLONE_THREAD, (_CLONE_THREAD,), refuse(errno.EAGAIN)),
    ),
    # a datagram pair could be re-aimed with sendto at any socket that has a path
    "socketpair": (
        Require(0, _INT, (_AF_UNIX,), refuse(errno.EACCES)),
        Require(1, _INT & ~_SOCK_FLAGS, (_SOCK_STREAM,), refuse(errno.EACCES)),
    ),
    "sendto": (Require(4, _POINTER, (0,), refuse(errno.EACCES)),),
    # no owner to be signalled, no lease or lock on files that others read, no notices of their use, no larger pipes
    "fcntl": (Require(1, _INT, _FCNTL, refuse(errno.EPERM)),),
    # what kind of socket it is, never who is at the other end; setsockopt is in no list: buffers, kernel programs
    "getsockopt": (
        Require(1, _INT, (_SOL_SOCKET,), refuse(errno.EPERM)),
        Require(2, _INT, _SOCKET_READS, refuse(errno.EPERM)),
    ),
    "mmap": (Require(2, _PROT_EXEC, (0,), refuse(errno.EPERM)),),
    "mprotect": (Require(2, _PROT_EXEC, (0,), refuse(errno.EPERM)),),
    "tgkill": (Require(0, _INT, (SELF,), refuse(errno.EPERM)),),
    "ioctl": (Require(1, _INT, _TTY_AND_FLAGS, refuse(errno.ENOTTY)),),
    "prctl": (Require(0, _INT, _PRCTL_READS + _PRCTL_NAMES, refuse(errno.EPERM)),),
    "prlimit64": (
        Require(0, _INT, (0,), refuse(errno.EPERM)),
        Require(2, _POINTER, (0,), refuse(errno.EPERM)),
    ),
}


@dataclass(frozen=True, slots=True)
class Profile:
    """What one kind of code may call; whatever REFUSED names is the same for all."""

    allowed: frozenset[str]
    fatal: frozenset[str]
    filtered: Mapping[str, tuple[Require, ...]]


PURE: Final = Profile(ALLOWED, FATAL, FILTERED)

# Beyond PURE: the program itself is started (which file can be one, the mounts and Landlock decide), libc begins its
# first thread, and pages of a file are mapped as code, never writable, never without a file behind them.
FOREIGN: Final = Profile(
    ALLOWED | _names("execve set_tid_address"),
    FATAL - _names("execve"),
    {
        **FILTERED,
        "arch_prctl": (Require(0, _INT, (_ARCH_SET_FS,), refuse(errno.EINVAL)),),
        "mmap": (
            Require(
                2,
                _PROT_EXEC,
                (0,),
                (
                    Require(2, _PROT_WRITE, (0,), refuse(errno.EPERM)),
                    Require(3, _MAP_ANONYMOUS, (0,), refuse(errno.EPERM)),
                ),
            ),
        ),
    },
)

_WITHOUT_PATHS: Final[Mapping[str, tuple[Require, ...]]] = {
    "newfstatat": (Require(3, _AT_EMPTY_PATH, (_AT_EMPTY_PATH,), refuse(errno.EACCES)),),
}


def program(
    architecture: Architecture,
    profile: Profile = PURE,
    *,
    tmp: bool,
    level: str = "L3",
    own: int = 1,
    fatal: int = KILL,
) -> bytes:
    """The assembled filter: wrong architecture kills, x32 kills, then a binary search over the numbers.

    `own` is the process id; `fatal` is KILL or TELL.
    """
    leaves = _leaves(architecture, _named(profile, tmp=tmp, level=level, own=own, fatal=fatal))
    search = bpf.if_at_least(X32_BIT, bpf.verdict(KILL), _search(_intervals(leaves)))
    native = bpf.with_word(bpf.NUMBER_OFFSET, search)
    wrong = bpf.verdict(KILL)
    return bpf.assemble(bpf.with_word(bpf.ARCH_OFFSET, bpf.if_equal(architecture.audit, native, wrong)))


def _named(profile: Profile, *, tmp: bool, level: str, own: int, fatal: int) -> dict[str, bpf.Code]:
    """What each named call leads to."""
    allowed, filtered = profile.allowed | ALLOWED_WITH_TMP if tmp else profile.allowed, dict(profile.filtered)
    named: dict[str, bpf.Code] = dict.fromkeys(allowed, bpf.verdict(ALLOW))
    if level == "L1":
        named |= dict.fromkeys(_WITH_A_PATH, bpf.verdict(refuse(errno.EACCES)))
        filtered |= _WITHOUT_PATHS
    named |= dict.fromkeys(profile.fatal, bpf.verdict(fatal))
    named |= {name: bpf.verdict(refuse(number)) for name, number in REFUSED.items()}
    return named | {name: _demand(requirements, own, fatal) for name, requirements in filtered.items()}


def _leaves(architecture: Architecture, named: Mapping[str, bpf.Code]) -> dict[int, bpf.Code]:
    return {architecture.numbers[name]: code for name, code in named.items() if name in architecture.numbers}


def _demand(requirements: Sequence[Require], own: int, fatal: int) -> bpf.Code:
    code = bpf.verdict(ALLOW)
    for requirement in reversed(requirements):
        missed = requirement.otherwise
        if isinstance(missed, int):
            otherwise = bpf.verdict(fatal if missed == KILL else missed)
        else:
            otherwise = _demand(missed, own, fatal)
        for half in (1, 0):
            mask = requirement.mask >> 32 * half & _INT
            if mask:
                values = [
                    (own if value == SELF else value) >> 32 * half & _INT for value in requirement.values
                ]
                tested = bpf.if_any(values, code, otherwise)
                code = bpf.with_argument(requirement.argument, half, mask, tested)
    return code


def _intervals(leaves: Mapping[int, bpf.Code]) -> list[tuple[int, bpf.Code]]:
    """Neighbours that lead to the same code, merged: (first number, code), gaps refused with EPERM."""
    unknown = bpf.verdict(refuse(errno.EPERM))
    runs: list[tuple[int, bpf.Code]] = []
    for number in range(max(leaves) + 2):
        code = leaves.get(number, unknown)
        if not runs or runs[-1][1] != code:
            runs.append((number, code))
    return runs


def _search(runs: Sequence[tuple[int, bpf.Code]]) -> bpf.Code:
    if len(runs) == 1:
        return runs[0][1]
    middle = len(runs) // 2
    return bpf.if_at_least(runs[middle][0], _search(runs[middle:]), _search(runs[:middle]))
