"""What is open already, and what can be done with it and with files that others read too."""

import ctypes
import fcntl
import os
import struct

from attacks.kernel import call, libc

F_NOTIFY, F_SETLEASE, F_SETPIPE_SZ, F_OFD_SETLK = 1026, 1024, 1031, 37
DN_ACCESS = 1
FIOASYNC = 0x5452
READ_LOCK = struct.pack("=hhqqi4x", fcntl.F_RDLCK, 0, 0, 0, 0)


def open_ones(*_):
    found = []
    for fd in range(1024):
        try:
            os.fstat(fd)
        except OSError:
            continue
        found.append(fd)
    return found


def read_beyond(first):
    """Whatever is open behind the ordinary ones."""
    for fd in range(first, 1024):
        try:
            return len(os.read(fd, 1))
        except OSError as error:
            last = error
    raise last


def forgotten():
    return (os.open("/etc/passwd", os.O_RDONLY),)


def read_output(fd):
    """The writing end of a pipe to the host, read from."""
    return len(os.read(fd, 1))


def reopen_output(fd):
    """The same pipe by its path, with the other right."""
    return os.close(os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_NONBLOCK))


def open_another(path):
    """What another process reads from, by a path that is no path."""
    return os.write(os.open(path, os.O_WRONLY | os.O_NONBLOCK), b"") == 0


def reading_end():
    here, there = os.pipe()
    os.write(there, b"x")
    return (here,)


def writing_end():
    return (os.pipe()[1],)


def enlarge(fd):
    """Kernel memory that no rlimit counts."""
    return fcntl.fcntl(fd, F_SETPIPE_SZ, 1 << 20)


def signals_for(fd):
    """SIGIO for whoever owns the descriptor."""
    if libc.ioctl(fd, FIOASYNC, ctypes.byref(ctypes.c_int(1))) == -1:
        raise OSError(ctypes.get_errno(), "ioctl")
    return True


def _shared():
    """A file that every plugin of this kind can read."""
    return os.open(__file__, os.O_RDONLY)


def watch_folder():
    """A signal whenever somebody reads in a folder that others share."""
    return fcntl.fcntl(os.open(os.path.dirname(__file__), os.O_RDONLY), F_NOTIFY, DN_ACCESS)


def lease():
    """Whoever wants to write the file has to wait until this is given back, 45 seconds long."""
    return fcntl.fcntl(_shared(), F_SETLEASE, fcntl.F_RDLCK)


def lock():
    """A lock on a file that others can read is a flag that they can see."""
    return len(fcntl.fcntl(_shared(), fcntl.F_SETLK, READ_LOCK))


def look_for_lock():
    return len(fcntl.fcntl(_shared(), fcntl.F_GETLK, READ_LOCK))


def lock_descriptor():
    return len(fcntl.fcntl(_shared(), F_OFD_SETLK, READ_LOCK))


def lock_whole():
    return call("flock", _shared(), 1 | 4)


def send_file():
    """From file to pipe within the kernel."""
    return call("sendfile", os.pipe()[1], _shared(), 0, 1)


def copy_file(path):
    with open(path, "wb") as target:
        return call("copy_file_range", _shared(), 0, target.fileno(), 0, 1, 0)


def change_working_folder():
    return call("fchdir", os.open(os.path.dirname(__file__), os.O_RDONLY))
