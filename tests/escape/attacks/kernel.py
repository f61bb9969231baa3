"""System calls by name. The numbers are this suite's own, a second source beside the host's table."""

import ctypes
import os

_TABLE = """
accept:43:202 acct:163:89 add_key:248:217 adjtimex:159:171 bind:49:200 bpf:321:280 cachestat:451:451 capset:126:91
chdir:80:49 chmod:90:- chown:92:- chroot:161:51 clock_adjtime:305:266 clock_settime:227:112 clone:56:220
clone3:435:435 connect:42:203 copy_file_range:326:285 creat:85:- delete_module:176:106 execve:59:221
execveat:322:281 faccessat2:439:439 fallocate:285:47 fanotify_init:300:262 fchdir:81:50 fchmod:91:52
fchmodat:268:53 fchmodat2:452:452 fchown:93:55 fchownat:260:54 finit_module:313:273 flock:73:32 fork:57:-
fsconfig:431:431 fsmount:432:432 fsopen:430:430 fspick:433:433 ftruncate:77:46 getpid:39:172 getpriority:140:141
getxattr:191:8 init_module:175:105 inotify_init1:294:26 io_setup:206:0 io_uring_enter:426:426
io_uring_register:427:427 io_uring_setup:425:425 ioctl:16:29 ioperm:173:- iopl:172:- ioprio_set:251:30 kcmp:312:272
kexec_file_load:320:294 kexec_load:246:104 keyctl:250:219 kill:62:129 landlock_create_ruleset:444:444
landlock_restrict_self:446:446 link:86:- linkat:265:37 listen:50:201 listmount:458:458 listxattr:194:11
lookup_dcookie:212:18 mbind:237:235 membarrier:324:283 memfd_create:319:279 memfd_secret:447:447
migrate_pages:256:238 mkdirat:258:34 mknod:133:- mknodat:259:33 mlock:149:228 mlockall:151:230 mmap:9:222
modify_ldt:154:- mount:165:40 mount_setattr:442:442 move_mount:429:429 move_pages:279:239 mprotect:10:226
mq_open:240:180 mq_unlink:241:181 msgctl:71:187 msgget:68:186 name_to_handle_at:303:264 open_by_handle_at:304:265
open_tree:428:428 openat:257:56 openat2:437:437 perf_event_open:298:241 personality:135:92 pidfd_getfd:438:438
pidfd_open:434:434 pidfd_send_signal:424:424 pivot_root:155:41 pkey_alloc:330:289 pkey_mprotect:329:288 prctl:157:167
prlimit64:302:261 process_madvise:440:440 process_mrelease:448:448 process_vm_readv:310:270
process_vm_writev:311:271 ptrace:101:117 quotactl:179:60 reboot:169:142 remap_file_pages:216:234 request_key:249:218
rt_sigqueueinfo:129:138 rt_tgsigqueueinfo:297:240 sched_setaffinity:203:122 sched_setattr:314:274
sched_setscheduler:144:119 seccomp:317:277 semctl:66:191 semget:64:190 sendfile:40:71 sendmmsg:307:269
set_mempolicy:238:237 setdomainname:171:162 setfsuid:122:151 setgid:106:144 setgroups:116:159 sethostname:170:161
setns:308:268 setpgid:109:154 setpriority:141:140 setresuid:117:147 setrlimit:160:164 setsid:112:157
settimeofday:164:170 setuid:105:146 setxattr:188:5 shmat:30:196 shmctl:31:195 shmget:29:194 signalfd4:289:74
socket:41:198 socketpair:53:199 splice:275:76 statfs:137:43 statmount:457:457 swapoff:168:225 swapon:167:224
symlinkat:266:36 sync:162:81 syslog:103:116 tee:276:77 tgkill:234:131 timer_create:222:107 timerfd_create:283:85
tkill:200:130 truncate:76:45 umask:95:166 umount2:166:39 unlinkat:263:35 unshare:272:97 userfaultfd:323:282
utimensat:280:88 vfork:58:- vhangup:153:58 vmsplice:278:75
"""
X86_64 = os.uname().machine == "x86_64"
NUMBERS = {
    name: int(here)
    for name, *numbers in (entry.split(":") for entry in _TABLE.split())
    if (here := numbers[0 if X86_64 else 1]) != "-"
}
libc = ctypes.CDLL(None, use_errno=True)


def call(name, *arguments):
    """The system call `name`, or of a number; text is passed as a C string, a bytearray as the kernel's to write."""
    number = name if isinstance(name, int) else NUMBERS[name]
    result = libc.syscall(ctypes.c_long(number), *map(_word, (*arguments, 0, 0, 0, 0, 0, 0)[:6]))
    if result == -1:
        raise last_error()
    return result


def _word(argument):
    if isinstance(argument, str):
        return ctypes.c_char_p(argument.encode())
    if isinstance(argument, bytes):
        return ctypes.c_char_p(argument)
    if isinstance(argument, bytearray):
        return ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(argument)))
    return ctypes.c_ulong(argument & (2**64 - 1))


def last_error():
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))


def prctl(*arguments):
    result = libc.prctl(*map(ctypes.c_ulong, (*arguments, 0, 0, 0, 0)[:5]))
    if result == -1:
        raise last_error()
    return result
