"""A report put in its place: a folder that is there whole, or is as it was.

Laws: it is written beside its place and then renamed. What stands there already is replaced only when it is a report of
the same run and nothing else; anything else is refused.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from pp_host import disk
from pp_host.errors import OperatorError
from pp_host.limits import MIB

PAGE = "index.html"
FIGURES = "report.json"
PICTURES = ("equity.png", "exposure.png", "verdicts.png", "agents.png")
NAMES = frozenset({PAGE, FIGURES, *PICTURES})
FIGURES_BYTES = 64 * MIB  # far more than a report has
READABLE = 0o644  # it is made to be shown; the umask may take from it


class _Header(Struct):
    run: Annotated[str, Meta(min_length=1)]


class _Figures(Struct):
    header: _Header


def check_place(out: Path, run: str) -> None:
    """Errors: OperatorError when a report of `run` may not be put at `out`."""
    hint = "name another folder with --out, one that does not exist yet"
    if out.name in ("", ".."):
        raise OperatorError(f"{out}: a report cannot take the place of this folder", hint=hint)
    if not out.parent.is_dir():
        raise OperatorError(f"{out}: there is no folder {out.parent}", hint="make it first, or name another")
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise OperatorError(f"{out}: is there already and is no folder", hint=hint)
    found = sorted(path.name for path in out.iterdir()) if out.exists() else []
    if not found:
        return
    if strange := [name for name in found if name not in NAMES]:
        raise OperatorError(f"{out}: holds {strange[0]}, which is no part of a report", hint=hint)
    if (other := _run_of(out / FIGURES)) != run:
        what = f"a report of {other}" if other else "no report"
        raise OperatorError(f"{out}: is there already and is {what}, not of {run}", hint=hint)


def publish(out: Path, run: str, files: Mapping[str, bytes]) -> None:
    """Make `out` a folder of these files. Errors: OperatorError as of `check_place`, OSError; `out` is as it was."""
    check_place(out, run)
    draft, old = (out.with_name(f".{out.name}.{secrets.token_hex(6)}") for _ in range(2))
    draft.mkdir()
    try:
        for name, data in files.items():
            disk.create(draft / name, data, READABLE)
        swap(draft, out, old)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)
    disk.sync_folder(out.parent)


def swap(draft: Path, out: Path, old: Path) -> None:
    """Put `draft` in the place of `out`, which is at `old` then; after an error `out` is what it was. OSError."""
    replaced = out.exists()
    if replaced:
        out.rename(old)
    try:
        draft.rename(out)
    except BaseException:
        if replaced:
            old.rename(out)
        raise


def _run_of(path: Path) -> str:
    try:
        return msgspec.json.decode(disk.read(path, FIGURES_BYTES), type=_Figures).header.run
    except (OSError, OperatorError, msgspec.DecodeError):
        return ""
