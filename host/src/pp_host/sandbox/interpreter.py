"""Moves a running interpreter into the mount view: native code first, then names, then the environment.

Machine code can only be loaded before the walls stand: afterwards seccomp refuses executable memory, so a
plugin can neither bring nor make any, and the host's library folders need not be visible at all. The
standard library's extension modules that plugins may want are therefore loaded here, from where the host
has them; what is missing from the list raises ImportError inside. Python modules load at any time from
LIBRARY.

Host paths are removed from every place that Python shows. They stay in memory that ctypes could read (the
loader's list, the start stack) and in build records of the standard library: they are not secrets. Where no
new root can be built the interpreter stays where it is, host paths and all.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import gc
import importlib
import importlib.util
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Final

from pp_host.sandbox.mounts import Bind
from pp_host.sandbox.plan import LIBRARY, PYTHON, SITE

_EXTENSIONS: Final = """
    array cmath math _bisect _blake2 _bz2 _contextvars _csv _datetime _decimal _hashlib _heapq _json _lzma
    _md5 _opcode _pickle _posixsubprocess _queue _random _sha1 _sha2 _sha256 _sha3 _sha512 _socket _ssl
    _statistics _struct _uuid binascii fcntl mmap pyexpat resource select termios unicodedata zlib
"""

# What a wheel may expect of the system by the manylinux rules (PEP 600); libgcc_s also ends threads for glibc.
_SYSTEM_LIBRARIES: Final = """
    libgcc_s.so.1 libstdc++.so.6 libm.so.6 libdl.so.2 librt.so.1 libpthread.so.0 libutil.so.1 libresolv.so.2
"""

# Where no file can be opened once the walls stand: what a decent plugin may import of the standard library.
_WIDELY_USED: Final = """
    abc argparse array asyncio base64 binascii bisect calendar cmath codecs collections.abc concurrent.futures
    contextlib contextvars copy copyreg csv dataclasses datetime decimal difflib encodings.ascii encodings.cp1252
    encodings.idna encodings.latin_1 encodings.unicode_escape encodings.utf_16 enum fractions functools gc getpass
    graphlib hashlib heapq hmac html importlib.metadata importlib.resources inspect io ipaddress itertools json
    linecache logging logging.handlers math mmap numbers operator pathlib pickle pkgutil platform pprint queue
    random re reprlib secrets select selectors shutil signal socket ssl statistics string struct subprocess tempfile
    textwrap threading time timeit tokenize traceback types typing unicodedata unittest.mock urllib.parse uuid
    warnings weakref zipfile zlib zoneinfo
"""

_THIRD_PARTY: Final = ("site-packages", "dist-packages")
_PREFIXES: Final = ("prefix", "exec_prefix", "base_prefix", "base_exec_prefix")
_ARENAS: Final = -8  # M_ARENA_MAX: each further malloc arena would reserve 64 MiB of RLIMIT_AS


def standard_library() -> Path:
    return Path(os.__file__).parent


def view(packages: Sequence[Path]) -> tuple[Bind, ...]:
    """What a plugin's process can see of the disk."""
    own = [Bind(path, f"{SITE}/{path.name}") for path in packages]
    return (Bind(standard_library(), LIBRARY, hidden=_THIRD_PARTY), *own)


def load_native_code() -> None:
    """Everything the host's own library folders are needed for; no package's code runs here, with rights left."""
    for name in _SYSTEM_LIBRARIES.split():
        with contextlib.suppress(OSError):  # some are part of libc by now, or absent
            ctypes.CDLL(name)
    for name in _EXTENSIONS.split():
        with contextlib.suppress(ImportError):  # not every Python is built with every module
            importlib.import_module(name)
    with contextlib.suppress(AttributeError):  # glibc's alone
        ctypes.CDLL(None).mallopt(_ARENAS, 1)


def move_in(outside: Path) -> None:
    """Call once the new root stands; `outside` is where the standard library was."""
    sys.path[:] = [LIBRARY, f"{LIBRARY}/lib-dynload", SITE]
    sys.path_importer_cache.clear()
    sys.argv[:], sys.orig_argv[:] = [""], []
    vars(sys).update(
        dict.fromkeys(_PREFIXES, PYTHON), _stdlib_dir=LIBRARY, executable="", _base_executable=""
    )
    for module in list(sys.modules.values()):
        _rename(module, str(outside))
    for function in [each for each in gc.get_objects() if isinstance(each, FunctionType)]:
        if function.__code__.co_filename.startswith(str(outside)):
            function.__code__ = _renamed(function.__code__, str(outside))
    os.environ.clear()


class Packages:
    """Finds packages by name where the folders that they lie in may not be searched. Implements MetaPathFinder."""

    def __init__(self, packages: Sequence[Path]) -> None:
        self._places = {path.name.partition(".")[0]: path for path in packages}

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        place = self._places.get(name)
        if place is None:
            return None
        if not place.is_dir():
            return importlib.util.spec_from_file_location(name, place)
        start = place / "__init__.py"
        return importlib.util.spec_from_file_location(name, start, submodule_search_locations=[str(place)])


def stay(packages: Sequence[Path]) -> None:
    """Where there is no new root: the packages are found by name, and nothing else that is not the standard library."""
    library = str(standard_library())
    sys.path[:] = [library, f"{library}/lib-dynload"]
    sys.path_importer_cache.clear()
    sys.meta_path.append(Packages(packages))
    sys.argv[:], sys.orig_argv[:] = [""], []
    os.environ.clear()


def readable(packages: Sequence[Path]) -> list[str]:
    """Without a new root: what may be read, which is the standard library without what was installed beside it."""
    own = [entry for entry in standard_library().iterdir() if entry.name not in _THIRD_PARTY]
    return [str(path) for path in (*own, *packages)]


def load_widely_used(packages: Sequence[Path]) -> None:
    """Before a filter that lets nothing be opened: trusted code only, the packages among it."""
    for name in (*_WIDELY_USED.split(), *(path.name.partition(".")[0] for path in packages)):
        importlib.import_module(name)


def check_readable(packages: Sequence[Path]) -> None:
    """Raises PermissionError, where an import would only say that there is no such module."""
    for place in packages:
        if not os.access(place, os.R_OK | os.X_OK if place.is_dir() else os.R_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(place))


def forget_host() -> None:
    """The plugin starts with no module of the host's, and with a `__main__` of its own.

    One reference that nobody holds keeps them: to take them apart would copy 300 kB that are shared with the zygote.
    """
    sys.modules["__main__"] = ModuleType("__main__")
    for name in [name for name in sys.modules if name.partition(".")[0] == "pp_host"]:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(sys.modules.pop(name)))


def _rename(module: ModuleType, outside: str) -> None:
    """Every attribute of a module, its spec and its loader that is a path of the standard library."""
    spec = getattr(module, "__spec__", None)
    for holder in (module, spec, getattr(spec, "loader", None)):
        for name in ("__file__", "__cached__", "origin", "cached", "path"):
            value = getattr(holder, name, None)
            if isinstance(value, str) and value.startswith(outside):
                setattr(holder, name, LIBRARY + value.removeprefix(outside))
    folders = getattr(module, "__path__", None)
    if isinstance(folders, list):
        folders[:] = [
            LIBRARY + each.removeprefix(outside) if each.startswith(outside) else each for each in folders
        ]


def _renamed(code: CodeType, outside: str) -> CodeType:
    constants = tuple(
        _renamed(each, outside) if isinstance(each, CodeType) else each for each in code.co_consts
    )
    return code.replace(co_filename=LIBRARY + code.co_filename.removeprefix(outside), co_consts=constants)
