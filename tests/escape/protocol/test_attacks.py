"""Every attack of the table against the host's own supervisor, wire and broker, beside a plugin that is honest."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import anyio
import psutil
import pytest
from pp_host.errors import PluginError, WallMissing
from pp_host.supervisor import process
from pp_host.supervisor.life import Life
from pp_host.supervisor.supervised import Supervised

from tests.escape.protocol.attacks import ATTACKS
from tests.escape.protocol.stage import (
    Beside,
    Bodies,
    Speech,
    Stage,
    children,
    decide,
    descriptors,
    fallen,
    speaking,
    spec_of,
)
from tests.escape.protocol.words import MIB, Attack

pytestmark = pytest.mark.anyio
DEADLINE_SECONDS = 20
GROWTH_MB = 24
HOSTILE, HONEST = 1, 2


def speech(attack: Attack, words: str) -> Speech:
    async def say(sock: Any, number: int) -> None:
        await asyncio.get_running_loop().sock_sendall(sock, getattr(attack, words)(number))

    return speaking(**{attack.at: say})


async def ordeal(bodies: Bodies, attack: Attack, words: str) -> tuple[Stage, Supervised]:
    """One session of both; on return every plugin has been stopped."""
    stage = Stage()
    hostile, honest = stage.plugin(spec_of("hostile", HOSTILE)), stage.plugin(spec_of("honest", HONEST))
    bodies.speeches = {HOSTILE: speech(attack, words), HONEST: speaking()}
    beside = Beside(honest)
    async with anyio.create_task_group() as lives:
        lives.start_soon(honest.live)
        async with anyio.create_task_group() as calls:
            calls.start_soon(beside.run)
            with anyio.fail_after(DEADLINE_SECONDS):
                await beside.again()
                before = psutil.Process().memory_info().rss
                lives.start_soon(hostile.live)
                await hostile.tried.wait()
                if words == "right" or attack.at == "decide":
                    with suppress(PluginError):
                        await decide(hostile)
                if words == "wrong":
                    await fallen(hostile)
                await beside.again()
            calls.cancel_scope.cancel()
        assert beside.held - before < GROWTH_MB * MIB
        assert honest.life is Life.RUNNING
        await hostile.stop()
        await honest.stop()
    await asyncio.gather(*bodies.speaking)
    return stage, hostile


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
async def test_it_ends_its_plugin_and_nothing_else(bodies: Bodies, attack: Attack) -> None:
    open_before = descriptors()
    stage, hostile = await ordeal(bodies, attack, "wrong")
    (ending,) = stage.record.of("plugin.exit", hostile)
    assert (ending["outcome"], ending["detail"]) == ("violation", attack.detail)
    assert len(stage.record.of("plugin.start", hostile)) <= 1
    assert len(stage.record.of("plugin.quarantine", hostile)) == 1
    assert (descriptors(), children()) == (open_before, set())


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
async def test_the_same_made_right_passes(bodies: Bodies, attack: Attack) -> None:
    stage, hostile = await ordeal(bodies, attack, "right")
    (ending,) = stage.record.of("plugin.exit", hostile)
    assert (ending["outcome"], ending["detail"]) == ("ok", "stopped")
    assert hostile.calls == 1


def missing(*_: Any) -> tuple[str, ...]:
    raise WallMissing("seccomp", "absent", hint="a newer kernel")


@pytest.mark.parametrize(
    ("name", "outcome", "words"),
    [
        ("hello twice", "violation", "'hello' while greeted"),
        ("hello with a field more", "setup_error", "wall seccomp"),
    ],
)
async def test_who_breaks_the_protocol_is_not_told_as_a_missing_wall(
    bodies: Bodies, monkeypatch: pytest.MonkeyPatch, name: str, outcome: str, words: str
) -> None:
    """Where the walls do not hold either, what was said counts; the twin says hello rightly, and the wall counts."""
    monkeypatch.setattr(process, "attest", missing)
    attack = next(one for one in ATTACKS if one.name == name)
    stage = Stage()
    hostile = stage.plugin(spec_of("hostile", HOSTILE))
    bodies.speeches = {HOSTILE: speech(attack, "wrong" if outcome == "violation" else "right")}
    async with anyio.create_task_group() as lives:
        with anyio.fail_after(DEADLINE_SECONDS):
            lives.start_soon(hostile.live)
            await fallen(hostile)
    await asyncio.gather(*bodies.speaking)
    (ending,) = stage.record.of("plugin.exit", hostile)
    assert ending["outcome"] == outcome
    assert words in ending["detail"]
