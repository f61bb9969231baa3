"""Landlock: reads in a few folders and of two devices; nothing that leads outwards.

Each feature is asked for only where the kernel's ABI has it; what an older ABI lacks, seccomp refuses
anyway. Spec: the kernel's Documentation/userspace-api/landlock.rst.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pp_host.sandbox import abi
from pp_host.sandbox.mounts import TMP
from pp_host.sandbox.plan import RULESET_FD, SandboxPlan

_VERSION_FLAG: Final = 1
_RULE_PATH_BENEATH: Final = 1
_EXECUTE: Final = 1 << 0
_WRITE_FILE: Final = 1 << 1
_READ_FILE: Final = 1 << 2
_READ_DIR: Final = 1 << 3
_REMOVE_DIR: Final = 1 << 4
_REMOVE_FILE: Final = 1 << 5
_MAKE_DIR: Final = 1 << 7
_MAKE_FILE: Final = 1 << 8
_TRUNCATE: Final = 1 << 14
_FOLDER: Final = _READ_FILE | _READ_DIR
_SCRATCH: Final = _FOLDER | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_FILE | _TRUNCATE

# ABI -> number of filesystem rights it can restrict; network arrives with 4, scopes with 6.
_FS_RIGHTS: Final = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_BIND_AND_CONNECT_TCP: Final = 0b11
_SCOPE_SOCKETS_AND_SIGNALS: Final = 0b11


def version() -> int:
    """The kernel's Landlock ABI, 1 or more; raises OSError where it has none or it is switched off."""
    return abi.call("landlock_create_ruleset", None, 0, _VERSION_FLAG)


def build(
    readable: Sequence[str],
    devices: Sequence[str],
    *,
    programs: Sequence[str] = (),
    listable: Sequence[str] = (),
) -> None:
    """Leave the ruleset at RULESET_FD, made inside the new root: rules stick to inodes, not to names.

    What is only listable shows names, in the folders below it too, and no contents.
    """
    ruleset = abi.call("landlock_create_ruleset", *_restricted(version()), 0)
    for path in readable:
        _permit(ruleset, path, _FOLDER if Path(path).is_dir() else _READ_FILE)
    for folder in listable:
        _permit(ruleset, folder, _READ_DIR)
    for device in devices:
        _permit(ruleset, device, _READ_FILE | _WRITE_FILE)
    for program in programs:
        _permit(ruleset, program, _READ_FILE | _EXECUTE)
    os.dup2(ruleset, RULESET_FD)
    if ruleset != RULESET_FD:
        os.close(ruleset)


def restrict(plan: SandboxPlan) -> None:
    """A granted /tmp was mounted by the child itself, so its rule is added last."""
    if plan.tmp_mb:
        _permit(RULESET_FD, TMP, _SCRATCH & _rights(version()))
    enforce()


def enforce() -> None:
    """Use up the ruleset that `build` left; needs no_new_privs."""
    abi.call("landlock_restrict_self", RULESET_FD, 0)
    os.close(RULESET_FD)


def _rights(found: int) -> int:
    return (1 << _FS_RIGHTS[min(found, max(_FS_RIGHTS))]) - 1


def _restricted(found: int) -> tuple[bytes, int]:
    """`struct landlock_ruleset_attr` as long as this ABI knows it."""
    attributes = struct.pack("=QQQ", _rights(found), _BIND_AND_CONNECT_TCP, _SCOPE_SOCKETS_AND_SIGNALS)
    size = 8 if found < 4 else 16 if found < 6 else 24
    return attributes[:size], size


def _permit(ruleset: int, path: str, rights: int) -> None:
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = struct.pack("=Qi", rights, place)
        abi.call("landlock_add_rule", ruleset, _RULE_PATH_BENEATH, rule, 0)
    finally:
        os.close(place)
