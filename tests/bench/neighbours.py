"""T14: many plugins, of which one is hostile: the others' calls against the same calls before."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from itertools import cycle
from pathlib import Path
from time import perf_counter_ns as now

from pp_host.app.journal import Journal
from pp_host.broker.asker import Asker, Means
from pp_host.broker.quota import PerCall
from pp_host.broker.table import Broker, Desk
from pp_host.clock import SystemClock
from pp_host.errors import PluginError
from pp_host.limits import LIMITS
from pp_host.record.log import Record
from pp_host.supervisor.life import Outcome
from pp_host.supervisor.process import PluginProcess
from pp_host.supervisor.spec import PluginSpec
from pp_host.trust.admit import VerifiedPlugin

from tests.bench.calls import recording
from tests.bench.figure import Figure, Pair, p50
from tests.bench.guest import QUESTION, Package, running, spec_of, started
from tests.bench.rounds import Effort

MISCHIEF = ("spin", "flood", "bomb")
WINDOW_NS = 300_000_000  # for calls before, and for calls beside the mischief unless it is ended sooner


class Once:
    """One call of one hook: what a guest that is asked once may do."""

    calls = 1
    hook_calls = 1


def neighbours(effort: Effort) -> Mapping[str, Figure]:
    with tempfile.TemporaryDirectory() as folder, recording(Path(folder)) as record:
        return asyncio.run(_neighbours(effort, record))


async def _neighbours(effort: Effort, record: Record) -> Mapping[str, Figure]:
    verified = Package.made().verified()
    async with AsyncExitStack() as stack:
        spec = spec_of(verified)
        others = [await stack.enter_async_context(running(spec)) for _ in range(effort.plugins - 1)]
        taken: dict[str, list[Pair]] = {mischief: [] for mischief in MISCHIEF}
        for _ in effort.each_round("T14"):
            for mischief in MISCHIEF:
                taken[mischief].append(await _beside(mischief, verified, others, record))
    return {f"T14-{mischief}": Figure(pairs) for mischief, pairs in taken.items()}


async def _beside(
    mischief: str, verified: VerifiedPlugin, others: Sequence[PluginProcess], record: Record
) -> Pair:
    spec = spec_of(verified, mischief=mischief)
    hostile = await started(spec, _desk(spec, record))
    before = await _window(others, None)
    call = asyncio.create_task(hostile.call("advise", QUESTION))
    beside = await _window(others, call)
    hostile.end(Outcome.OK, "measured")
    await hostile.ended()
    with suppress(PluginError):
        await call
    return Pair(p50(beside), p50(before))


async def _window(others: Sequence[PluginProcess], until: asyncio.Task[object] | None) -> list[int]:
    """Nanoseconds of calls, of one plugin after the other."""
    taken: list[int] = []
    ends = now() + WINDOW_NS
    for process in cycle(others):
        at = now()
        await process.call("advise", QUESTION)
        taken.append(now() - at)
        if now() > ends or (until is not None and until.done()):
            break
    return taken


def _desk(spec: PluginSpec, record: Record) -> Desk:
    """The real broker: what a hostile guest says is judged and recorded as in a session."""
    asker = Asker(
        spec.ref,
        spec.grant,
        writes=PerCall(LIMITS.keep.writes_per_call, Once()),
        refusals=PerCall(LIMITS.wire.refusals_per_call, Once()),
        log_lines=PerCall(LIMITS.wire.log_lines_per_call, Once()),
    )
    return Desk(Broker(Means(SystemClock(), Journal(record))), asker)
