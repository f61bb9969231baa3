"""More processes, other programs, other processes' insides, other identities and priorities."""

import ctypes
import os
import resource
import signal
import struct
import subprocess

from attacks.kernel import call, prctl

PTRACE_TRACEME, PTRACE_SEIZE, PTRACE_POKEDATA, PTRACE_INTERRUPT = 0, 0x4206, 5, 0x4207
AT_EMPTY_PATH = 0x1000
MADV_COLD = 20


def fork():
    pid = os.fork()
    if pid == 0:
        os._exit(7)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def clone(flags):
    pid = call("clone", flags | signal.SIGCHLD, 0, 0, 0, 0)
    if pid == 0:
        os._exit(7)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def clone3():
    """`struct clone_args`, of which only the signal at the end is wanted."""
    arguments = struct.pack("=QQQQQQQQ", 0, 0, 0, 0, signal.SIGCHLD, 0, 0, 0)
    pid = call("clone3", arguments, len(arguments))
    if pid == 0:
        os._exit(7)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def daemon():
    """A grandchild that nobody waits for, in a session of its own."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os._exit(0)
        os._exit(0)
    return os.wait()[1]


def spawn():
    return subprocess.run(["/bin/true"], check=False).returncode


def posix_spawn():
    pid = os.posix_spawn("/bin/true", ["true"], {})
    return os.waitpid(pid, 0)[1]


def shell():
    return os.system("exit 7") >> 8


def execute(path):
    """Comes back only where it failed; outside the program's own status tells."""
    os.execv(path, [path])


def execute_at(fd):
    """A file by descriptor, the path empty."""
    arguments = (ctypes.c_char_p * 2)(b"x", None)
    call("execveat", fd, "", ctypes.addressof(arguments), 0, AT_EMPTY_PATH)


def opened_program():
    return (os.open("/bin/true", os.O_RDONLY),)


def execute_memory():
    """A program that no disk has seen."""
    fd = call("memfd_create", "x", 0)
    with open("/bin/true", "rb") as program:
        os.write(fd, program.read())
    os.execve(fd, ["true"], {})


def trace_me():
    return call("ptrace", PTRACE_TRACEME, 0, 0, 0)


def seize(pid):
    return call("ptrace", PTRACE_SEIZE, pid, 0, 0)


def stop_and_write(pid, address):
    """Takes a process over: it stops, and a word of its memory is another."""
    call("ptrace", PTRACE_SEIZE, pid, 0, 0)
    call("ptrace", PTRACE_INTERRUPT, pid, 0, 0)
    os.waitpid(pid, 0x4000_0000)  # __WALL
    return call("ptrace", PTRACE_POKEDATA, pid, address, 0x7878_7878_7878_7878)


def _vector(address, length):
    return struct.pack("=QQ", address, length)


def read_memory(pid, address):
    room = bytearray(20)
    here = _vector(ctypes.addressof(ctypes.c_char.from_buffer(room)), len(room))
    call("process_vm_readv", pid, here, 1, _vector(address, len(room)), 1, 0)
    return room.decode()


def write_memory(pid, address):
    room = bytearray(b"xxxx")
    here = _vector(ctypes.addressof(ctypes.c_char.from_buffer(room)), len(room))
    return call("process_vm_writev", pid, here, 1, _vector(address, len(room)), 1, 0)


def pidfd(pid):
    return call("pidfd_open", pid, 0) >= 0


def own_pidfd():
    return (call("pidfd_open", os.getpid(), 0),)


def take_descriptor(pidfd):
    return call("pidfd_getfd", pidfd, 0, 0) >= 0


def advise(pidfd):
    """What another process holds in memory, put aside."""
    page = ctypes.create_string_buffer(8192)
    vector = _vector(ctypes.addressof(page) + 4096 & ~4095, 4096)
    return call("process_madvise", pidfd, vector, 1, MADV_COLD, 0)


def reap_memory(pidfd):
    """Of a process that is being killed: EINVAL says that the kernel looked and found it alive."""
    return call("process_mrelease", pidfd, 0)


def compare(pid):
    """Whether two processes share a file table: an oracle on the kernel's addresses."""
    return call("kcmp", pid, pid, 2, 0, 0)


def read_limits(pid):
    return len(resource.prlimit(pid, resource.RLIMIT_NOFILE))


def set_limits(pid):
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft - 1, hard - 1))


def set_limits_blindly(pid):
    new = struct.pack("=QQ", 11, 11)
    return call("prlimit64", pid, resource.RLIMIT_NOFILE, new, 0)


def own_limit():
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.prlimit(0, resource.RLIMIT_NOFILE, (soft, soft))


def own_limit_by_older_call():
    return call("setrlimit", resource.RLIMIT_CORE, struct.pack("=QQ", 0, 0))


def priority(pid):
    return os.getpriority(os.PRIO_PROCESS, pid)


def set_priority(pid):
    own = os.getpriority(os.PRIO_PROCESS, pid)
    os.setpriority(os.PRIO_PROCESS, pid, own + 1 if own < 19 else 18)


def set_own_priority():
    os.setpriority(os.PRIO_PROCESS, 0, 19)
    return os.getpriority(os.PRIO_PROCESS, 0)


def set_affinity(pid):
    os.sched_setaffinity(pid, {min(os.sched_getaffinity(0))})


def set_policy(pid):
    os.sched_setscheduler(pid, os.SCHED_BATCH, os.sched_param(0))


def set_attributes(pid):
    """`struct sched_attr`: SCHED_IDLE."""
    return call("sched_setattr", pid, struct.pack("=IIQiIQQQ", 48, 5, 0, 0, 0, 0, 0, 0), 0)


def set_io_priority(pid):
    return call("ioprio_set", 1, pid, 3 << 13)


def real_time():
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


def move_pages(pid):
    return call("move_pages", pid, 0, 0, 0, 0, 0)


def migrate_pages(pid):
    first = struct.pack("=Q", 1)
    return call("migrate_pages", pid, 64, first, first)


def become(uid):
    os.setuid(uid)


def become_group(gid):
    os.setgid(gid)


def become_all(uid):
    os.setresuid(uid, uid, uid)


def become_for_files(uid):
    return call("setfsuid", uid)


def join_groups():
    os.setgroups([0])


def take_capabilities():
    """Those that a user namespace's root holds are simply kept; elsewhere there is nothing to take."""
    header = struct.pack("=Ii", 0x2008_0522, 0)
    return call("capset", header, bytes(24))


def session():
    os.setsid()
    return os.getsid(0) == os.getpid()


def group(pid):
    os.setpgid(pid, 0)


def personality(flags):
    return call("personality", flags) >= 0


def control(option, *arguments):
    return prctl(option, *arguments)


def another_filter():
    """One more filter that says yes to everything: harmless here, and a way to have calls handed to a helper."""
    prctl(38, 1)
    code = ctypes.create_string_buffer(struct.pack("=HBBI", 0x6, 0, 0, 0x7FFF_0000))
    return call("seccomp", 1, 0, struct.pack("=HxxxxxxQ", 1, ctypes.addressof(code)))


def landlock():
    return call("landlock_create_ruleset", 0, 0, 1) > 0
