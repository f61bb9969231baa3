"""Memory handed to another process that nobody can change any more.

Laws: the giver fills a memfd, seals it against growing, shrinking, writing and new seals, and hands over a
read-only reopening with mode 0400; a read-only descriptor without the seals would be a hole, because its
holder can reopen it for writing. The taker believes nothing: all four seals and the length must be there.
Linux only.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from typing import Final

SEALS: Final = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
COPY_BYTES: Final = 64 * 1024  # below this a copy is cheaper than a mapping, and keeps no descriptor


class NotSealed(Exception):
    """A descriptor that could still change, or is not as long as it was said to be."""


def seal(block: bytes | memoryview, name: str = "pp") -> int:
    """A read-only descriptor of sealed memory that holds `block`; the caller closes it."""
    writable = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        _fill(writable, memoryview(block))
        os.fchmod(writable, 0o400)
        fcntl.fcntl(writable, fcntl.F_ADD_SEALS, SEALS)
        return os.open(f"/proc/self/fd/{writable}", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(writable)


def _fill(fd: int, block: memoryview) -> None:
    while block:
        block = block[os.write(fd, block) :]


def unseal(fd: int, length: int) -> memoryview:
    """The sealed bytes behind `fd`, read-only; `fd` stays the caller's. Raises NotSealed, OSError.

    Long ones are mapped: CPython keeps one descriptor per mapping, until the last view of it is gone.
    """
    if fcntl.fcntl(fd, fcntl.F_GET_SEALS) & SEALS != SEALS:
        raise NotSealed("the descriptor is not sealed against every change")
    if os.fstat(fd).st_size != length:
        raise NotSealed(f"{os.fstat(fd).st_size} bytes where {length} were announced")
    if length < COPY_BYTES:
        return memoryview(os.pread(fd, length, 0))
    return memoryview(mmap.mmap(fd, length, access=mmap.ACCESS_READ))
