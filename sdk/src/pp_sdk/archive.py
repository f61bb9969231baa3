"""Reading the files of a package out of memory.

Laws: this reads what the host has already verified: a zip whose entries are all STORED. It takes nothing on
trust that could make it read beyond the buffer, but whether the archive is canonical was judged before. Files
are views into the archive; nothing is unpacked.
"""

from __future__ import annotations

from struct import Struct, error
from typing import Final

_END: Final = Struct("<4s4H2LH")  # signature, disk, disk, entries, entries, size, offset, comment
_ENTRY: Final = Struct(
    "<4s6H3L5H2L"
)  # signature, method [4], size [8], name, extra, comment [10..12], offset [16]
_LOCAL: Final = Struct("<4s5H3L2H")  # signature, name [9], extra [10]


class ArchiveError(Exception):
    """Not an archive this loader can read."""


def read_archive(block: memoryview) -> dict[str, memoryview]:
    """Every file by its name. Raises ArchiveError."""
    try:
        signature, _, _, entries, _, _, offset, _ = _END.unpack_from(block, len(block) - _END.size)
        if signature != b"PK\x05\x06":
            raise ArchiveError("no end record")
        files: dict[str, memoryview] = {}
        for _ in range(entries):
            name, data, offset = _read_entry(block, offset)
            files[name] = data
    except (error, UnicodeDecodeError) as cause:
        raise ArchiveError(f"damaged archive: {cause}") from cause
    return files


def _read_entry(block: memoryview, offset: int) -> tuple[str, memoryview, int]:
    fields = _ENTRY.unpack_from(block, offset)
    if fields[0] != b"PK\x01\x02" or fields[4] != 0:
        raise ArchiveError("an entry is not stored plainly")
    start = offset + _ENTRY.size
    name = str(block[start : start + fields[10]], "ascii")
    local = _LOCAL.unpack_from(block, fields[16])
    if local[0] != b"PK\x03\x04":
        raise ArchiveError(f"{name}: no local header")
    begin = fields[16] + _LOCAL.size + local[9] + local[10]
    data = block[begin : begin + fields[8]]
    if len(data) != fields[8]:
        raise ArchiveError(f"{name}: cut short")
    return name, data, start + fields[10] + fields[11] + fields[12]
