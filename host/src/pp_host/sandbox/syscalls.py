"""System call numbers of the two architectures that the walls are built for.

Embedded, because no machine need have headers. Source: the kernel's arch/x86/entry/syscalls/syscall_64.tbl
and include/uapi/asm-generic/unistd.h; a call that one of the two lacks is written `-`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from pp_host.errors import WallMissing

# name:x86_64:aarch64
_TABLE: Final = """
access:21:- acct:163:89 add_key:248:217 adjtimex:159:171 arch_prctl:158:- bpf:321:280 brk:12:214 capget:125:90
capset:126:91 chroot:161:51 clock_adjtime:305:266 clock_getres:229:114 clock_gettime:228:113
clock_nanosleep:230:115 clock_settime:227:112 clone:56:220 clone3:435:435 close:3:57 close_range:436:436
delete_module:176:106 dup:32:23 dup2:33:- dup3:292:24 epoll_create1:291:20 epoll_ctl:233:21
epoll_pwait:281:22 epoll_wait:232:- eventfd2:290:19 execve:59:221 execveat:322:281 exit:60:93
exit_group:231:94 faccessat:269:48 faccessat2:439:439 fanotify_init:300:262 fcntl:72:25 fdatasync:75:83
finit_module:313:273 fork:57:- fsconfig:431:431 fsmount:432:432 fsopen:430:430 fspick:433:433 fstat:5:80
fsync:74:82 ftruncate:77:46 futex:202:98 getcpu:309:168 getcwd:79:17 getdents64:217:61 getegid:108:177
geteuid:107:175 getgid:104:176 getpeername:52:205 getpid:39:172 getppid:110:173 getrandom:318:278
getrusage:98:165 getsockname:51:204 getsockopt:55:209 gettid:186:178 gettimeofday:96:169 getuid:102:174
init_module:175:105 io_uring_enter:426:426 io_uring_register:427:427 io_uring_setup:425:425 ioctl:16:29
ioperm:173:- iopl:172:- kcmp:312:272 kexec_file_load:320:294 kexec_load:246:104 keyctl:250:219 kill:62:129
landlock_add_rule:445:445 landlock_create_ruleset:444:444 landlock_restrict_self:446:446
lookup_dcookie:212:18 lseek:8:62 lstat:6:- madvise:28:233 memfd_create:319:279 mkdir:83:- mkdirat:258:34
mknod:133:- mknodat:259:33 mmap:9:222 modify_ldt:154:- mount:165:40 mount_setattr:442:442
move_mount:429:429 mprotect:10:226 mremap:25:216 munmap:11:215 name_to_handle_at:303:264 nanosleep:35:101
newfstatat:262:79 open:2:- open_by_handle_at:304:265 open_tree:428:428 openat:257:56
perf_event_open:298:241 personality:135:92 pidfd_getfd:438:438 pidfd_open:434:434 pipe:22:- pipe2:293:59
pivot_root:155:41 poll:7:- ppoll:271:73 prctl:157:167 pread64:17:67 prlimit64:302:261
process_madvise:440:440 process_vm_readv:310:270 process_vm_writev:311:271 pselect6:270:72 ptrace:101:117
pwrite64:18:68 quotactl:179:60 read:0:63 readlink:89:- readlinkat:267:78 readv:19:65 reboot:169:142
recvfrom:45:207 recvmsg:47:212 rename:82:- renameat:264:38 renameat2:316:276 request_key:249:218
restart_syscall:219:128 rmdir:84:- rseq:334:293 rt_sigaction:13:134 rt_sigprocmask:14:135
rt_sigreturn:15:139 sched_getaffinity:204:123 sched_yield:24:124 seccomp:317:277 select:23:-
sendmsg:46:211 sendto:44:206 set_robust_list:273:99 set_tid_address:218:96 setdomainname:171:162 sethostname:170:161
setns:308:268 setsockopt:54:208 settimeofday:164:170 shutdown:48:210 sigaltstack:131:132 socket:41:198
socketpair:53:199 stat:4:- statx:332:291 swapoff:168:225 swapon:167:224 sysinfo:99:179 syslog:103:116
tgkill:234:131 time:201:- times:100:153 umount2:166:39 uname:63:160 unlink:87:- unlinkat:263:35
unshare:272:97 userfaultfd:323:282 vfork:58:- vmsplice:278:75 write:1:64 writev:20:66
"""


@dataclass(frozen=True, slots=True)
class Architecture:
    """`audit` is what the kernel puts into seccomp_data.arch; `numbers` maps call names to numbers."""

    audit: int
    numbers: Mapping[str, int]


def _column(index: int) -> Mapping[str, int]:
    rows = (entry.split(":") for entry in _TABLE.split())
    return MappingProxyType({row[0]: int(row[index]) for row in rows if row[index] != "-"})


X86_64: Final = Architecture(audit=0xC000_003E, numbers=_column(1))
AARCH64: Final = Architecture(audit=0xC000_00B7, numbers=_column(2))
_BY_MACHINE: Final = {"x86_64": X86_64, "aarch64": AARCH64}


def name(number: int) -> str:
    """What this machine calls the number, as far as the walls have a name for it."""
    return next((each for each, own in native().numbers.items() if own == number), f"call {number}")


def native() -> Architecture:
    """The architecture of this process; raises Refused where the walls have no table for it."""
    machine = os.uname().machine
    if machine not in _BY_MACHINE or sys.maxsize < 2**32:
        raise WallMissing(
            "seccomp",
            f"no system call table for this Python on {machine}",
            hint="run the host with a 64-bit Python on x86_64 or aarch64",
        )
    return _BY_MACHINE[machine]
