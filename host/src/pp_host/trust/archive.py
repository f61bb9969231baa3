"""The package file: a STORED zip whose bytes are a pure function of its file map.

Laws: `write(read(b)) == b`, or the archive is refused. The reader walks only what the writer can have
written, so that traversal, duplicates, symlinks, polyglots, bombs, comments, zip64 and header mismatches
have no spelling here. Nothing is unpacked to disk, nothing is imported.
Layout: PKWARE APPNOTE 4.3.7,
4.3.12, 4.3.16.
"""

from __future__ import annotations

import os
import re
import stat
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pp_host.errors import OperatorError
from pp_host.limits import LIMITS
from pp_host.trust import files

SUFFIX = ".ppz"
SIDECAR_SUFFIX = ".sigstore.json"

_VERSION = 20  # 2.0, what common unzip programs expect
_UNIX = 3 << 8
_EPOCH = 0, 1 << 5 | 1  # 1980-01-01 00:00, the zero of zip time
_ATTRIBUTES = (stat.S_IFREG | 0o644) << 16
_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")

_REMEDY = "pack it with `pp plugin pack`"
_NAME = re.compile(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*")
_PLANTED = frozenset({"__pycache__", "sitecustomize", "usercustomize"})  # run by an interpreter unasked
_COMPILED = (".pyc", ".pyo", ".pth", ".so", ".pyd", ".dll", ".dylib")


def write(members: Mapping[str, bytes]) -> bytes:
    """The one archive that holds exactly `members`. Errors: OperatorError names the member."""
    names = sorted(members)
    _check_names(names)
    body = bytearray()
    directory = bytearray()
    for name in names:
        directory += _central(name, members[name], len(body))
        body += _member(name, members[name])
        _check_size(len(body), name)
    end = _END.pack(b"PK\5\6", 0, 0, len(names), len(names), len(directory), len(body), 0)
    archive = bytes(body + directory + end)
    _check_size(len(archive), "the directory")
    return archive


def read(archive: bytes) -> dict[str, bytes]:
    """The file map of a canonical archive. Errors: OperatorError names the member that is not canonical."""
    _check_size(len(archive), "the archive")
    members: dict[str, bytes] = {}
    for name, data in _members(archive):
        if name in members:
            raise OperatorError(f"{name}: twice in the archive")
        if len(members) == LIMITS.package.files:
            raise OperatorError(f"{name}: more than {LIMITS.package.files} files")
        members[name] = data
    if write(members) != archive:
        raise OperatorError("the order or the directory of the archive is not canonical", hint=_REMEDY)
    return members


def pack_folder(folder: Path) -> dict[str, bytes]:
    """What of a source folder goes into the package: all but dotfiles, `tests/`, bytecode and packages.

    Errors: OperatorError names a symlink, a special file, a name no package may hold, or a file too large.
    """
    if not folder.is_dir():
        raise OperatorError(f"{folder}: not a folder")
    found: dict[str, bytes] = {}
    total = 0
    for name in _walk(folder, ""):
        found[name] = files.read(folder / name, LIMITS.package.archive_bytes)
        total += len(found[name])
        _check_size(total, name)
    _check_names(found)
    return found


def _walk(folder: Path, prefix: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        name = prefix + entry.name
        if _stays_home(name):
            continue
        if entry.is_symlink():
            raise OperatorError(
                f"{folder / entry.name}: a symlink cannot be packed", hint="replace it by the file it means"
            )
        if entry.is_dir():
            yield from _walk(folder / entry.name, f"{name}/")
        else:
            yield name


def _stays_home(name: str) -> bool:
    base = name.rpartition("/")[2]
    ours = (SUFFIX, SUFFIX + SIDECAR_SUFFIX)
    return base.startswith(".") or name == "tests" or base == "__pycache__" or base.endswith((".pyc", *ours))


def _members(archive: bytes) -> Iterator[tuple[str, bytes]]:
    """Walk the members from the first byte on; each must carry the very header its name and data earn."""
    at = 0
    while archive.startswith(b"PK\3\4", at):
        if len(archive) < at + _LOCAL.size:
            raise OperatorError(f"the archive ends inside a header at byte {at}")
        *_, size, name_bytes, _extra = _LOCAL.unpack_from(archive, at)
        start = at + _LOCAL.size + name_bytes
        name = archive[at + _LOCAL.size : start].decode("ascii", "backslashreplace")
        data = archive[start : start + size]
        _check_name(name)
        if not archive.startswith(_member(name, data), at):
            raise OperatorError(f"{name}: its header or checksum is not canonical", hint=_REMEDY)
        yield name, data
        at = start + size


def _member(name: str, data: bytes) -> bytes:
    header = _LOCAL.pack(
        b"PK\3\4", _VERSION, 0, 0, *_EPOCH, zlib.crc32(data), len(data), len(data), len(name), 0
    )
    return header + name.encode("ascii") + data


def _central(name: str, data: bytes, offset: int) -> bytes:
    sizes = zlib.crc32(data), len(data), len(data), len(name)
    header = _CENTRAL.pack(
        b"PK\1\2", _UNIX | _VERSION, _VERSION, 0, 0, *_EPOCH, *sizes, 0, 0, 0, 0, _ATTRIBUTES, offset
    )
    return header + name.encode("ascii")


def _check_size(size: int, name: str) -> None:
    if size > LIMITS.package.archive_bytes:
        raise OperatorError(f"{name}: the package is larger than {LIMITS.package.archive_bytes} bytes")


def _check_names(names: Iterable[str]) -> None:
    """Every name legal, and no two of them one path on some disk (case, or a file that is also a folder)."""
    spelled: dict[str, tuple[str, bool]] = {}
    for count, name in enumerate(names, start=1):
        _check_name(name)
        if count > LIMITS.package.files:
            raise OperatorError(f"{name}: more than {LIMITS.package.files} files")
        parts = name.split("/")
        for depth in range(1, len(parts) + 1):
            path = "/".join(parts[:depth])
            this = path, depth == len(parts)
            other = spelled.setdefault(path.lower(), this)
            if other != this:
                raise OperatorError(f"{name}: clashes with {other[0]}", hint="rename one of the two")


def _check_name(name: str) -> None:
    parts = name.split("/")
    if not _NAME.fullmatch(name) or not {".", ".."}.isdisjoint(parts):
        raise OperatorError(
            f"{name!r}: not a package name", hint="letters, digits, `_`, `.` and `-`, folders joined by `/`"
        )
    if len(name) > LIMITS.package.name_bytes or len(parts) > LIMITS.package.name_levels:
        raise OperatorError(
            f"{name}: too long or too deep a name", hint=f"at most {LIMITS.package.name_bytes} bytes"
        )
    if name.lower().endswith(_COMPILED):
        raise OperatorError(f"{name}: compiled code and path files are not allowed in a package")
    if not _PLANTED.isdisjoint(part.lower().partition(".")[0] for part in parts):
        raise OperatorError(f"{name}: an interpreter would run this unasked; not allowed in a package")
