"""Peers that keep the host waiting, keep it full, or hand it what it did not ask for: each ends at its deadline."""

from __future__ import annotations

import array
import asyncio
import dataclasses
import os
import socket
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import anyio
import psutil
import pytest
from pp_host.errors import PluginError
from pp_host.keep.values import Values
from pp_host.limits import LIMITS
from pp_host.supervisor import process
from pp_host.supervisor.life import Life
from pp_host.supervisor.supervised import Supervised

from tests.escape.protocol.foreign import ERROR, EVENT, REPLY, framed, message
from tests.escape.protocol.stage import (
    ANSWERS,
    GREETING,
    Beside,
    Bodies,
    Stage,
    children,
    decide,
    descriptors,
    fallen,
    speaking,
    spec_of,
)
from tests.escape.protocol.words import MIB, ask, log

pytestmark = pytest.mark.anyio
DEADLINE_SECONDS = 20
GROWTH_MB = 24
HOSTILE, HONEST = 1, 2
FRAME, HELLO, GRACE, WALL = 0.5, 3.0, 0.4, 0.3  # seconds
SLOW = f"a frame took longer than {FRAME} s to arrive"
LATE = f"decide: no answer within {WALL} s"
GONE = "closed its connection and lived on"
Moment = Callable[[socket.socket, int], Awaitable[None]]


async def send(sock: socket.socket, data: bytes) -> None:
    await asyncio.get_running_loop().sock_sendall(sock, data)


async def trickle(sock: socket.socket, data: bytes) -> None:
    for byte in data:
        await send(sock, bytes([byte]))
        await asyncio.sleep(FRAME / 20)


def slowly(data: bytes) -> Moment:
    async def say(sock: socket.socket, number: int) -> None:
        await trickle(sock, data)

    return say


