"""What a process learns of the machine without opening anything."""

import ctypes
import os
import pwd
import sys
import time

from attacks.kernel import libc

AT_EXECFN = 31
libc.getenv.restype = ctypes.c_char_p
libc.getauxval.restype = ctypes.c_ulong


def environment():
    return dict(os.environ)


def in_environment(name):
    """As C programs see it."""
    found = libc.getenv(name.encode())
    return found and found.decode()


def on_start_stack(text):
    """What the kernel put above the stack at exec: arguments, then the environment, then the program's name."""
    return text in start_stack(400)


def start_stack(size):
    program = libc.getauxval(AT_EXECFN)
    return ctypes.string_at(program - size, size).decode("latin-1")


def program():
    """By which path the kernel was asked for this interpreter."""
    return ctypes.string_at(libc.getauxval(AT_EXECFN)).decode()


def arguments():
    return sys.argv + sys.orig_argv


def executable():
    return sys.executable


def prefix():
    return sys.prefix


def host_name():
    return os.uname().nodename


def domain_name():
    room = ctypes.create_string_buffer(256)
    libc.getdomainname(room, len(room))
    return room.value.decode()


def own_pid():
    return os.getpid()


def parent():
    return os.getppid()


def user():
    return os.getuid()


def groups():
    return os.getgroups()


def session():
    return os.getsid(0)


def account(name):
    return pwd.getpwnam(name).pw_uid


def kernel():
    return os.uname().release


def load():
    """`struct sysinfo` begins with the seconds since boot."""
    room = (ctypes.c_long * 32)()
    libc.sysinfo(room)
    return room[0]


def since_boot():
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def processors():
    return len(os.sched_getaffinity(0))


def memory():
    return os.sysconf("SC_PHYS_PAGES")


def working_folder():
    return os.getcwd()


def time_zone():
    return os.readlink("/etc/localtime")
