"""The mount view: an empty read-only root holding a few read-only trees under neutral names.

Trees are taken by descriptor (open_tree) before anything is mounted, so a source may lie anywhere, even
below the folder that the new root is built on.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from pp_host.limits import LIMITS, MIB
from pp_host.sandbox import abi
from pp_host.sandbox.abi import AT_EMPTY_PATH, AT_FDCWD, AT_RECURSIVE
from pp_host.sandbox.plan import SandboxPlan

DEVICES: Final = ("/dev/null", "/dev/urandom")
TMP: Final = "/tmp"  # noqa: S108 - a mount point inside the plugin's own root, not a place to write to
_BASE: Final = "/dev"  # a folder that every system has; the new root covers it

_MS_RDONLY: Final = 0x1
_MS_NOSUID: Final = 0x2
_MS_NODEV: Final = 0x4
_MS_NOEXEC: Final = 0x8
_MS_REC: Final = 0x4000
_MS_PRIVATE: Final = 0x4_0000
_MNT_DETACH: Final = 2

_ATTR_RDONLY: Final = 0x1
_ATTR_NOSUID: Final = 0x2
_ATTR_NODEV: Final = 0x4
_ATTR_NOEXEC: Final = 0x8
_OPEN_TREE_CLONE: Final = 0x1
_MOVE_MOUNT_F_EMPTY_PATH: Final = 0x4


class Bind(NamedTuple):
    """`source` on the host appears as `target` inside; `hidden` names folders in it that are shown empty."""

    source: Path
    target: str
    hidden: tuple[str, ...] = ()


def build_root(binds: Sequence[Bind]) -> None:
    """Make the caller's root the new one; nothing of the host stays reachable by a path."""
    abi.call("mount", None, "/", None, _MS_REC | _MS_PRIVATE, None)
    nodes = [Bind(Path(device), device) for device in DEVICES]
    taken = [(bind, _take(bind.source, _ATTR_NODEV), bind.source.is_dir()) for bind in binds]
    taken += [(node, _take(node.source, _ATTR_NOEXEC), False) for node in nodes]
    _mount_tmpfs(
        _BASE,
        _MS_NOSUID | _MS_NODEV,
        f"size={LIMITS.sandbox.root_bytes},nr_inodes={LIMITS.sandbox.root_files},mode=755",
    )
    Path(_BASE + TMP).mkdir()
    for bind, tree, is_folder in taken:
        _place(tree, Path(_BASE + bind.target), is_folder=is_folder)
        for name in bind.hidden:
            _cover(Path(_BASE + bind.target) / name)
    _pivot(_BASE)


def private_tmp(plan: SandboxPlan) -> None:
    """Only where it was granted; in the child, so that no other plugin sees it."""
    if plan.tmp_mb:
        size = plan.tmp_mb * MIB
        _mount_tmpfs(
            TMP,
            _MS_NOSUID | _MS_NODEV | _MS_NOEXEC,
            f"size={size},nr_inodes={LIMITS.sandbox.tmp_files},mode=700",
        )


def deny_exec(plan: SandboxPlan) -> None:
    """All native code is loaded by now: from here no file in the view can become code, but a foreign program's own."""
    _set_attributes(AT_FDCWD, "/", AT_RECURSIVE, _ATTR_NOSUID | _ATTR_NOEXEC)
    for file in plan.room:
        _set_attributes(AT_FDCWD, file.target, 0, 0, without=_ATTR_NOEXEC)


def _take(source: Path, further: int) -> int:
    tree = abi.call("open_tree", AT_FDCWD, str(source), _OPEN_TREE_CLONE | AT_RECURSIVE | os.O_CLOEXEC)
    _set_attributes(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, _ATTR_RDONLY | _ATTR_NOSUID | further)
    return tree


def _place(tree: int, target: Path, *, is_folder: bool) -> None:
    if is_folder:
        target.mkdir(parents=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    abi.call("move_mount", tree, "", AT_FDCWD, str(target), _MOVE_MOUNT_F_EMPTY_PATH)
    os.close(tree)


def _cover(folder: Path) -> None:
    if folder.is_dir():
        _mount_tmpfs(
            str(folder), _MS_RDONLY | _MS_NOSUID | _MS_NODEV | _MS_NOEXEC, "size=4k,nr_inodes=2,mode=755"
        )


def _pivot(new_root: str) -> None:
    """pivot_root onto itself stacks the old root on top, where it can be detached without a folder for it."""
    os.chdir(new_root)
    abi.call("pivot_root", ".", ".")
    abi.call("umount2", ".", _MNT_DETACH)
    os.chdir("/")
    _set_attributes(AT_FDCWD, "/", 0, _ATTR_RDONLY | _ATTR_NOSUID | _ATTR_NODEV)


def _mount_tmpfs(target: str, flags: int, options: str) -> None:
    abi.call("mount", "tmpfs", target, "tmpfs", flags, options)


def _set_attributes(at: int, path: str, flags: int, attributes: int, *, without: int = 0) -> None:
    """`struct mount_attr`: what to set, what to clear, propagation, user namespace"""
    change = struct.pack("=QQQQ", attributes, without, 0, 0)
    abi.call("mount_setattr", at, path, flags, change, len(change))
