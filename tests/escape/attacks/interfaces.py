"""Parts of the kernel that few programs need and many exploits begin with."""

import ctypes
import mmap
import os
import struct

from attacks.kernel import call

UFFD_USER_MODE_ONLY = 1
MAP_CREATE, ARRAY = 0, 2


def bpf_map():
    """`union bpf_attr`: an array of one."""
    return call("bpf", MAP_CREATE, struct.pack("=IIII", ARRAY, 4, 4, 1) + bytes(112), 128) >= 0


def perf():
    """`struct perf_event_attr`: a software counter of this process, user space only."""
    attributes = struct.pack("=IIQ", 1, 112, 1).ljust(40, b"\0") + struct.pack("=Q", 0b110_0000)
    return call("perf_event_open", attributes.ljust(112, b"\0"), 0, -1, -1, 0) >= 0


def user_faults():
    return call("userfaultfd", UFFD_USER_MODE_ONLY) >= 0


def ring():
    return call("io_uring_setup", 1, bytearray(120)) >= 0


def new_ring():
    return (call("io_uring_setup", 1, bytearray(120)),)


def enter_ring(fd):
    return call("io_uring_enter", fd, 0, 0, 0, 0, 0)


def register_ring(fd):
    """IORING_REGISTER_PROBE: which operations there are."""
    return call("io_uring_register", fd, 8, bytearray(16 + 8 * 64), 64)


def old_queue():
    return call("io_setup", 1, bytearray(8))


def key():
    return call("add_key", "user", "pp", b"x", 1, -1 & 0xFFFF_FFFF) > 0


def request_key():
    """ENOKEY: it was looked for."""
    return call("request_key", "user", "pp-nowhere", 0, 0)


def keyring():
    return call("keyctl", 0, -1 & 0xFFFF_FFFF, 1) > 0


def plain(name, *arguments):
    return call(name, *arguments)


def watch_files():
    return call("inotify_init1", 0) >= 0


def watch_all_files():
    """Without rights it may be asked for since 5.13."""
    return call("fanotify_init", 0x200, 0) >= 0


def kernel_log():
    """How long the kernel's messages are."""
    return call("syslog", 10, 0, 0) >= 0


def splice():
    """From one pipe to another, within the kernel."""
    first, second = os.pipe(), os.pipe()
    os.write(first[1], b"x")
    return call("splice", first[0], 0, second[1], 0, 1, 0)


def tee():
    first, second = os.pipe(), os.pipe()
    os.write(first[1], b"x")
    return call("tee", first[0], second[1], 1, 0)


def lend_memory():
    """Pages of this process into a pipe, as several exploits of the page cache did."""
    _, there = os.pipe()
    page = ctypes.create_string_buffer(b"x")
    return call("vmsplice", there, struct.pack("=QQ", ctypes.addressof(page), 1), 1, 0)


def secret_memory():
    return call("memfd_secret", 0) >= 0


def barrier():
    return call("membarrier", 0, 0, 0) >= 0


def protection_key():
    return call("pkey_alloc", 0, 0) >= 0


def segments():
    """Of the processor: `modify_ldt` reads an empty table."""
    return call("modify_ldt", 0, bytearray(16), 16)


def other_numbers():
    """The getpid of the x32 numbers."""
    return call(0x4000_0000 | 39)


def older_numbers():
    """The getpid of the 32-bit table, by the interrupt: needs a page of code, so the page is what is refused."""
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    return ctypes.CFUNCTYPE(ctypes.c_int)(address)() == os.getpid()


def unknown(number):
    return call(number)


def writes(path):
    with open(path, "w") as file:
        return file.write("0")


def opens(path):
    os.close(os.open(path, os.O_RDONLY))
