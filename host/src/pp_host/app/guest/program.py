"""A foreign program, static or dynamic, behind the walls of a plugin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pp_sdk.types import SnapshotRequest

from pp_host.app.guest.visit import INSIDE, Visit, admitted, spec_of
from pp_host.clock import SystemClock
from pp_host.errors import OperatorError, PluginError, PluginGone, PluginTimeout, PluginUnstarted
from pp_host.sandbox.plan import SandboxPlan
from pp_host.sandbox.room import PLACE, furnish
from pp_host.supervisor.life import Outcome
from pp_host.supervisor.process import plan_of
from pp_host.supervisor.spec import PluginSpec
from pp_host.trust.manifest import PluginLimits

_UNREADABLE = "inside it runs as a user without an account where root runs the host: chmod o+rx helps then"
_BYTES = b"\0"  # what is handed over as its code: its own file stands in the room


async def run_program(file: Path, words: Sequence[str], limits: PluginLimits) -> Visit:
    """`words` is its argv, name included. OperatorError: it cannot be started; Refused: a wall is missing."""
    spec = spec_of(_BYTES, limits, hooks=("snapshot",), config={"program": PLACE, "words": list(words)})
    now = SystemClock().now()
    async with admitted(spec, _plan(spec, file)) as guest:
        try:
            await guest.process.prepare(now)
            await guest.process.call("snapshot", SnapshotRequest(now=now))
            guest.process.end(Outcome.VIOLATION, "answered in a plugin's name")
        except PluginTimeout as error:
            guest.process.end(Outcome.TIMEOUT, str(error))
        except (PluginGone, PluginUnstarted):
            pass  # its ending tells
        except PluginError as error:
            raise OperatorError(
                f"{file}: cannot be started inside: {error.__cause__}", hint=_UNREADABLE
            ) from error
        return await guest.left()


def _plan(spec: PluginSpec, file: Path) -> SandboxPlan:
    plan = plan_of(spec)
    return replace(
        plan,
        packages=(*plan.packages, INSIDE / "program.py"),
        preload=(*plan.preload, "program"),
        entry="program:main",
        room=furnish(file),
    )
