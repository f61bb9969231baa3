"""Machine code of one's own, and memory with other rights than it should have."""

import ctypes
import importlib
import mmap
import os
import struct

from attacks.kernel import X86_64, call, last_error, libc

READ, WRITE, EXECUTE = 1, 2, 4
PRIVATE_ANONYMOUS = 0x22
# mov eax, 42; ret
CODE = b"\xb8\x2a\x00\x00\x00\xc3" if X86_64 else b"\x40\x05\x80\x52\xc0\x03\x5f\xd6"
libc.mmap.restype = ctypes.c_void_p


def _run(address):
    return ctypes.CFUNCTYPE(ctypes.c_int)(address)()


def code_at_once():
    """A page that is written and run."""
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=READ | WRITE | EXECUTE)
    page.write(CODE)
    return _run(ctypes.addressof(ctypes.c_char.from_buffer(page)))


def executable_page():
    mmap.mmap(-1, mmap.PAGESIZE, prot=READ | EXECUTE).close()


def executable_file():
    """Code out of a file that may be read."""
    with open(os.__file__, "rb") as file:
        mmap.mmap(file.fileno(), mmap.PAGESIZE, prot=READ | EXECUTE, flags=mmap.MAP_PRIVATE).close()


def _page():
    return libc.mmap(None, ctypes.c_size_t(4096), READ | WRITE, PRIVATE_ANONYMOUS, -1, ctypes.c_long(0))


def code_later():
    """First written, then made executable."""
    page = _page()
    ctypes.memmove(page, CODE, len(CODE))
    if libc.mprotect(ctypes.c_void_p(page), ctypes.c_size_t(4096), READ | EXECUTE):
        raise last_error()
    return _run(page)


def code_by_key():
    """The same by the call that takes a protection key."""
    page = _page()
    call("pkey_mprotect", page, 4096, READ | EXECUTE, -1)
    return True


def rewrite_code():
    """The C library's own code, made writable in place."""
    address = ctypes.cast(libc.getpid, ctypes.c_void_p).value & ~4095
    if libc.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(4096), READ | WRITE | EXECUTE):
        raise last_error()
    return True


def executable_stack():
    variable = ctypes.c_int()
    address = ctypes.addressof(variable) & ~4095
    if libc.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(4096), READ | WRITE | EXECUTE):
        raise last_error()
    return True


def load_library(name):
    ctypes.CDLL(name)


def load_memory_library():
    """A shared object that no disk has seen."""
    fd = call("memfd_create", "x", 0)
    os.write(fd, b"\x7fELF")
    return fd >= 0


def load_extension():
    """One of Python's own that was not loaded in time."""
    importlib.import_module("_lsprof")


def callback():
    """ctypes itself needs a page of code for a function that C may call."""
    function = ctypes.CFUNCTYPE(ctypes.c_int)(lambda: 42)
    return function()


def lock():
    """All that will be mapped, once it is used: MCL_FUTURE | MCL_ONFAULT."""
    return call("mlockall", 6)


def lock_page():
    page = mmap.mmap(-1, 4096)
    return call("mlock", ctypes.addressof(ctypes.c_char.from_buffer(page)), 4096)


def bind():
    page = mmap.mmap(-1, 4096)
    return call("mbind", ctypes.addressof(ctypes.c_char.from_buffer(page)), 4096, 0, 0, 0, 0)


def policy():
    return call("set_mempolicy", 0, 0, 0)


def remap():
    """The old way to show one page of a file in another's place."""
    page = mmap.mmap(-1, 8192)
    return call("remap_file_pages", ctypes.addressof(ctypes.c_char.from_buffer(page)), 4096, 0, 1, 0)


def cached():
    """Which pages of a file that others read too are in memory: a channel out of their work."""
    fd = os.open(__file__, os.O_RDONLY)
    return call("cachestat", fd, struct.pack("=QQ", 0, 4096), bytearray(40), 0)


def crash():
    ctypes.string_at(0)
