"""Real processes behind real walls, ended at any moment of a start, of a call and of an end: nothing of them is left."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import Any

import anyio
import pytest
from pp_host.errors import PluginError
from pp_host.supervisor.life import Life
from pp_host.supervisor.supervised import Supervised
from pp_host.trust import archive

from tests.escape.protocol.stage import Stage, children, decide, descriptors, spec_of

pytestmark = pytest.mark.anyio
DEADLINE_SECONDS = 60
LOG = "from pp_sdk import hookimpl, log\nimport time\n"
PLUGIN = """
class Agent:
    @hookimpl
    def configure(self, config):
        {configure}
    @hookimpl
    def decide(self, observation):
        {decide}
        return []
plugin = Agent()
"""
HERE = "log.info('here'); time.sleep(600)"
AT = {
    "load": LOG + HERE,
    "configure": LOG + PLUGIN.format(configure=HERE, decide=""),
    "decide": LOG + PLUGIN.format(configure="pass", decide=HERE),
}
WELL = LOG + PLUGIN.format(configure="pass", decide="pass")


def made(stage: Stage, code: str) -> Supervised:
    return stage.plugin(
        spec_of("one", 3, archive=archive.write({"agent.py": code.encode()}), wall_seconds=600.0)
    )


async def stopped(plugin: Supervised) -> None:
    await plugin.stop()


async def killed(plugin: Supervised) -> None:
    """By somebody else; and then stopped, so that it is not started again."""
    for pid in children():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    await plugin.stop()


async def frozen(plugin: Supervised) -> None:
    """A stopped process answers nothing, not even the wish that it stop."""
    for pid in children():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
    await plugin.stop()


ENDS = [stopped, killed, frozen]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("moment", AT)
async def test_ended_at_a_known_moment(moment: str, end: Any) -> None:
    open_before, stage = descriptors(), Stage()
    plugin = made(stage, AT[moment])

    async def call() -> None:
        await plugin.tried.wait()
        with suppress(PluginError):
            await decide(plugin)

    async with anyio.create_task_group() as lives:
        with anyio.fail_after(DEADLINE_SECONDS):
            lives.start_soon(plugin.live)
            lives.start_soon(call)
            while not stage.record.of("plugin.log", plugin):
                await anyio.sleep(0.005)
            await end(plugin)
    assert (plugin.life, children(), descriptors()) == (Life.STOPPED, set(), open_before)
    starts, exits = (len(stage.record.of(event, plugin)) for event in ("plugin.start", "plugin.exit"))
    assert starts <= exits <= 1, "who ran has its end in the record"


@pytest.mark.parametrize("end", ENDS)
async def test_ended_at_nine_moments_of_a_start(end: Any) -> None:
    """From before there is a process to after it runs, wherever in the start that is on this machine."""
    open_before = descriptors()
    whole = await seconds_of_a_start()
    reached = set()
    for step in range(9):
        stage = Stage()
        plugin = made(stage, WELL)
        async with anyio.create_task_group() as lives:
            with anyio.fail_after(DEADLINE_SECONDS):
                lives.start_soon(plugin.live)
                await anyio.sleep(whole * step / 7)
                if step == 8:
                    await plugin.tried.wait()
                reached.add(plugin.life)
                await end(plugin)
        assert (plugin.life, children(), descriptors()) == (Life.STOPPED, set(), open_before), step
    assert reached >= {Life.STARTING, Life.RUNNING}


async def seconds_of_a_start() -> float:
    plugin = made(Stage(), WELL)
    async with anyio.create_task_group() as lives:
        with anyio.fail_after(DEADLINE_SECONDS):
            begun = anyio.current_time()
            lives.start_soon(plugin.live)
            await plugin.tried.wait()
            whole = anyio.current_time() - begun
            await plugin.stop()
    return whole


async def test_who_is_left_alone_ends_well() -> None:
    open_before, stage = descriptors(), Stage()
    plugin = made(stage, WELL)
    async with anyio.create_task_group() as lives:
        with anyio.fail_after(DEADLINE_SECONDS):
            lives.start_soon(plugin.live)
            await plugin.tried.wait()
            assert (await decide(plugin)).decisions == []
            await plugin.stop()
    (ending,) = stage.record.of("plugin.exit", plugin)
    assert (ending["outcome"], ending["status"], children(), descriptors()) == ("ok", 0, set(), open_before)
