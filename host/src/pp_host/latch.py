"""The kill latch: state/KILL. While it is there, nothing new is sent; only `pp resume` takes it away.

Laws: raising it is durable before anything else happens. What cannot be read counts as latched. Its
absence lowers nothing: the record's own trading state still holds.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from pp_host import disk
from pp_host.errors import OperatorError
from pp_host.limits import LIMITS

NAME = "KILL"


class Latch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`at` is microseconds UTC; `by` is who raised it."""

    at: int
    reason: Annotated[str, Meta(min_length=1, max_length=500)]
    by: str


def raise_latch(state: Path, reason: str, *, by: str = "operator") -> None:
    """Make the latch durable, replacing an older one. Errors: OSError when no file can be made at all."""
    latch = Latch(
        at=time.time_ns() // 1000,
        reason=reason.encode(errors="replace").decode()[:500] or "no reason given",
        by=by,
    )
    path = state / NAME
    try:
        disk.write(path, msgspec.json.encode(latch) + b"\n")
    except OSError:
        path.touch(mode=0o600)  # a full disk may still take a name, and an empty latch holds as well
        disk.sync_folder(state)


def read_latch(state: Path) -> str | None:
    """Why trading is latched, or None. Never raises: trouble is a reason."""
    try:
        data = disk.read(state / NAME, LIMITS.control.file_bytes)
    except FileNotFoundError:
        return None if state.is_dir() else f"{state} cannot be read"
    except (OSError, OperatorError) as error:
        return f"the latch cannot be read: {error}"
    with suppress(msgspec.DecodeError):
        return msgspec.json.decode(data, type=Latch).reason
    return "the latch is not readable as one"


def clear_latch(state: Path) -> None:
    """Take the latch away, durably. For `resume` alone. Errors: OSError."""
    (state / NAME).unlink(missing_ok=True)
    disk.sync_folder(state)
