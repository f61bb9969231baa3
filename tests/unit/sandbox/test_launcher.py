"""A launcher that is kept: zygotes are shared, replaced when they have ended or borne their share, and leave nothing."""

import asyncio
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from pp_host.errors import WallMissing
from pp_host.limits import LIMITS
from pp_host.sandbox import launch as launch_module
from pp_host.sandbox.launch import Launcher, end_child


def children():
    return set(map(int, Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()))


def descriptors():
    return sorted(os.listdir("/proc/self/fd"))


@pytest.fixture(autouse=True)
def nothing_is_left():
    before = descriptors(), children()
    yield
    assert (descriptors(), children()) == before


def lives(pid):
    return os.waitpid(pid, os.WNOHANG) == (0, 0)


def kill(pid):
    """Without reaping it: that is the launcher's to do."""
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def end(jailed):
    jailed.rpc.close()
    end_child(jailed.pid, jailed.pidfd)
    os.close(jailed.stdout)
    os.close(jailed.stderr)


def kept(run):
    """Run a coroutine with a launcher that is closed afterwards."""

    async def whole():
        launcher = Launcher()
        try:
            await run(launcher)
        finally:
            launcher.close()

    asyncio.run(whole())


def start(launcher, plan):
    return launcher.launch(plan, timeout_seconds=20)


def test_one_zygote_bears_them_all(plan):
    async def run(launcher):
        before = children()
        borne = [
            await start(launcher, plan),
            *await asyncio.gather(*(start(launcher, plan) for _ in range(5))),
        ]
        (zygote,) = children() - before - {each.pid for each in borne}
        for each in borne:
            end(each)
        assert children() == before | {zygote}

    kept(run)


def test_another_room_is_another_zygote(plan):
    async def run(launcher):
        before = children()
        borne = [await start(launcher, each) for each in (plan, replace(plan, hash_seed=8), plan)]
        assert len(children() - before - {each.pid for each in borne}) == 2
        for each in borne:
            end(each)

    kept(run)


def test_what_it_has_borne_lives_on_without_it(plan):
    async def run(launcher):
        jailed = await start(launcher, plan)
        launcher.close()
        assert jailed.pid in children()
        assert lives(jailed.pid)
        end(jailed)

    kept(run)


def test_a_zygote_that_has_ended_is_replaced(plan):
    async def run(launcher):
        before = children()
        first = await start(launcher, plan)
        (zygote,) = children() - before - {first.pid}
        kill(zygote)
        second = await start(launcher, plan)
        assert children() - before - {first.pid, second.pid} != {zygote}
        for each in (first, second):
            end(each)

    kept(run)


def test_a_zygote_that_has_borne_its_share_is_replaced(plan, monkeypatch):
    few = replace(LIMITS, sandbox=replace(LIMITS.sandbox, zygote_children=2))
    monkeypatch.setattr(launch_module, "LIMITS", few)

    async def run(launcher):
        before, zygotes, borne = children(), [], []
        for _ in range(4):
            borne.append(await start(launcher, plan))
            zygotes += children() - before - {each.pid for each in borne}
        assert zygotes[0] == zygotes[1] != zygotes[2] == zygotes[3]
        for each in borne:
            end(each)

    kept(run)


def test_a_room_that_cannot_stand_is_refused_to_each_and_spoils_no_other(plan):
    async def run(launcher):
        broken = replace(plan, preload=("nowhere",))
        starts = [start(launcher, each) for each in (broken, plan, broken)]
        first, jailed, last = await asyncio.gather(*starts, return_exceptions=True)
        assert [type(first), type(last)] == [WallMissing, WallMissing]
        assert "preload" in str(first)
        end(jailed)

    kept(run)


@pytest.mark.parametrize("milliseconds", range(0, 200, 20))
def test_one_that_is_cancelled_leaves_nothing_and_harms_no_other(plan, milliseconds):
    async def run(launcher):
        starts = [asyncio.create_task(start(launcher, plan)) for _ in range(3)]
        await asyncio.wait(starts[:1], timeout=milliseconds / 1000)
        starts[0].cancel()
        first, *others = await asyncio.gather(*starts, return_exceptions=True)
        for each in others:
            end(each)
        if not isinstance(first, asyncio.CancelledError):
            end(first)

    kept(run)
