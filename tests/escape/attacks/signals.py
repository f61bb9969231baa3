"""Signals to processes that are not one's own."""

import fcntl
import os
import signal
import struct

from attacks.kernel import call

F_SETSIG = 10


def kill(pid, number):
    os.kill(pid, number)


def kill_own_group():
    """Signal 0 to the whole process group: nobody is hurt, and whoever is allowed to is told so."""
    os.kill(0, 0)


def bystander():
    """Another process, in namespaces of this attack's own: nowhere else is it made."""
    if os.getpid() != 1:
        raise PermissionError("only where pid 1 is this attack")
    pid = os.fork()
    if pid == 0:
        signal.pause()
    return (pid,)


def kill_everyone(bystander):
    """All that this process may signal; pid 1 is spared."""
    os.kill(-1, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(bystander, 0)[1])


def kill_thread(pid, number):
    return call("tgkill", pid, pid, number)


def kill_any_thread(pid, number):
    return call("tkill", pid, number)


def _info(number):
    """`siginfo_t` of a queued signal."""
    return struct.pack("=iii", number, 0, -1).ljust(128, b"\0")


def queue(pid, number):
    return call("rt_sigqueueinfo", pid, number, _info(number))


def queue_for_thread(pid, number):
    return call("rt_tgsigqueueinfo", pid, pid, number, _info(number))


def own_pidfd():
    return (call("pidfd_open", os.getpid(), 0),)


def by_descriptor(pidfd):
    return call("pidfd_send_signal", pidfd, 0, 0, 0)


def input_for(pid):
    """The kernel's own messenger: SIGKILL to the owner when something can be read."""
    here, there = os.pipe()
    fcntl.fcntl(here, fcntl.F_SETOWN, pid)
    fcntl.fcntl(here, F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(here, fcntl.F_SETFL, fcntl.fcntl(here, fcntl.F_GETFL) | os.O_ASYNC)
    return os.write(there, b"x")


def alarm():
    """A timer that ends what waits for it."""
    return signal.setitimer(signal.ITIMER_REAL, 3600, 0)[0]


def timer():
    """`timer_create` with the default event: SIGALRM to oneself."""
    return call("timer_create", 0, 0, bytearray(8))


def signal_descriptor():
    return call("signalfd4", -1 & 0xFFFF_FFFF, bytes(8), 8, 0) >= 0
