"""Attacks on what the machine has only so much of."""

import mmap
import os
import resource
import socket
import threading
import time
import zlib

MIB = 1 << 20
MAP_NORESERVE = 0x4000


def hold(megabytes):
    hoard = [bytes(MIB) for _ in range(megabytes)]
    return len(hoard)


def reserve(gigabytes):
    """Address space, without using any of it."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE
    return len(mmap.mmap(-1, gigabytes << 30, flags=flags, prot=0))


def inflate(megabytes):
    """A bomb in a few kilobytes."""
    press = zlib.compressobj(1, wbits=-15)
    block = press.compress(bytes(MIB)) + press.flush(zlib.Z_FULL_FLUSH)
    return len(zlib.decompress(block * megabytes + press.flush(), wbits=-15))


def text(megabytes):
    return len("x" * (megabytes * MIB))


def descriptors(number):
    return _many(number, lambda: [os.dup(0)])


def pipes(number):
    return _many(number, os.pipe)


def sockets(number):
    return _many(number, lambda: [end.detach() for end in socket.socketpair()])


def _many(number, make):
    made = []
    try:
        for _ in range(number):
            made += make()
        return number
    finally:
        for fd in made:
            os.close(fd)


def threads(number):
    release, made = threading.Event(), []
    try:
        for _ in range(number):
            made.append(threading.Thread(target=release.wait))
            made[-1].start()
        return len(made)
    finally:
        release.set()
        for thread in made:
            if thread.ident:
                thread.join()


def thick_thread(megabytes):
    threading.stack_size(megabytes * MIB)
    try:
        thread = threading.Thread(target=str)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(0)
    return True


def processes(number):
    """All of them gone with the namespace that they are in."""
    for _ in range(number):
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
    return number


def spin(seconds):
    while sum(resource.getrusage(resource.RUSAGE_SELF)[:2]) < seconds:
        pass
    return True


def fill(path, megabytes):
    with open(path, "wb") as file:
        return file.write(bytes(megabytes * MIB))


def shared_memory(megabytes):
    return len(mmap.mmap(-1, megabytes * MIB, flags=mmap.MAP_SHARED))
