"""Hostile processes behind real walls, all in one session beside an honest one: each ends as it must, with what the host
saw in the record, and the honest one never waits longer than its own deadline."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import psutil
import pytest
from pp_host.errors import PluginError
from pp_host.limits import LIMITS
from pp_host.sandbox.launch import Jailed
from pp_host.sandbox.plan import SandboxPlan
from pp_host.supervisor import process
from pp_host.supervisor.life import Life
from pp_host.supervisor.spec import PluginSpec
from pp_host.supervisor.supervised import Supervised

from tests.escape.protocol.attacks import ATTACKS
from tests.escape.protocol.stage import Beside, Record, Stage, children, decide, descriptors, fallen, spec_of
from tests.escape.protocol.words import MIB

pytestmark = pytest.mark.xdist_group("hostile processes")  # one session for all of them
HERE = Path(__file__).parent
DEADLINE_SECONDS = 120
GROWTH_MB = 64
HONEST = 1
FIRST_CALL = 5  # the host's id of its first `decide`


class Doing(NamedTuple):
    """What it does at a moment, and how it ends; an empty outcome means that it lives until it is stopped."""

    at: str
    doing: str
    outcome: str
    detail: str
    changes: dict[str, Any] = {}


SAID = (
    "a frame of four gibibytes", "a frame longer than its envelope", "an answer twice", "an answer nobody asked for",
    "a million empty maps for a body", "a million arrays in each other", "an array of 2^32-1 claimed",
    "a request called http.fetch", "a method with a cyrillic o", "a request id that is falling",
    "hello with true for its version", "log before hello", "storage before it is loaded",
    "a decision with a surrogate in its rationale", "257 decisions", "an unknown field with a mebibyte for a name",
)  # fmt: skip
FLOOD = f"more than {LIMITS.process.stdout_bytes_per_minute} bytes of output a minute"
DONE = {
    "exits well": Doing("decide", "exits_well", "error", "exited with status 0"),
    "exits in mid-frame": Doing("decide", "exits_in_mid_frame", "error", "exited with status 3"),
    "exits again and again": Doing("hello", "exits_well", "error", "exited with status 0"),
    "stops itself": Doing("decide", "stops_itself", "timeout", "decide: no answer within 1 s", {"wall_seconds": 1.0}),
    "spins": Doing("decide", "spins", "limit", "cpu: more than 0.5 s in one call", {"cpu_seconds": 0.5, "wall_seconds": 60.0}),
    "spins unasked": Doing("idle", "spins", "limit", "cpu: more than 0.5 s between two calls", {"cpu_seconds": 0.5}),
    "hoards": Doing("decide", "hoards", "error", "exited with status 1: MemoryError", {"memory_mb": 64, "wall_seconds": 60.0}),
    "writes without end": Doing("idle", "writes_without_end", "limit", FLOOD),
    "shouts without end": Doing("decide", "shouts_without_end", "limit", FLOOD),
    "logs without end": Doing("decide", "logs_without_end", "violation", "more than 4000 lines of log for each call of a hook"),
    "asks without end": Doing("decide", "asks_without_end", "timeout", "decide: no answer within 2 s",
                              {"cpu_seconds": 60.0, "wall_seconds": 60.0, "outer_seconds": 2.0}),
    "hangs up": Doing("decide", "hangs_up", "violation", "closed its connection and lived on"),
    "passes descriptors": Doing("decide", "passes_descriptors", "", "stopped"),
    "half a line": Doing("decide", "half_a_line", "", "stopped"),
}  # fmt: skip


class Scene(NamedTuple):
    record: Record
    plugins: dict[str, Supervised]
    honest: Beside
    open_before: set[str]
    open_after: set[str]
    children_after: set[int]
    growth: int


def scripts() -> dict[str, tuple[str, bytes, str]]:
    """Moment, words and doing by name."""
    table = {attack.name: attack for attack in ATTACKS}
    said = {name: (table[name].at, table[name].wrong(FIRST_CALL), "") for name in SAID}
    return said | {name: (one.at, b"", one.doing) for name, one in DONE.items()}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("scripts")
    plans: dict[int, Path] = {}
    real = process.launch

    async def launch(plan: SandboxPlan, *, timeout_seconds: float) -> Jailed:
        packages = (HERE / "foreign.py", HERE / "hostile.py", plans[plan.hash_seed])
        entry = dataclasses.replace(plan, packages=packages, preload=(), entry="hostile:main")
        return await real(entry, timeout_seconds=timeout_seconds)

    specs = {}
    for seed, (name, (at, data, doing)) in enumerate({"honest": ("", b"", ""), **scripts()}.items(), HONEST):
        plans[seed] = folder / str(seed) / "script.py"
        plans[seed].parent.mkdir()
        plans[seed].write_text(f"AT = {at!r}\nDATA = {data!r}\nDOING = {doing!r}\n")
        changes = DONE[name].changes if name in DONE else {}
        specs[name] = spec_of(f"number{seed}", seed, **changes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process, "launch", launch)
        yield anyio.run(session, specs)


async def session(specs: dict[str, PluginSpec]) -> Scene:
    open_before = descriptors()
    stage = Stage()
    plugins = {name: stage.plugin(spec) for name, spec in specs.items()}
    honest = plugins.pop("honest")
    beside = Beside(honest)
    async with anyio.create_task_group() as lives:
        lives.start_soon(honest.live)
        async with anyio.create_task_group() as calls:
            calls.start_soon(beside.run)
            with anyio.fail_after(DEADLINE_SECONDS):
                await beside.again()
                before = psutil.Process().memory_info().rss
                async with anyio.create_task_group() as tried:
                    for name, plugin in plugins.items():
                        lives.start_soon(plugin.live)
                        tried.start_soon(until_its_end, plugin, name)
                await beside.again()
            calls.cancel_scope.cancel()
        async with anyio.create_task_group() as stops:
            for plugin in (honest, *plugins.values()):
                stops.start_soon(plugin.stop)
    growth = beside.held - before
    return Scene(stage.record, plugins, beside, open_before, descriptors(), children(), growth)


async def until_its_end(plugin: Supervised, name: str) -> None:
    """Call it once, unless it is to act unasked, and wait for what must follow."""
    await plugin.tried.wait()
    if plugin.life is Life.RUNNING and not (name in DONE and DONE[name].at == "idle"):
        with suppress(PluginError):
            await decide(plugin)
    if name == "exits again and again":
        while plugin.life is not Life.QUARANTINED:
            await anyio.sleep(0.01)
    elif name in SAID or DONE[name].outcome:
        await fallen(plugin)


@pytest.mark.parametrize("name", SAID)
def test_what_it_says_ends_it_and_is_in_the_record(scene: Scene, name: str) -> None:
    plugin, detail = scene.plugins[name], next(one.detail for one in ATTACKS if one.name == name)
    (ending,) = scene.record.of("plugin.exit", plugin)
    assert (ending["outcome"], ending["detail"]) == ("violation", detail)
    assert plugin.life is Life.QUARANTINED


@pytest.mark.parametrize("name", DONE)
def test_what_it_does_ends_it_and_is_in_the_record(scene: Scene, name: str) -> None:
    case = DONE[name]
    ending = scene.record.of("plugin.exit", scene.plugins[name])[0]
    assert (ending["outcome"], ending["detail"]) == (case.outcome or "ok", case.detail)


def test_who_exits_again_and_again_is_given_up_after_four_times(scene: Scene) -> None:
    plugin = scene.plugins["exits again and again"]
    assert len(scene.record.of("plugin.exit", plugin)) == LIMITS.supervision.restarts + 1
    assert len(scene.record.of("plugin.quarantine", plugin)) == 1


def test_the_honest_one_was_answered_throughout_and_in_time(scene: Scene) -> None:
    assert scene.honest.answers > 20
    assert scene.honest.longest < spec_of("honest", HONEST).wall_seconds


def test_nothing_of_them_is_left(scene: Scene) -> None:
    assert (scene.open_after, scene.children_after) == (scene.open_before, set())


def test_the_host_did_not_grow_with_what_it_was_told(scene: Scene) -> None:
    assert scene.growth < GROWTH_MB * MIB