def half(data: bytes) -> Moment:
    async def say(sock: socket.socket, number: int) -> None:
        await send(sock, data[: len(data) // 2])

    return say


async def nothing(sock: socket.socket, number: int) -> None:
    """Reads on, and never answers."""


async def end(sock: socket.socket, number: int) -> None:
    sock.close()
    raise ConnectionAbortedError


async def deaf(sock: socket.socket, number: int) -> None:
    """Nothing more is read or said, and nothing is closed."""
    await asyncio.sleep(3600)


async def half_closed(sock: socket.socket, number: int) -> None:
    sock.shutdown(socket.SHUT_WR)


async def half_deaf(sock: socket.socket, number: int) -> None:
    sock.shutdown(socket.SHUT_RD)
    await asyncio.sleep(3600)


async def asks_for_much(sock: socket.socket, number: int) -> None:
    """64 values of 256 KiB, none of which it reads."""
    await send(sock, b"".join(ask(2 * n, "kv.get", name="big") for n in range(1, 65)))
    await asyncio.sleep(3600)


async def answers_twice_late(sock: socket.socket, number: int) -> None:
    await asyncio.sleep(WALL + GRACE / 4)
    await send(sock, 2 * message(REPLY, number, "decide", ANSWERS["decide"]))


class Case(NamedTuple):
    at: str
    words: Moment
    outcome: str
    detail: str


CASES = {
    "hello, a byte at a time": Case("hello", slowly(message(EVENT, 0, "hello", GREETING)), "violation", SLOW),
    "half of hello": Case("hello", half(message(EVENT, 0, "hello", GREETING)), "violation", SLOW),
    "a log line, a byte at a time": Case("idle", slowly(log("x" * 100)), "violation", SLOW),
    "half of a mebibyte": Case("idle", half(framed(bytes(MIB))), "violation", SLOW),
    "a length and no more": Case("idle", half(b"\x00\x01\x00\x00" * 2), "violation", SLOW),
    "no hello": Case("hello", nothing, "timeout", "test.hostile: it did not say hello in time"),
    "no answer to load": Case("load", nothing, "timeout", "test.hostile: load: no answer within 1 s"),
    "no answer to configure": Case("configure", nothing, "timeout", "test.hostile: configure: no answer within 1 s"),
    "no answer to decide": Case("decide", nothing, "timeout", LATE),
    "deaf in a call": Case("decide", deaf, "timeout", LATE),
    "a late answer twice": Case("decide", answers_twice_late, "violation", "an answer to 5, which is not open"),
    "gone before hello, and alive": Case("hello", end, "violation", GONE),
    "gone at load, and alive": Case("load", end, "violation", GONE),
    "gone while idle, and alive": Case("idle", end, "violation", GONE),
    "gone in a call, and alive": Case("decide", end, "violation", GONE),
    "nothing more to say, and alive": Case("idle", half_closed, "violation", GONE),
    "nothing more to hear, and alive": Case("decide", half_deaf, "violation", GONE),
    "much asked, nothing read": Case("idle", asks_for_much, "violation", "the plugin does not read what it is sent"),
}  # fmt: skip


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same deadlines, sooner."""
    wire = dataclasses.replace(
        LIMITS.wire,
        frame_seconds=FRAME,
        handshake_seconds=HELLO,
        load_seconds=1.0,
        cancel_grace_seconds=GRACE,
    )
    monkeypatch.setattr(process, "LIMITS", dataclasses.replace(LIMITS, wire=wire))


async def ordeal(
    bodies: Bodies, words: dict[str, Moment], *, falls: bool, wall: float = WALL
) -> tuple[Stage, Supervised, PluginError | None]:
    values = Values.in_memory(MIB)
    values.put("big", bytes(MIB // 4))
    stage, trouble = Stage(values), None
    hostile = stage.plugin(spec_of("hostile", HOSTILE, wall_seconds=wall))
    honest = stage.plugin(spec_of("honest", HONEST))
    bodies.speeches = {HOSTILE: speaking(**words), HONEST: speaking()}
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
                if hostile.life is Life.RUNNING:
                    try:
                        await decide(hostile)
                    except PluginError as error:
                        trouble = error
                if falls:
                    await fallen(hostile)
                await beside.again()
            calls.cancel_scope.cancel()
        assert beside.held - before < GROWTH_MB * MIB
        await hostile.stop()
        await honest.stop()
    values.close()
    for task in bodies.speaking:
        task.cancel()
    await asyncio.gather(*bodies.speaking, return_exceptions=True)
    return stage, hostile, trouble


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("name", CASES)
async def test_it_is_ended_at_its_deadline_and_delays_nobody(bodies: Bodies, name: str) -> None:
    case, open_before = CASES[name], descriptors()
    stage, hostile, _ = await ordeal(bodies, {case.at: case.words}, falls=True)
    ending = stage.record.of("plugin.exit", hostile)[0]
    assert (ending["outcome"], ending["detail"]) == (case.outcome, case.detail)
    assert len(stage.record.of("plugin.quarantine", hostile)) == (case.outcome == "violation")
    assert (descriptors(), children()) == (open_before, set())


async def hello_in_pieces(sock: socket.socket, number: int) -> None:
    data = message(EVENT, 0, "hello", GREETING)
    for piece in (data[:2], data[2:5], data[5:-1], data[-1:]):
        await send(sock, piece)
        await asyncio.sleep(FRAME / 10)


async def lines_in_pieces(sock: socket.socket, number: int) -> None:
    """Longer in all than one frame may take, each of them less."""
    for _ in range(3):
        data = log("x" * 100)
        await send(sock, data[:50])
        await asyncio.sleep(FRAME / 2)
        await send(sock, data[50:])


async def answers_late(sock: socket.socket, number: int) -> None:
    await asyncio.sleep(WALL + GRACE / 4)
    await send(sock, message(REPLY, number, "decide", ANSWERS["decide"]))


async def gives_up_late(sock: socket.socket, number: int) -> None:
    await asyncio.sleep(WALL + GRACE / 4)
    await send(sock, message(ERROR, number, "decide", {"code": "cancelled", "message": ""}))


async def asks_for_much_and_reads(sock: socket.socket, number: int) -> None:
    await send(sock, b"".join(ask(2 * n, "kv.get", name="big") for n in range(1, 13)))


TWINS: dict[str, dict[str, Moment]] = {
    "hello in pieces": {"hello": hello_in_pieces},
    "lines in pieces": {"idle": lines_in_pieces},
    "much asked, all read": {"idle": asks_for_much_and_reads},
}


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("name", TWINS)
async def test_who_is_quick_enough_goes_on(bodies: Bodies, name: str) -> None:
    stage, hostile, trouble = await ordeal(bodies, TWINS[name], falls=False, wall=5.0)
    (ending,) = stage.record.of("plugin.exit", hostile)
    assert (ending["outcome"], ending["detail"], trouble) == ("ok", "stopped", None)


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("words", [answers_late, gives_up_late])
async def test_an_answer_that_crosses_the_cancel_costs_the_call_and_no_more(
    bodies: Bodies, words: Moment
) -> None:
    stage, hostile, trouble = await ordeal(bodies, {"decide": words}, falls=False)
    (ending,) = stage.record.of("plugin.exit", hostile)
    assert (ending["outcome"], ending["detail"]) == ("ok", "stopped")
    assert str(trouble) == f"test.hostile: {LATE}"


async def passes_descriptors(sock: socket.socket, number: int) -> None:
    """As many as one message can carry with a whole frame; one each with halves of a frame and single bytes."""
    pipe = os.pipe()
    data = log()
    sock.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [pipe[1]] * 250))])
    for piece in (
        data[:3],
        data[3:],
        *(bytes([byte]) for byte in data),
    ):  # an ordinary user may have so many under way
        sock.sendmsg([piece], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [pipe[1]]))])
    os.close(pipe[1])
    passed.append(pipe[0])


passed: list[int] = []


async def test_descriptors_that_it_passes_are_dropped_and_the_words_with_them_are_heard(
    bodies: Bodies,
) -> None:
    open_before = descriptors()
    stage, hostile, trouble = await ordeal(bodies, {"idle": passes_descriptors}, falls=False)
    read = passed.pop()
    assert os.read(read, 1) == b"", "every copy of the other end is closed"
    os.close(read)
    assert len(stage.record.of("plugin.log", hostile)) == 3
    assert (trouble, descriptors()) == (None, open_before)
