"""T1, T1r, T13: a small sandboxed call with policy and deadline, against a raw echo of as many bytes."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from pp_host.app.cupboard import Cupboard
from pp_host.app.journal import Journal
from pp_host.app.roster import Enlisted
from pp_host.app.troupe import Troupe
from pp_host.clock import SystemClock
from pp_host.record.log import Record
from pp_host.record.note import generate_key
from pp_host.sandbox.launch import launch
from pp_host.supervisor.spec import PluginSpec
from pp_sdk.types import Keep
from pp_sdk.wire.frames import REPLY, REQUEST, encode

from tests.bench import floors
from tests.bench.figure import Absent, Figure, Target, mean, pairs, ratio, tail
from tests.bench.guest import QUESTION, Package, blocking_peer, running, spec_of
from tests.bench.rounds import Effort, Round, awaited, blocking, settled

ECHO = "echo"
FRAMES = len(encode(REQUEST, 1001, "advise", QUESTION)), len(encode(REPLY, 1001, "advise", Keep()))
PATIENCE_SECONDS = 1e9  # of a cycle, for advice: there is no cycle here


def small_calls(effort: Effort) -> Mapping[str, Figure]:
    """Both drivers beside the echo."""
    taken = asyncio.run(_small(effort, "T1"))
    return {
        "T1-blocking": Figure(pairs(taken, "blocking", ECHO), Target("<=", 1.6)),
        "T1-asyncio": Figure(pairs(taken, "async", ECHO), Target("<=", 4.0)),
        "T13-blocking": Figure(pairs(taken, "blocking", ECHO, tail), unit="p99/p50"),
        "T13-asyncio": Figure(pairs(taken, "async", ECHO, tail), unit="p99/p50"),
    }


def small_calls_on_uvloop(effort: Effort) -> Mapping[str, Figure | Absent]:
    """The async driver on another event loop, which is no dependency of the project."""
    if find_spec("uvloop") is None:
        return {
            "T1-uvloop": Absent("uvloop is not installed, being no dependency: .venv/bin/pip install uvloop")
        }
    with asyncio.Runner(loop_factory=import_module("uvloop").new_event_loop) as runner:
        taken = runner.run(_small(effort, "T1-uvloop"))
    return {"T1-uvloop": Figure(pairs(taken, "async", ECHO), Target("<=", 2.5))}


def recorded_calls(effort: Effort) -> Mapping[str, Figure]:
    """With an entry of the record before each call; `session` is all that a session does around a call."""
    with tempfile.TemporaryDirectory() as folder, recording(Path(folder)) as record:
        taken = asyncio.run(_recorded(effort, record))
    targets = {"blocking": Target("<=", 3.0), "asyncio": None, "session": None}
    return {
        f"T1r-{name}": Figure(
            pairs(taken, name, ECHO), target, more={"ratio_of_means": ratio(pairs(taken, name, ECHO, mean))}
        )
        for name, target in targets.items()
    }


@contextmanager
def recording(folder: Path) -> Iterator[Record]:
    """A real record: signed checkpoints, batched commits, flushed to disk."""
    state = folder / "state"
    state.mkdir()
    key = generate_key(folder / "key", "example.org/record")
    record = Record.open(state, key, "example.org/record", run="bench")
    try:
        yield record
    finally:
        record.close()


async def _small(effort: Effort, what: str) -> list[Round]:
    async with AsyncExitStack() as stack:
        spec = spec_of(Package.made().verified())
        peer = await stack.enter_async_context(blocking_peer(spec))
        process = await stack.enter_async_context(running(spec))
        contenders = {
            ECHO: blocking(stack.enter_context(floors.echo(*FRAMES))),
            "blocking": blocking(partial(peer.call, "advise", QUESTION)),
            "async": awaited(partial(process.call, "advise", QUESTION)),
        }
        return await effort.spend(what, contenders)


async def _recorded(effort: Effort, record: Record) -> list[Round]:
    journal = Journal(record)
    async with AsyncExitStack() as stack:
        spec = spec_of(Package.made().verified())
        peer = await stack.enter_async_context(blocking_peer(spec))
        process = await stack.enter_async_context(running(spec))
        troupe = await stack.enter_async_context(_troupe(spec, journal))

        def note() -> int:
            """What the supervisor writes before a call."""
            return journal.append(
                "plugin.call", {"hook": "advise"}, plugin=spec.ref, capability="risk.advise", verdict="allow"
            )

        def ask() -> object:
            note()
            return peer.call("advise", QUESTION)

        async def ask_async() -> object:
            note()
            return await process.call("advise", QUESTION)

        in_session = partial(troupe.caller.advise, QUESTION.proposal, QUESTION.view, cause=note())
        contenders = {
            ECHO: blocking(stack.enter_context(floors.echo(*FRAMES))),
            "blocking": settled(blocking(ask), record.flush),
            "asyncio": settled(awaited(ask_async), record.flush),
            "session": settled(awaited(in_session), record.flush),
        }
        longer = replace(effort, turns=2, calls=effort.turns * effort.calls // 2)  # whole batches
        return await longer.spend("T1r", contenders)


@asynccontextmanager
async def _troupe(spec: PluginSpec, journal: Journal) -> AsyncIterator[Troupe]:
    troupe = Troupe(
        [Enlisted(spec, None, value_bytes=0, line_bytes=0)],
        journal,
        SystemClock(),
        lambda plugin, line: None,
        advise_seconds=PATIENCE_SECONDS,
        outputs_awaited=False,
        kept=Cupboard(),
        launch=launch,
    )
    async with troupe.staged():
        await troupe.start()
        yield troupe
