"""The child tries what must not work, with all walls up and no plugin code loaded, and reports each outcome.

A value is the errno of a refused attempt (0: it succeeded), or a number read from the kernel. What each
level promises is the host's to know: attest.py compares. Only calls with a soft verdict are tried: who is
killed cannot report.
"""

from __future__ import annotations

import mmap
import os
import resource
import socket
from collections.abc import Callable, Mapping
from typing import Final

from pp_host.sandbox import abi, capabilities, process
from pp_host.sandbox.plan import HOSTNAME, RPC_FD

_PR_GET_DUMPABLE: Final = 3
_PR_GET_SECCOMP: Final = 21
_PR_GET_NO_NEW_PRIVS: Final = 39


def _create(path: str) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY))


def _open(path: str) -> None:
    os.close(os.open(path, os.O_RDONLY))


def _fork() -> None:
    if os.fork() == 0:
        os._exit(0)


ATTEMPTS: Final[Mapping[str, Callable[[], object]]] = {
    "read_host_file": lambda: _open("/etc/passwd"),
    "list_processes": lambda: os.scandir("/proc").close(),
    "list_root": lambda: os.scandir("/").close(),  # it is there and readable: only Landlock says no
    "write_root": lambda: _create("/x"),
    "write_library": lambda: _create(os.__file__ + ".x"),
    "internet_socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM).close(),
    "unix_socket": lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).close(),
    "datagram_pair": lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM),
    "fork": _fork,
    "signal": lambda: os.kill(1, 0),
    "raise_limit": lambda: resource.prlimit(0, resource.RLIMIT_CORE, (0, 0)),
    "executable_memory": lambda: mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_EXEC).close(),
}

READINGS: Final[Mapping[str, Callable[[], int]]] = {
    "process_id": os.getpid,
    "user_id": os.getuid,
    "group_id": os.getgid,
    "capabilities": capabilities.held,
    "bounding_capabilities": capabilities.within_bounds,
    "no_new_privs": lambda: abi.prctl(_PR_GET_NO_NEW_PRIVS),
    "seccomp_mode": lambda: abi.prctl(_PR_GET_SECCOMP),
    "dumpable": lambda: abi.prctl(_PR_GET_DUMPABLE),
    "signal_at_parents_end": process.signal_at_parents_end,
    "core_bytes": lambda: resource.getrlimit(resource.RLIMIT_CORE)[1],
    "memory_unbounded": lambda: int(resource.getrlimit(resource.RLIMIT_AS)[1] == resource.RLIM_INFINITY),
    "environment": lambda: len(os.environ),
    "descriptors_beyond_rpc": lambda: sum(
        map(_is_open, range(RPC_FD + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0]))
    ),
    "named_like_host": lambda: int(os.uname().nodename != HOSTNAME),
}


def run() -> dict[str, int]:
    """Attempts first: should one succeed, the readings still tell the truth about what is left."""
    return {name: _errno_of(attempt) for name, attempt in ATTEMPTS.items()} | {
        name: read() for name, read in READINGS.items()
    }


def _errno_of(attempt: Callable[[], object]) -> int:
    try:
        attempt()
    except OSError as error:
        return error.errno or 0
    return 0


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True
