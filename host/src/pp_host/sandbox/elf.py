"""What a foreign program needs to start, as its file says: its loader, its libraries, where to look for them.

Laws: nothing is run and nothing is believed; a file that does not hold together is refused. Only the format of the
machines that the walls are built for is read: 64 bits, little endian. Spec: the System V ABI, chapters 4 and 5.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from pp_host.errors import OperatorError
from pp_host.limits import LIMITS

_MAGIC: Final = b"\x7fELF\x02\x01\x01"  # 64 bits, little endian, version 1
_MACHINES: Final = {"x86_64": 62, "aarch64": 183}
_PROGRAM, _SHARED = 2, 3  # a position-independent program calls itself a shared object
_LOAD, _DYNAMIC, _INTERPRETER = 1, 2, 3
_NEEDED, _STRINGS, _RPATH, _RUNPATH = 1, 5, 15, 29
_HINT: Final = "a program for this machine is needed; pp sandbox run takes a Python file"
_HEADER: Final = struct.Struct("<16xHHIQQQIHHH")
_SEGMENT: Final = struct.Struct("<IIQQQQQQ")
_TAG: Final = struct.Struct("<qQ")


@dataclass(frozen=True, slots=True)
class Elf:
    """`interpreter` is empty in a static program, and mostly in a library; `folders` are as the file spells them."""

    interpreter: str
    needed: tuple[str, ...]
    folders: tuple[str, ...]


class _Segment(NamedTuple):
    kind: int
    flags: int
    offset: int
    address: int
    physical: int
    file_bytes: int
    memory_bytes: int
    alignment: int


def read(file: Path) -> Elf:
    """OperatorError: it cannot be read, or is no program or library for this machine."""
    try:
        with file.open("rb") as opened:
            if os.fstat(opened.fileno()).st_size > LIMITS.sandbox.program_bytes:
                raise OperatorError(f"{file}: larger than {LIMITS.sandbox.program_bytes} bytes", hint=_HINT)
            data = opened.read(LIMITS.sandbox.program_bytes)
    except OSError as error:
        raise OperatorError(f"{file}: cannot be read: {error.strerror}", hint=_HINT) from None
    try:
        return _parsed(data)
    except (struct.error, ValueError, OverflowError) as error:
        raise OperatorError(f"{file}: no ELF file for this machine: {error}", hint=_HINT) from None


def _parsed(data: bytes) -> Elf:
    if not data.startswith(_MAGIC):
        raise ValueError("it does not begin like one of 64 bits")
    kind, machine, _, _, table, _, _, _, size, count = _HEADER.unpack_from(data)
    if machine != _MACHINES.get(os.uname().machine) or kind not in (_PROGRAM, _SHARED):
        raise ValueError(f"machine {machine}, type {kind}")
    if size != _SEGMENT.size or count > LIMITS.sandbox.program_segments:
        raise ValueError(f"{count} segments of {size} bytes")
    segments = [_Segment(*_SEGMENT.unpack_from(data, table + at * size)) for at in range(count)]
    tags = [tag for segment in segments if segment.kind == _DYNAMIC for tag in _tags(data, segment)]
    strings = next((_offset(segments, value) for tag, value in tags if tag == _STRINGS), 0)
    texts = [(tag, _text(data, strings + value)) for tag, value in tags if tag in (_NEEDED, _RPATH, _RUNPATH)]
    return Elf(
        next((_text(data, segment.offset) for segment in segments if segment.kind == _INTERPRETER), ""),
        tuple(text for tag, text in texts if tag == _NEEDED),
        tuple(folder for tag, text in texts if tag != _NEEDED for folder in text.split(":")),
    )


def _tags(data: bytes, segment: _Segment) -> list[tuple[int, int]]:
    """Up to the one that ends them."""
    found: list[tuple[int, int]] = []
    for at in range(segment.offset, segment.offset + segment.file_bytes, _TAG.size):
        tag, value = _TAG.unpack_from(data, at)
        if not tag or len(found) == LIMITS.sandbox.program_segments:
            break
        found.append((tag, value))
    return found


def _offset(segments: list[_Segment], address: int) -> int:
    """Where in the file stands what will be loaded at `address`."""
    for segment in segments:
        if segment.kind == _LOAD and segment.address <= address < segment.address + segment.file_bytes:
            return address - segment.address + segment.offset
    raise ValueError(f"nothing is loaded at {address:#x}")


def _text(data: bytes, at: int) -> str:
    """A name or path; what is not ASCII is none that any system has."""
    end = data.index(b"\0", at, at + LIMITS.sandbox.program_path_bytes)
    return data[at:end].decode("ascii")
