"""Terminals: to type into one as if it were the operator, to take one over, to open one."""

import ctypes
import fcntl
import os
import termios

from attacks.kernel import call, libc

TIOCSTI, TIOCSCTTY, TIOCSWINSZ, TCSETS, TIOCSPGRP, TIOCNOTTY = 0x5412, 0x540E, 0x5414, 0x5402, 0x5410, 0x5422
HIGH = 1 << 32


def _control(fd, request, argument):
    if libc.ioctl(fd, ctypes.c_ulong(request), argument) == -1:
        raise OSError(ctypes.get_errno(), "ioctl")
    return True


def terminal():
    """One of this attack's own, as its session's."""
    os.setsid()
    _, there = os.openpty()
    fcntl.ioctl(there, termios.TIOCSCTTY, 0)
    return (there,)


def loose_terminal():
    os.setsid()
    return (os.openpty()[1],)


def type_into(fd):
    return _control(fd, TIOCSTI, ctypes.c_char_p(b"x"))


def type_with_high_bits(fd):
    """The kernel reads the low half of the request."""
    return _control(fd, HIGH | TIOCSTI, ctypes.c_char_p(b"x"))


def take(fd):
    return _control(fd, TIOCSCTTY, 0)


def let_go(fd):
    return _control(fd, TIOCNOTTY, 0)


def to_front(fd):
    return _control(fd, TIOCSPGRP, ctypes.byref(ctypes.c_int(os.getpid())))


def resize(fd):
    return _control(fd, TIOCSWINSZ, bytes(8))


def set_modes(fd):
    """No echo, and no signals from the keyboard."""
    return _control(fd, TCSETS, bytes(64))


def opens(path):
    os.close(os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK))


def new_terminal():
    for fd in os.openpty():
        os.close(fd)


def listing():
    return len(os.listdir("/dev/pts"))


def hang_up(*_):
    return call("vhangup")
