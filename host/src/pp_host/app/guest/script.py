"""A Python file as the body of a plugin: the one hook of a source that was granted nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pp_sdk.types import SnapshotRequest

from pp_host.app.guest.visit import INSIDE, Visit, admitted, contents, late, spec_of
from pp_host.clock import SystemClock
from pp_host.errors import PluginError, PluginGone, PluginTimeout, PluginUnstarted
from pp_host.limits import LIMITS
from pp_host.supervisor.life import Outcome
from pp_host.supervisor.plan import plan_of
from pp_host.trust import archive
from pp_host.trust.manifest import PluginLimits


async def run_script(file: Path, limits: PluginLimits) -> Visit:
    """Raises OperatorError for a file that cannot be read, Refused where a wall is missing."""
    members = {
        "body.py": contents(file, LIMITS.sandbox.script_bytes),
        "plugin.py": (INSIDE / "plugin.py").read_bytes(),
    }
    spec = spec_of(archive.write(members), limits, hooks=("snapshot",))
    now = SystemClock().now()
    async with admitted(spec, plan_of(spec)) as guest:
        try:
            await guest.process.prepare(now)
            await guest.process.call("snapshot", SnapshotRequest(now=now))
            await guest.process.stop()
        except PluginTimeout:
            guest.process.end(*late(limits))
        except (PluginGone, PluginUnstarted):
            pass  # its ending tells
        except PluginError as error:  # it raised an error, and lives
            await guest.process.stop()
            return replace(await guest.left(), outcome=Outcome.ERROR, detail=str(error.__cause__ or error))
        return await guest.left()
