"""Control groups: where the host's own are delegated to it, each plugin's process gets one, which bounds what no rlimit
counts: scratch files, socket buffers, the kernel's own memory on its behalf.

Only folders below the host's own group are ever made or written. Both generations are spoken: v2 where it has the
controllers, else v1. Spec: the kernel's Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from pp_host.limits import MIB

_CONTROLLERS: Final = ("memory", "pids")
_HOST: Final = "pp-host"  # with v2 a group that has groups below it may hold no process itself
_PROCS: Final = "cgroup.procs"


@dataclass(frozen=True, slots=True)
class Cage:
    """The groups of one process: one with v2, one per controller with v1. Whoever holds it closes it."""

    groups: Mapping[str, Path]  # controller -> folder

    @property
    def walls(self) -> tuple[str, ...]:
        return tuple(f"{controller} cgroup" for controller in self.groups)

    def ended_for_memory(self) -> bool:
        """Whether the kernel ended it because the group was full; ask before closing."""
        events = ("memory.events", "memory.oom_control")  # v2, v1
        texts = [path.read_text() for name in events if (path := self.groups["memory"] / name).exists()]
        counts = dict(line.split() for text in texts for line in text.splitlines())
        return counts.get("oom_kill", "0") != "0"

    def close(self) -> None:
        """Once nobody is left in it. Idempotent; a group that the kernel is not done with stays, empty."""
        for group in set(self.groups.values()):
            with contextlib.suppress(OSError):
                group.rmdir()


@dataclass(frozen=True, slots=True)
class Cgroups:
    """Where groups for plugins can be made: the host's own folder of each controller."""

    own: Mapping[str, Path]
    unified: bool

    @classmethod
    def found(cls, proc: Path = Path("/proc")) -> Self | None:
        """The host's own groups if they were delegated to it; None where they were not. Changes nothing."""
        for unified, own in ((True, _own_v2(proc)), (False, _own_v1(proc))):
            if own is not None and all(_is_delegated(folder, unified=unified) for folder in own.values()):
                return cls(own, unified)
        return None

    def prepare(self) -> None:
        """Groups that a killed host left are removed; with v2 the host moves into one, so that there can be others.

        Raises OSError.
        """
        for left in {group for folder in self.own.values() for group in folder.glob("pp-*-*")}:
            if not Path("/proc", left.name.split("-")[1]).exists():
                Cage({"": left}).close()
        if not self.unified:
            return
        (top,) = set(self.own.values())
        (top / _HOST).mkdir(exist_ok=True)
        for pid in (top / _PROCS).read_text().split():
            (top / _HOST / _PROCS).write_text(pid)
        (top / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in self.own))

    def hold(self, pid: int, *, memory_mb: int, processes: int) -> Cage:
        """A group around this process. Raises OSError; then none is left."""
        name = f"pp-{os.getpid()}-{secrets.token_hex(6)}"
        cage = Cage({controller: folder / name for controller, folder in self.own.items()})
        try:
            for group in set(cage.groups.values()):
                group.mkdir()
            self._bound(cage, memory_mb * MIB, processes)
            for group in set(cage.groups.values()):
                (group / _PROCS).write_text(str(pid))
        except OSError:
            cage.close()
            raise
        return cage

    def _bound(self, cage: Cage, memory_bytes: int, processes: int) -> None:
        memory, pids = cage.groups["memory"], cage.groups["pids"]
        (memory / ("memory.max" if self.unified else "memory.limit_in_bytes")).write_text(str(memory_bytes))
        swap, most = ("memory.swap.max", 0) if self.unified else ("memory.memsw.limit_in_bytes", memory_bytes)
        if (memory / swap).exists():  # a kernel may be built or started without
            (memory / swap).write_text(str(most))
        (pids / "pids.max").write_text(str(processes))


def _own_v2(proc: Path) -> Mapping[str, Path] | None:
    paths = dict(_memberships(proc))
    for kind, _, root, point in _mounts(proc):
        if kind == "cgroup2" and "" in paths:
            folder = point / os.path.relpath(paths[""], root)
            listed = folder / "cgroup.controllers"
            if listed.exists() and set(_CONTROLLERS) <= set(listed.read_text().split()):
                return dict.fromkeys(_CONTROLLERS, folder)
    return None


def _own_v1(proc: Path) -> Mapping[str, Path] | None:
    paths = dict(_memberships(proc))
    own: dict[str, Path] = {
        name: point / os.path.relpath(paths[name], root)
        for kind, options, root, point in _mounts(proc)
        for name in _CONTROLLERS
        if kind == "cgroup" and name in options and name in paths
    }
    return own if set(own) == set(_CONTROLLERS) else None


def _is_delegated(folder: Path, *, unified: bool) -> bool:
    if not os.access(folder, os.W_OK | os.X_OK) or not os.access(folder / _PROCS, os.W_OK):
        return False
    return not unified or (os.access(folder / "cgroup.subtree_control", os.W_OK) and _is_ours_alone(folder))


def _is_ours_alone(folder: Path) -> bool:
    """Whether only this process, and what it started, would have to move."""
    pids = set((folder / _PROCS).read_text().split())
    ours = {str(os.getpid())}
    with contextlib.suppress(FileNotFoundError):
        ours |= set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())
    return pids <= ours


def _memberships(proc: Path) -> Iterator[tuple[str, str]]:
    """(controller, path) of this process; v2's controller is empty."""
    for line in (proc / "self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            yield controller, path


def _mounts(proc: Path) -> Iterator[tuple[str, list[str], str, Path]]:
    """(file system, its options, which part of it is mounted, where)."""
    for line in (proc / "self/mountinfo").read_text().splitlines():
        place, _, kind = line.partition(" - ")
        root, point = place.split()[3:5]
        filesystem, _, options = kind.split()
        yield filesystem, options.split(","), root, Path(point)
