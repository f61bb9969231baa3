"""The launcher: leaves the host's world step by step, makes one child, and the child locks itself in.

Runs `python -s -P -S -B` with nothing but a hash seed in its environment, and until the walls stand no code
but this package, the standard library and the plan's preload set. Over CONTROL_FD it sends one JSON array
per message:

    ["maps"]                              root only: please write my id maps; the host answers `go`
    ["child", pid]                        the child exists and waits; the host answers `go` to it
    ["refused", wall, errno, message]     a wall could not be built; nothing more follows
    ["up"]                                every wall stands; the plugin's entry is called next
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from typing import Final

from pp_host.limits import LIMITS
from pp_host.sandbox import (
    capabilities,
    interpreter,
    landlock,
    mounts,
    namespaces,
    policy,
    process,
    rlimits,
    seccomp,
    selfcheck,
    syscalls,
)
from pp_host.sandbox.plan import CONTROL_FD, PYTHON, RPC_FD, Cell, SandboxPlan, decode

Step = Callable[[Cell], None]

# The order is the argument: what needs a right comes before the step that gives it up; seccomp is last.
CHILD_STEPS: Final[tuple[tuple[str, Step], ...]] = (
    ("parent", process.end_with_parent),
    ("private /tmp", mounts.private_tmp),
    ("no executable files", mounts.deny_exec),
    ("session", process.new_session),
    ("descriptors", process.keep_only_rpc_fd),
    ("rlimits", rlimits.apply),
    ("capabilities", capabilities.drop_all),
    ("no new privileges", process.no_new_privs),
    ("undumpable", process.undumpable),
    ("write xor execute", process.deny_write_exec),
    ("landlock", landlock.restrict),
    ("seccomp", seccomp.install),
)


def main(rpc_fd: int, control_fd: int) -> None:
    """The launcher's whole life; in the child it returns when the plugin's entry does."""
    process.place_fds(rpc_fd, control_fd)
    with _standing("parent"):
        process.end_with_host()
    os.umask(0o022)
    plan = decode(os.read(CONTROL_FD, LIMITS.sandbox.control_message_bytes))
    interpreter.load_native_code()
    outside = interpreter.standard_library()
    if os.geteuid() == 0:
        _enter_as_root(plan)
    else:
        _enter_as_user(plan)
    with _standing("parent"):
        process.end_with_host()  # again: changing ids disarmed it
    interpreter.move_in(outside)
    with _standing("packages"):
        interpreter.check_readable(plan.packages)
    with _standing("preload"):
        for module in plan.preload:
            importlib.import_module(module)
    with _standing("landlock"):
        landlock.build((PYTHON,), mounts.DEVICES, [file.target for file in plan.room])
    profile = policy.FOREIGN if plan.room else policy.PURE
    cell = Cell(plan, policy.program(syscalls.native(), profile, tmp=plan.tmp_mb > 0))
    with _standing("pid namespace"):
        pid = namespaces.clone_child()
    if pid:
        _tell("child", pid)
        os._exit(0)
    _lock_in(cell)
    _run(plan.entry)


def _enter_as_user(plan: SandboxPlan) -> None:
    uid, gid = os.getuid(), os.getgid()
    with _standing("namespaces"):
        namespaces.leave_as_user()
    with _standing("user namespace"):
        namespaces.map_self(uid, gid)
    with _proc() as proc_fd:
        _forbid_nesting(proc_fd)
        _build_root(plan)


def _enter_as_root(plan: SandboxPlan) -> None:
    with _standing("namespaces"):
        namespaces.leave_as_root()
    with _proc() as proc_fd:
        _build_root(plan)
        with _standing("user namespace"):
            namespaces.give_up_root()
            _tell("maps")
            _await_go()
            namespaces.become_inner()
        _forbid_nesting(proc_fd)


def _build_root(plan: SandboxPlan) -> None:
    with _standing("host name"):
        namespaces.name_host()
    with _standing("empty root"):
        mounts.build_root((*interpreter.view(plan.packages), *(mounts.Bind(*file) for file in plan.room)))


def _forbid_nesting(proc_fd: int) -> None:
    with _standing("nested namespaces"):
        namespaces.forbid_nesting(proc_fd)


def _lock_in(cell: Cell) -> None:
    for wall, step in CHILD_STEPS:
        with _standing(wall):
            step(cell)
    _tell("up")
    os.close(CONTROL_FD)


def _run(entry: str) -> None:
    observed = selfcheck.run()
    interpreter.forget_host()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # always a TextIOWrapper here
    module, _, function = entry.partition(":")
    getattr(importlib.import_module(module), function)(RPC_FD, observed)


@contextlib.contextmanager
def _standing(wall: str) -> Iterator[None]:
    """What fails within is that wall's failure: the host is told and this process ends."""
    try:
        yield
    except (OSError, ImportError) as error:
        _tell("refused", wall, getattr(error, "errno", None) or 0, f"{type(error).__name__}: {error}")
        os._exit(1)


@contextlib.contextmanager
def _proc() -> Iterator[int]:
    proc_fd = os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield proc_fd
    finally:
        os.close(proc_fd)


def _tell(*message: str | int) -> None:
    os.write(CONTROL_FD, json.dumps(message).encode())


def _await_go() -> None:
    if os.read(CONTROL_FD, len(process.GO)) != process.GO:
        os._exit(1)
