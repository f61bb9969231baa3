"""Meeting points in the kernel, where plugins could talk to each other or leave something behind."""

import ctypes
import os

from attacks.kernel import call, libc

KEY = 0x70705F65
CREATE = 0o1600


def shared_segment():
    return call("shmget", KEY, 4096, CREATE) >= 0


def attach(segment):
    return call("shmat", segment, 0, 0) != 0


def made_segment():
    return (call("shmget", KEY, 4096, CREATE),)


def semaphores():
    return call("semget", KEY, 1, CREATE) >= 0


def messages():
    return call("msgget", KEY, CREATE) >= 0


def queue():
    return call("mq_open", "pp", os.O_CREAT | os.O_RDWR, 0o600, 0) >= 0


def posix_memory(name):
    fd = libc.shm_open(name.encode(), os.O_CREAT | os.O_RDWR, 0o600)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "shm_open")
    libc.shm_unlink(name.encode())
    return True


def posix_semaphore(name):
    libc.sem_open.restype = ctypes.c_void_p
    if not libc.sem_open(name.encode(), os.O_CREAT, 0o600, 1):
        raise OSError(ctypes.get_errno(), "sem_open")
    libc.sem_unlink(name.encode())
    return True


def memory_file():
    return call("memfd_create", "x", 0) >= 0


def by_library():
    """As a Python program would."""
    from multiprocessing import shared_memory  # the import is part of the attack

    block = shared_memory.SharedMemory(create=True, size=16)
    block.close()
    block.unlink()
    return True
