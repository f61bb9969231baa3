"""T4, T5, KILL: a plugin's start, what it costs to keep, and its end."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, closing, suppress
from pathlib import Path
from statistics import median
from time import perf_counter_ns as now
from typing import NamedTuple

import psutil
from pp_host.errors import PluginGone
from pp_host.sandbox.launch import Launch, Launcher
from pp_host.supervisor.life import Outcome
from pp_host.supervisor.plan import plan_of
from pp_host.supervisor.process import PluginProcess

from tests.bench import floors
from tests.bench.figure import Figure, Pair, Target
from tests.bench.guest import QUESTION, Package, running, spec_of, started
from tests.bench.rounds import Effort

US, MB = 1000, 1024
PER_ROUND = 3


def starts_and_ends(effort: Effort) -> Mapping[str, Figure]:
    """From two files to a running plugin, and from a spinning one to nothing."""
    lives = asyncio.run(_starts_and_ends(effort))
    verified = median(life.verified for life in lives)
    worst = max(life.end.ours for life in lives)
    return {
        "T4": Figure(
            [life.start for life in lives], Target("<=", 0.5), more={"of_it_verifying_us": round(verified, 1)}
        ),
        "KILL": Figure(
            [life.end for life in lives],
            Target("<=", 50_000, of="ours"),
            more={"worst_us": round(worst, 1)},
        ),
    }


def memory(effort: Effort) -> Mapping[str, Figure]:
    """Private memory of each of many plugins at once."""
    several = asyncio.run(_memory(effort))
    how = "private pages" if os.geteuid() == 0 else "anonymous pages, with those that are shared"
    return {
        "T5": Figure(
            several,
            Target("<=", 2.5, of="ours"),
            unit="mb",
            more={"plugins": effort.plugins, "counted": how},
        )
    }


class _Life(NamedTuple):
    """A start and an end, each beside its floor, and how long of the start the package was verified."""

    start: Pair
    end: Pair
    verified: float


async def _starts_and_ends(effort: Effort) -> list[_Life]:
    """As in a session: the zygote was there before."""
    package = Package.made()
    with closing(Launcher()) as launcher:
        await _life(package, launcher.launch)
        return [
            _middle([await _life(package, launcher.launch) for _ in range(PER_ROUND)])
            for _ in effort.each_round("T4, KILL")
        ]


async def _life(package: Package, launch: Launch) -> _Life:
    at = now()
    floors.bare_start()
    bare, at = now() - at, now()
    plugin = package.verified()
    verified = now() - at
    process = await started(spec_of(plugin, mischief="spin"), launch=launch)
    start = Pair((now() - at) / US, bare / US)
    return _Life(start, Pair(await _kill(process), _kill_fork()), verified / US)


def _middle(lives: Sequence[_Life]) -> _Life:
    return _Life(
        _median([life.start for life in lives]),
        _median([life.end for life in lives]),
        median(life.verified for life in lives),
    )


def _median(several: Sequence[Pair]) -> Pair:
    return Pair(median(pair.ours for pair in several), median(pair.floor for pair in several))


async def _kill(process: PluginProcess) -> float:
    """Microseconds from the supervisor's SIGKILL, in mid-call, until it is reaped and nothing is left of it."""
    before = _children()
    call = asyncio.create_task(process.call("advise", QUESTION))
    while _ticks(process.pid) < 2:  # until it spins
        await asyncio.sleep(0.001)
    at = now()
    process.end(Outcome.OK, "measured")
    await process.ended()
    taken = (now() - at) / US
    with suppress(PluginGone):
        await call
    assert before - _children() == {process.pid}
    assert process.pid not in psutil.pids()
    return taken


def _kill_fork() -> float:
    pid = floors.spinning_fork()
    while _ticks(pid) < 2:
        os.sched_yield()
    at = now()
    floors.kill(pid)
    return (now() - at) / US


def _children() -> set[int]:
    return {int(pid) for pid in Path("/proc/thread-self/children").read_text().split()}


def _ticks(pid: int) -> int:
    """Processor time, in the kernel's hundredths of a second, since it began to spin or to be."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11])


async def _memory(effort: Effort) -> list[Pair]:
    several = []
    for _ in effort.each_round("T5"):
        async with AsyncExitStack() as stack:
            spec, launcher = spec_of(Package.made().verified()), stack.enter_context(closing(Launcher()))
            borne = [running(spec, launch=launcher.launch) for _ in range(effort.plugins)]
            pids = [(await stack.enter_async_context(each)).pid for each in borne]
            bare = stack.enter_context(floors.forks(effort.plugins, plan_of(spec).packages))
            several.append(Pair(_private(pids), _private(bare)))
    return several


def _private(pids: Sequence[int]) -> float:
    """MB that go when one of them goes; an ordinary user sees of a plugin only how much is anonymous."""
    if os.geteuid() == 0:
        kinds, name = ("Private_Clean:", "Private_Dirty:"), "smaps_rollup"
    else:
        kinds, name = ("RssAnon:",), "status"
    texts = [Path(f"/proc/{pid}/{name}").read_text() for pid in pids]
    lines = [line.split() for text in texts for line in text.splitlines()]
    return sum(int(line[1]) for line in lines if line[0] in kinds) / MB / len(pids)
