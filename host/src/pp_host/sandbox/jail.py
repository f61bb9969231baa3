"""A plugin's process from its birth in the zygote to its last wall: it locks itself in, then names the plan's entry.

Over CONTROL_FD it sends one JSON array per message:

    ["refused", wall, errno, message]     a wall could not be built; nothing more follows
    ["up"]                                every wall stands; with it goes what hears of fatal calls, where there is such
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import json
import os
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from pp_host.sandbox import (
    capabilities,
    interpreter,
    landlock,
    mounts,
    namespaces,
    process,
    rlimits,
    seccomp,
    selfcheck,
)
from pp_host.sandbox.plan import CONTROL_FD, LEVELS, RPC_FD, SandboxPlan


class Step(NamedTuple):
    wall: str
    build: Callable[[SandboxPlan], None]
    levels: tuple[str, ...] = LEVELS


# The order is the argument: what needs a right comes before the step that gives it up; seccomp follows.
CHILD_STEPS: Final = (
    Step("parent", process.end_with_parent),
    Step("user namespace", namespaces.map_inner, ("L3",)),
    Step("nested namespaces", namespaces.forbid_nesting, ("L3",)),
    Step("private /tmp", mounts.private_tmp, ("L3",)),
    Step("no executable files", mounts.deny_exec, ("L3",)),
    Step("session", process.new_session),
    Step("descriptors", process.keep_only_rpc_fd),
    Step("rlimits", rlimits.apply),
    Step("capabilities", capabilities.drop_all),
    Step("no new privileges", process.no_new_privs),
    Step("undumpable", process.undumpable),
    Step("write xor execute", process.deny_write_exec),
    Step("landlock", landlock.restrict, ("L3", "L2")),
)
LAST: Final = "seccomp"


def lock_in(plan: SandboxPlan, fds: Sequence[int]) -> None:
    """`fds` as the zygote received them: wire, control, stdout, stderr."""
    process.place_in_child(*fds)
    for step in CHILD_STEPS:
        if plan.level in step.levels:
            with standing(step.wall, CONTROL_FD):
                step.build(plan)
    with standing(LAST, CONTROL_FD):
        listener = seccomp.install(plan)
    _report_up(listener)


def entry(plan: SandboxPlan) -> Callable[[], object]:
    """What tries the walls once and then is the plugin's: from here on nothing of this package is needed."""
    observed = selfcheck.run()
    interpreter.forget_host()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # always a TextIOWrapper here
    module, _, function = plan.entry.partition(":")
    return functools.partial(getattr(importlib.import_module(module), function), RPC_FD, observed)


def _report_up(listener: int | None) -> None:
    """The listener is gone from here before any code of the plugin's arrives."""
    with socket.socket(fileno=CONTROL_FD) as control:
        heard = [] if listener is None else [listener]
        socket.send_fds(control, [json.dumps(["up"]).encode()], heard)
    for fd in heard:
        os.close(fd)


@contextlib.contextmanager
def standing(wall: str, control_fd: int) -> Iterator[None]:
    """What fails within is that wall's failure: the host is told and this process ends."""
    try:
        yield
    except (OSError, ImportError) as error:
        tell(
            control_fd,
            "refused",
            wall,
            getattr(error, "errno", None) or 0,
            f"{type(error).__name__}: {error}",
        )
        os._exit(1)


def tell(control_fd: int, *message: str | int) -> None:
    os.write(control_fd, json.dumps(message).encode())
