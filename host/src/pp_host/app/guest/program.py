"""A foreign program, static or dynamic, behind the walls of a plugin."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pp_sdk.types import SnapshotRequest

from pp_host.app.guest.visit import Visit, admitted, late, plan_with, spec_of
from pp_host.clock import SystemClock
from pp_host.errors import OperatorError, PluginError, PluginGone, PluginTimeout, PluginUnstarted
from pp_host.sandbox.room import PLACE, furnish
from pp_host.supervisor.life import Outcome
from pp_host.trust.manifest import PluginLimits

_FOREIGN = stat.S_IROTH | stat.S_IXOTH
_BYTES = b"\0"  # what is handed over as its code: its own file stands in the room


async def run_program(file: Path, words: Sequence[str], limits: PluginLimits) -> Visit:
    """`words` is its argv, name included. OperatorError: nothing that can be started; Refused: a wall is missing."""
    _check_open(file)
    spec = spec_of(_BYTES, limits, hooks=("snapshot",), config={"program": PLACE, "words": list(words)})
    now = SystemClock().now()
    async with admitted(spec, replace(plan_with(spec, "program"), room=furnish(file))) as guest:
        try:
            await guest.process.prepare(now)
            await guest.process.call("snapshot", SnapshotRequest(now=now))
            guest.process.end(Outcome.VIOLATION, "answered in a plugin's name")
        except PluginTimeout:
            guest.process.end(*late(limits))
        except (PluginGone, PluginUnstarted):
            pass  # its ending tells
        except PluginError as error:
            guest.process.end(Outcome.SETUP_ERROR, f"it was not started: {error.__cause__ or error}")
        return await guest.left()


def _check_open(file: Path) -> None:
    """Where root runs the host a guest is nobody that the file's owner knows."""
    if os.geteuid() == 0 and file.stat().st_mode & _FOREIGN != _FOREIGN:
        raise OperatorError(f"{file}: closed to the foreign user that it runs as", hint=f"chmod o+rx {file}")
