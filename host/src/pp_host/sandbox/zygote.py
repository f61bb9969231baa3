"""The zygote: leaves the host's world step by step, once, and then makes one child per plugin.

Runs `python -s -P -S -B` with nothing but a hash seed in its environment. No code runs in it but this package, the
standard library and the room's preload set: never a plugin's, and nothing that a plugin wrote is ever parsed here. Over
ZYGOTE_FD it receives the plan, then one plan for each child with four descriptors: the child's end of the wire, of a
control socket, and of the pipes for stdout and stderr. It answers with JSON arrays, one per message:

    ["maps"]                              root only: please write my id maps; the host answers `go`
    ["refused", wall, errno, message]     a wall could not be built; nothing more follows
    ["ready"]                             the room stands

and on the child's control socket, where the child speaks next (jail.py):

    ["child", pid]                        the child exists and waits; the host answers `go` to it
"""

from __future__ import annotations

import gc
import importlib
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pp_host.limits import LIMITS
from pp_host.sandbox import capabilities, interpreter, jail, landlock, mounts, namespaces, process, seccomp
from pp_host.sandbox.jail import standing, tell
from pp_host.sandbox.plan import FIRST, FOREIGN_ID, INNER_ID, PYTHON, SITE, ZYGOTE_FD, SandboxPlan, ZygotePlan

_FDS_OF_A_CHILD: Final = 4


def main(control_fd: int) -> Callable[[], object]:
    """The zygote's whole life; returns in each child, when its walls stand, what it calls next: the plan's entry."""
    process.place_in_zygote(control_fd)
    with standing("parent", ZYGOTE_FD):
        process.end_with_host()
    os.umask(0o022)
    plan = ZygotePlan.decode(os.read(ZYGOTE_FD, LIMITS.sandbox.control_message_bytes))
    interpreter.load_native_code()
    if plan.level == "L3":
        _move_out(plan)
    else:
        _stay(plan)
    with standing("parent", ZYGOTE_FD):
        process.end_with_host()  # again: changing ids disarmed it
    _furnish(plan)
    born, fds = _serve(plan)
    jail.lock_in(born, fds)
    return jail.entry(born)


def _move_out(plan: ZygotePlan) -> None:
    outside = interpreter.standard_library()
    if os.geteuid() == 0:
        _leave_as_root(plan)
    else:
        _leave_as_user(plan)
    interpreter.move_in(outside)
    with standing("packages", ZYGOTE_FD):
        interpreter.check_readable([Path(SITE, path.name) for path in plan.packages])


def _leave_as_user(plan: ZygotePlan) -> None:
    uid, gid = os.getuid(), os.getgid()
    with standing("namespaces", ZYGOTE_FD):
        namespaces.leave_as_user()
    with standing("user namespace", ZYGOTE_FD):
        namespaces.map_self(uid, gid)
    _build_root(plan)


def _leave_as_root(plan: ZygotePlan) -> None:
    with standing("namespaces", ZYGOTE_FD):
        namespaces.leave_as_root()
    _build_root(plan)
    with standing("user namespace", ZYGOTE_FD):
        namespaces.give_up_root()
        tell(ZYGOTE_FD, "maps")
        process.await_go(ZYGOTE_FD)
        namespaces.become(INNER_ID)
        process.dumpable()


def _build_root(plan: ZygotePlan) -> None:
    with standing("host name", ZYGOTE_FD):
        namespaces.name_host()
    with standing("empty root", ZYGOTE_FD):
        mounts.build_root((*interpreter.view(plan.packages), *(mounts.Bind(*file) for file in plan.room)))


def _stay(plan: ZygotePlan) -> None:
    """Without namespaces: nothing moves, but root becomes nobody's id for good."""
    if os.geteuid() == 0:
        with standing("foreign user", ZYGOTE_FD):
            capabilities.drop_bounding_set()
            os.setgroups([])
            namespaces.become(FOREIGN_ID)
    with standing("packages", ZYGOTE_FD):
        interpreter.check_readable([interpreter.standard_library(), *plan.packages])
    interpreter.stay(plan.packages)


def _furnish(plan: ZygotePlan) -> None:
    """What all children share: modules, the ruleset, the filter. Frozen, so that they go on sharing it."""
    with standing("preload", ZYGOTE_FD):
        for module in plan.preload:
            importlib.import_module(module)
        if plan.level == "L1":
            interpreter.load_widely_used(plan.packages)
    if plan.level != "L1":
        with standing("landlock", ZYGOTE_FD):
            _permit(plan)
    if plan.level == "L3":
        seccomp.filter_program("L3", FIRST, foreign=bool(plan.room), tmp=False, told=plan.told)
    gc.collect()
    gc.freeze()


def _permit(plan: ZygotePlan) -> None:
    if plan.level == "L3":
        landlock.build((PYTHON,), mounts.DEVICES, programs=[file.target for file in plan.room])
    else:
        listable = [str(interpreter.standard_library())]
        landlock.build(interpreter.readable(plan.packages), mounts.DEVICES, listable=listable)


def _serve(plan: ZygotePlan) -> tuple[SandboxPlan, list[int]]:
    """Make a child whenever the host asks; returns in each child. Ends the zygote when the host hangs up."""
    control = socket.socket(fileno=ZYGOTE_FD)
    tell(ZYGOTE_FD, "ready")
    while True:
        message, fds, _, _ = socket.recv_fds(control, LIMITS.sandbox.control_message_bytes, _FDS_OF_A_CHILD)
        if not message:
            os._exit(0)
        _, child_control, _, _ = fds
        with standing("pid namespace", child_control):
            pid = namespaces.clone_child(plan.level)
        if not pid:
            control.detach()
            return SandboxPlan.decode(message), fds
        tell(child_control, "child", pid)
        for fd in fds:
            os.close(fd)
