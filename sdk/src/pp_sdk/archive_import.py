"""Importing a plugin's own code from its verified archive, in memory.

Laws: no path is ever opened for it, so nothing can be swapped between verification and execution. Standard
library, SDK and installed requirements are always found first, and a plugin that brings a module of one of
their names is refused rather than silently shadowed. Origins read `ppz:/path`; tracebacks and `inspect` get
the source from the loader.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.machinery import ModuleSpec
from importlib.util import decode_source
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from importlib.abc import Loader  # at run time this would drag in half of importlib.resources

ORIGIN: Final = "ppz:/"
RESERVED: Final = frozenset({"pp_sdk", "pp_host", "msgspec", "pluggy", "__main__"})


class ShadowError(Exception):
    """A plugin brings a module under a name that is not its to use."""


def refuse_shadows(names: Sequence[str] | Mapping[str, object]) -> None:
    """Raise ShadowError if one of these files would be a top-level module of a reserved or standard name."""
    for name in names:
        top = _top_level_module(name)
        if top in sys.stdlib_module_names or top in RESERVED:
            raise ShadowError(f"{name}: a plugin may not bring its own {top!r}; rename the file")


def _top_level_module(name: str) -> str:
    """The top-level module this file makes importable, or the empty string."""
    parts = name.split("/")
    if len(parts) == 1 and name.endswith(".py"):
        return name.removesuffix(".py")
    return parts[0] if len(parts) == 2 and parts[1] == "__init__.py" else ""


class ArchiveFinder:
    """A meta path finder over a map of files; append it, so that everything else is found first."""

    def __init__(self, files: Mapping[str, memoryview]) -> None:
        self._files = files

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        stem = fullname.replace(".", "/")
        for name, package in ((f"{stem}/__init__.py", True), (f"{stem}.py", False)):
            if name in self._files:
                loader = ArchiveLoader(self._files, name, package=package)
                spec = ModuleSpec(fullname, cast("Loader", loader), origin=ORIGIN + name, is_package=package)
                spec.has_location = True
                if package:
                    spec.submodule_search_locations = [ORIGIN + stem]
                return spec
        return None

    def made(self, module: ModuleType) -> bool:
        """Whether `module` came out of this archive."""
        loader = getattr(module, "__loader__", None)
        return isinstance(loader, ArchiveLoader) and loader.files is self._files


class ArchiveLoader:
    """Loads one module. Implements importlib's InspectLoader, ResourceLoader and resource reader by shape."""

    def __init__(self, files: Mapping[str, memoryview], name: str, *, package: bool) -> None:
        self.files = files
        self._name = name
        self._package = package

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        exec(self.get_code(module.__name__), module.__dict__)  # noqa: S102  # this is what importing means

    def get_code(self, fullname: str) -> CodeType:
        code: CodeType = compile(self.files[self._name], ORIGIN + self._name, "exec", dont_inherit=True)
        return code

    def get_source(self, fullname: str) -> str:
        return decode_source(bytes(self.files[self._name]))

    def get_filename(self, fullname: str) -> str:
        return ORIGIN + self._name

    def is_package(self, fullname: str) -> bool:
        return self._package

    def get_data(self, path: str) -> bytes:
        """For pkgutil.get_data; OSError where there is no such file."""
        try:
            return bytes(self.files[path.removeprefix(ORIGIN)])
        except KeyError:
            raise FileNotFoundError(path) from None

    def get_resource_reader(self, fullname: str) -> ArchiveResources | None:
        """For importlib.resources."""
        if not self._package:
            return None
        return ArchiveResources(self.files, self._name.removesuffix("/__init__.py"))


class ArchiveResources:
    """A folder or file of the archive as importlib.resources.abc.Traversable wants it, and its own reader."""

    def __init__(self, files: Mapping[str, memoryview], path: str) -> None:
        self._files = files
        self._path = path

    def files(self) -> ArchiveResources:
        return self

    @property
    def name(self) -> str:
        return self._path.rpartition("/")[2]

    def is_file(self) -> bool:
        return self._path in self._files

    def is_dir(self) -> bool:
        return any(name.startswith(f"{self._path}/") for name in self._files)

    def iterdir(self) -> Iterator[ArchiveResources]:
        below = f"{self._path}/"
        names = {name[len(below) :].partition("/")[0] for name in self._files if name.startswith(below)}
        return (ArchiveResources(self._files, below + name) for name in sorted(names))

    def joinpath(self, *descendants: str) -> ArchiveResources:
        return ArchiveResources(self._files, "/".join((self._path, *descendants)))

    __truediv__ = joinpath

    def read_bytes(self) -> bytes:
        if not self.is_file():
            raise FileNotFoundError(ORIGIN + self._path)
        return bytes(self._files[self._path])

    def read_text(self, encoding: str = "utf-8") -> str:
        return self.read_bytes().decode(encoding)

    def open(self, mode: str = "r", *args: Any, **kwargs: Any) -> Any:

        raw = io.BytesIO(self.read_bytes())
        return raw if "b" in mode else io.TextIOWrapper(raw, *args, **kwargs)
