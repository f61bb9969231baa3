"""The room of a foreign program: its own file, its loader, and the libraries that both need; nothing else.

Laws: the program is a stranger's, so what it names is looked for only where libraries are, and only a file that is
itself a program or library for this machine is ever shown to it. Nothing of it is run to find out. Libraries stand in
the folder of the loader's own file, which every loader searches without being told.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Final

from pp_host.errors import OperatorError
from pp_host.limits import LIMITS
from pp_host.sandbox import elf
from pp_host.sandbox.plan import RoomFile

PLACE: Final = "/program"
_NAME: Final = re.compile(r"[A-Za-z0-9_+-][A-Za-z0-9_.+-]{0,254}")
_INTERPRETER: Final = re.compile(
    r"/(?:lib|lib64|usr/lib|usr/lib64|nix/store)(?:/[A-Za-z0-9_+-][A-Za-z0-9_.+-]*)+"
)
_FOLDERS: Final = ("/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib")
_CONFIGURED: Final = Path("/etc/ld.so.conf.d")
_IMPLIED: Final = ("libgcc_s.so.1",)  # glibc opens it by name when a thread ends itself
_STATIC: Final = "link it statically, or install what it needs"


def furnish(program: Path) -> tuple[RoomFile, ...]:
    """The room's files, the program's own first. OperatorError: no program for this machine, or it lacks something."""
    file = program.resolve()
    found = elf.read(file)
    if not found.interpreter:
        return (RoomFile(file, PLACE),)
    if not _INTERPRETER.fullmatch(found.interpreter):
        hint = "its loader must be one of the system's, below /lib or /usr/lib"
        raise OperatorError(f"{program}: asks for the loader {found.interpreter!r}", hint=hint)
    loader = Path(found.interpreter).resolve()
    libraries = _libraries(program, found, loader)
    return (RoomFile(file, PLACE), RoomFile(loader, found.interpreter), *libraries)


def _libraries(program: Path, first: elf.Elf, loader: Path) -> Iterator[RoomFile]:
    """Breadth first, as loaders do it; of two files with one name the first counts."""
    known = {loader.name, PurePosixPath(first.interpreter).name}
    system = (str(loader.parent), *_FOLDERS, *_configured())
    waiting = deque([(program, first, name) for name in first.needed])
    waiting.extend((loader, elf.read(loader), name) for name in _IMPLIED)
    while waiting:
        user, wanted, name = waiting.popleft()
        if name in known:
            continue
        known.add(name)
        _check_name(program, user, name, len(known))
        library = _library(name, (*_folders(user, wanted), *_folders(program, first), *system))
        if library is not None:
            waiting.extend((library[0], library[1], each) for each in library[1].needed)
            yield RoomFile(library[0], str(loader.parent / name))
        elif user != loader:
            raise OperatorError(f"{program}: {user.name} needs {name}, which is not found", hint=_STATIC)


def _check_name(program: Path, user: Path, name: str, count: int) -> None:
    if not _NAME.fullmatch(name):
        what = f"{program}: {user.name} needs {name!r}, which is no library's name"
        raise OperatorError(what, hint=_STATIC)
    if count > LIMITS.sandbox.program_libraries:
        most = LIMITS.sandbox.program_libraries
        raise OperatorError(f"{program}: needs more than {most} libraries", hint=_STATIC)


def _library(name: str, folders: tuple[str, ...]) -> tuple[Path, elf.Elf] | None:
    for folder in folders:
        file = Path(folder, name)
        if file.is_absolute() and file.is_file():
            with suppress(OperatorError):  # another machine's, which loaders pass over too
                return file.resolve(), elf.read(file)
    return None


def _folders(user: Path, wanted: elf.Elf) -> tuple[str, ...]:
    """Where a file says that its libraries are; ORIGIN is the folder of the file itself."""
    origin = str(user.resolve().parent)
    return tuple(folder.replace("${ORIGIN}", origin).replace("$ORIGIN", origin) for folder in wanted.folders)


def _configured() -> Iterator[str]:
    """Folders that this machine's own loader is told of, one a line."""
    for file in sorted(_CONFIGURED.glob("*.conf")):
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("/"):
                yield line.strip()
