"""The home: one private folder that holds an operator's settings, keys, trust, grants, packages and state.

Laws: never the current directory unless somebody names it, because a cloned repository could bring its own
trust. A home is ours alone (owner, 0700, no symlink) or it is refused. A home appears whole or not at all,
and an existing one is never written over.
"""

from __future__ import annotations

import os
import secrets
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from pp_host import disk
from pp_host.errors import OperatorError, Refused
from pp_host.limits import LIMITS

SCHEMA_VERSION = 1
_FOLDERS = ("keys", "grants", "store", "state")


class _Identity(Struct, frozen=True):
    """home.json. Secrets and the record are bound to `root_id`, so that another home cannot use them."""

    schema_version: int
    root_id: Annotated[str, Meta(pattern=r"\A[0-9a-f]{32}\Z")]
    origin: Annotated[str, Meta(pattern=r"\A[a-z0-9./-]{1,200}\Z")]


@dataclass(frozen=True, slots=True)
class Home:
    """An opened home. `origin` names its record in checkpoints; `root_id` is 32 random hex digits."""

    root: Path
    root_id: str
    origin: str

    @property
    def config_file(self) -> Path:
        return self.root / "pp.toml"

    @property
    def trust_file(self) -> Path:
        return self.root / "trust.json"

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def grants(self) -> Path:
        return self.root / "grants"

    @property
    def store(self) -> Path:
        return self.root / "store"

    @property
    def state(self) -> Path:
        return self.root / "state"

    @classmethod
    def open(cls, path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Home:
        """The home at `path`, else PP_HOME, else the platform's. Errors: OperatorError, Refused."""
        root = place(path, environ)
        _check_private(root)
        identity = _read_identity(root)
        return cls(root, identity.root_id, identity.origin)

    @classmethod
    def create(cls, root: Path, config_text: str, furnish: Callable[[Home], None]) -> Home:
        """A new home at `root` (missing or empty); `furnish` adds keys and trust while nobody sees it.

        Errors: OperatorError, and whatever `furnish` raises; then nothing is left behind.
        """
        root_id = secrets.token_hex(16)
        identity = _Identity(SCHEMA_VERSION, root_id, f"probablyprofit/{root_id}")
        with _draft(root) as draft:
            for name in _FOLDERS:
                (draft / name).mkdir(mode=0o700)
            disk.write(draft / "pp.toml", config_text.encode())
            disk.write(draft / "home.json", msgspec.json.encode(identity) + b"\n")
            furnish(cls(draft, identity.root_id, identity.origin))
            for folder in (draft, *(draft / name for name in _FOLDERS)):
                disk.sync_folder(folder)
        return cls(root, identity.root_id, identity.origin)


def place(path: Path | None, environ: Mapping[str, str] = os.environ) -> Path:
    """Where the home is, or would be made: absolute. Errors: OperatorError for a relative PP_HOME."""
    if path is not None:
        return path.absolute()
    named = environ.get("PP_HOME", "")
    if named and not Path(named).is_absolute():
        raise OperatorError(
            f"PP_HOME: {named} is not an absolute path", hint="the home must not depend on the current folder"
        )
    return Path(named) if named else _platform_folder(environ) / "probablyprofit"


def _platform_folder(environ: Mapping[str, str]) -> Path:
    # A relative one counts as unset (XDG base directory specification).
    shared = environ.get("XDG_DATA_HOME", "")
    if Path(shared).is_absolute() and sys.platform != "darwin":
        return Path(shared)
    try:
        ours = Path.home()
    except RuntimeError:  # a user without a name, in a container
        raise OperatorError(
            "no folder for a home is known here", hint="set PP_HOME, or add --home DIR"
        ) from None
    return ours / ("Library/Application Support" if sys.platform == "darwin" else ".local/share")


def _check_private(root: Path) -> None:
    try:
        state = root.lstat()
    except OSError as error:
        raise OperatorError(f"{root}: no home here: {error.strerror}", hint=f"pp init {root}") from None
    if stat.S_ISLNK(state.st_mode):
        raise Refused(f"{root}: the home is a symlink", hint="name the folder itself")
    if not stat.S_ISDIR(state.st_mode):
        raise OperatorError(f"{root}: the home is not a folder", hint="pp init DIR makes one")
    if state.st_uid != os.geteuid():
        raise Refused(
            f"{root}: the home belongs to user {state.st_uid}",
            hint=f"run pp as that user, or chown -R {os.geteuid()} {root}",
        )
    if stat.S_IMODE(state.st_mode) & 0o077:
        raise Refused(
            f"{root}: the home is open to other users (mode {stat.S_IMODE(state.st_mode):04o})",
            hint=f"chmod 700 {root}",
        )


def _read_identity(root: Path) -> _Identity:
    path = root / "home.json"
    try:
        identity = msgspec.json.decode(disk.read(path, LIMITS.package.config_bytes), type=_Identity)
    except OSError as error:
        raise OperatorError(
            f"{path}: not a home: {error.strerror}", hint="pp init DIR makes one, in a new folder"
        ) from None
    except msgspec.DecodeError as error:
        raise OperatorError(
            f"{path}: damaged: {error}", hint="restore it from a copy; the record depends on it"
        ) from None
    if identity.schema_version > SCHEMA_VERSION:
        raise OperatorError(
            f"{path}: made by a newer pp (schema {identity.schema_version})", hint="use that version of pp"
        )
    return identity


@contextmanager
def _draft(root: Path) -> Iterator[Path]:
    """A private folder beside `root` that becomes `root` when the block ends well, else is gone."""
    if root.is_symlink() or (root.exists() and not root.is_dir()):
        raise OperatorError(
            f"{root}: exists and is not a folder", hint="name a folder that does not exist yet"
        )
    if (root / "home.json").exists():
        raise OperatorError(f"{root}: a home is here already", hint=f"pp status --home {root}")
    if root.is_dir() and any(root.iterdir()):
        raise OperatorError(f"{root}: exists and is not empty", hint="name a folder that does not exist yet")
    with _parents(root), tempfile.TemporaryDirectory(prefix=f".{root.name}.", dir=root.parent) as beside:
        draft = Path(beside) / "home"
        draft.mkdir(mode=0o700)
        yield draft
        draft.rename(root)  # fails when `root` has been filled meanwhile
        disk.sync_folder(root.parent)


@contextmanager
def _parents(root: Path) -> Iterator[None]:
    """The folders above `root`; those made here go away again when the block fails."""
    made = [folder for folder in root.parents if not folder.exists()]
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException as error:
        for folder in made:
            with suppress(OSError):
                folder.rmdir()
        if isinstance(error, OSError):
            what = f"{root}: cannot be made: {error.strerror}"
            raise OperatorError(what, hint="name a folder inside one that you can write to") from None
        raise
