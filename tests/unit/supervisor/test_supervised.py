"""A plugin over its processes: what a failed start means, and that stopping is certain at any moment."""

from __future__ import annotations

import dataclasses
import signal
import socket
from typing import Any

import anyio
import pytest
from pp_host.clock import SystemClock
from pp_host.errors import HostError, PluginError, PluginTimeout, PluginViolation, WallMissing
from pp_host.limits import LIMITS
from pp_host.sandbox.launch import launch
from pp_host.supervisor import process
from pp_host.supervisor.life import RESTARTABLE, Life, Outcome
from pp_host.supervisor.supervised import Supervised, _unstarted

from tests.unit.supervisor.conftest import children

pytestmark = pytest.mark.anyio
CODE = """
import os, threading, time
from pp_sdk import hookimpl

class Agent:
    @hookimpl
    def configure(self, config):
        {configure}

    @hookimpl
    def decide(self, observation):
        return []

plugin = Agent()
"""
SPIN = "threading.Thread(target=lambda: all(True for _ in iter(int, 1)), daemon=True).start()"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Record:
    def __init__(self) -> None:
        self.entries: list[tuple[str, dict[str, Any]]] = []

    def append(self, event: str, subject: dict[str, Any], **_: Any) -> int:
        self.entries.append((event, subject))
        return len(self.entries)

    def of(self, event: str) -> list[dict[str, Any]]:
        return [subject for name, subject in self.entries if name == event]


@pytest.fixture
def record() -> Record:
    return Record()


@pytest.fixture
def plugin(spec: Any, desk: Any, record: Record) -> Any:
    def make(configure: str = "pass", **changes: Any) -> Supervised:
        made = spec(CODE.format(configure=configure), **changes)
        return Supervised(made, record, SystemClock(), lambda _: desk(), lambda _: None, lambda *_: None)

    return make


@pytest.mark.parametrize(
    ("error", "outcome", "again"),
    [
        (PluginError("raised in configure"), Outcome.ERROR, True),
        (PluginTimeout("no hello"), Outcome.TIMEOUT, True),
        (PluginViolation("spoke out of turn"), Outcome.VIOLATION, False),
        (WallMissing("seccomp", "absent", hint="newer kernel"), Outcome.SETUP_ERROR, False),
        (WallMissing("start", "not up within 10 s", hint="a calmer machine"), Outcome.TIMEOUT, True),
    ],
)
def test_a_failed_start_is_tried_again_unless_that_is_hopeless(
    error: HostError, outcome: Outcome, again: bool
) -> None:
    ending = _unstarted(error)
    assert (ending.outcome, ending.outcome in RESTARTABLE) == (outcome, again)
    assert str(error) in ending.detail


async def test_a_stop_ends_it_and_its_end_is_recorded(plugin: Any, record: Record) -> None:
    one = plugin()
    async with anyio.create_task_group() as group:
        group.start_soon(one.live)
        await one.tried.wait()
        assert one.life is Life.RUNNING
        await one.stop()
        assert (one.life, [end["outcome"] for end in record.of("plugin.exit")]) == (Life.STOPPED, ["ok"])


async def test_a_stop_does_not_wait_for_a_start(plugin: Any, record: Record) -> None:
    one = plugin("time.sleep(600)", wall_seconds=600.0)
    async with anyio.create_task_group() as group:
        group.start_soon(one.live)
        while not children():  # its process is there
            await anyio.sleep(0.01)
        with anyio.fail_after(LIMITS.wire.load_seconds - 1):
            await one.stop()
    assert (one.life, one.falls, children()) == (Life.STOPPED, 0, set())


async def test_a_stop_before_its_task_had_a_turn(plugin: Any) -> None:
    one = plugin()
    async with anyio.create_task_group() as group:
        group.start_soon(one.live)
        await one.stop()
    assert (one.life, children()) == (Life.STOPPED, set())


async def test_a_process_that_says_nothing_is_ended(
    plugin: Any, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def deaf(*arguments: Any, **options: Any) -> Any:
        """What the process says goes where nobody listens."""
        jailed = await launch(*arguments, **options)
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        kept.extend((jailed.rpc, theirs))
        return dataclasses.replace(jailed, rpc=ours)

    kept: list[socket.socket] = []
    wire = dataclasses.replace(LIMITS.wire, handshake_seconds=3.0)
    monkeypatch.setattr(process, "LIMITS", dataclasses.replace(LIMITS, wire=wire))
    one = plugin()
    one._launch = deaf
    async with anyio.create_task_group() as group:
        group.start_soon(one.live)
        with anyio.fail_after(30):
            await one.tried.wait()
        await one.stop()
    first = record.of("plugin.exit")[0]
    assert (first["outcome"], "did not say hello in time" in first["detail"]) == ("timeout", True)
    assert children() == set()
    for end in kept:
        end.close()


async def test_a_forbidden_call_while_it_starts_is_a_violation_and_the_end(
    plugin: Any, record: Record
) -> None:
    one = plugin("import ctypes; ctypes.CDLL(None).ptrace(0, 0, 0, 0)")
    async with anyio.create_task_group() as group:
        group.start_soon(one.live)
        with anyio.fail_after(60):
            await one.tried.wait()
        assert one.life is Life.QUARANTINED
        await one.stop()
    (ending,) = record.of("plugin.exit")
    assert (ending["outcome"], ending["signal"]) == ("violation", signal.SIGKILL)
    assert ending["detail"] == "made a system call that no plugin may make: ptrace"
    assert len(record.of("plugin.quarantine")) == 1


async def test_processor_time_counts_from_when_it_is_ready(plugin: Any, record: Record) -> None:
    """An output that is never called must not burn a processor either."""
    one = plugin(SPIN, cpu_seconds=0.5)
    async with anyio.create_task_group() as group:
        group.start_soon(one.live)
        with anyio.fail_after(60):
            while not one.falls:
                await anyio.sleep(0.05)
        await one.stop()
    assert record.of("plugin.exit")[0]["detail"] == "cpu: more than 0.5 s between two calls"
