"""A source that answers `snapshot` with what is no market table, or with valid ones that are meant to fill the host."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from random import Random
from typing import Any

import anyio
import psutil
import pytest
from pp_host.errors import PluginViolation
from pp_host.supervisor.proxy import SourceProxy
from pp_host.supervisor.supervised import Supervised
from pp_sdk.table import MarketRow, MarketTable, build, narrow
from pp_sdk.types import SnapshotRequest

from tests.escape.protocol.foreign import REPLY, message
from tests.escape.protocol.stage import Bodies, Stage, children, descriptors, speaking, spec_of
from tests.escape.protocol.words import MIB

pytestmark = pytest.mark.anyio
ROW = MarketRow(id="m1", yes_bids=((390_000, 7),), yes_asks=((400_000, 5_000_000),), venue="v")
BLOCK = bytes(build([ROW]).block)
GROWTH_MB = 96  # caches are bounded: 40 measured, after 20 tables as after 300


def cell(at: int, number: int) -> bytes:
    """The table with one 64-bit word changed."""
    return BLOCK[:at] + struct.pack("<q", number) + BLOCK[at + 8 :]


INTS, BITMAPS = 48, 48 + 152
LEVELS = BITMAPS + 16 * 8
CASES = {
    "nothing": (b"", "a table needs at least 48 bytes, got 0"),
    "another magic": (b"PPMX" + BLOCK[4:], "not a market table: wrong magic"),
    "another version": (BLOCK[:4] + b"\x02" + BLOCK[5:], "market table version 2, expected 1"),
    "a byte more": (
        BLOCK + b"\0",
        f"header tells {len(BLOCK)} and {len(BLOCK)} bytes, block has {len(BLOCK) + 1}",
    ),
    "2^61 rows claimed": (cell(16, 2**61), f"header tells {len(BLOCK)} and "),
    "-1 strings claimed": (cell(32, -1), f"header tells {len(BLOCK)} and "),
    "a negative size": (cell(INTS + 8 * 7, -1), "yes_bid_size: outside 0.."),
    "a price of a dollar": (cell(INTS + 8 * 4, 10**6), "yes_ask: outside 1..999999"),
    "a tick of nothing": (cell(INTS + 8, 0), "tick: must not be 0"),
    "a null that is not 0": (cell(INTS + 8 * 11, 5), "a null cell does not hold 0"),
    "a bit beyond the last row": (cell(BITMAPS, 3), "validity bits beyond the last row"),
    "levels that fall": (cell(LEVELS + 8, -1), "levels: offsets must rise from 0 to 2"),
    "text that is no UTF-8": (BLOCK.replace(b"m1", b"m\xff"), "strings: not UTF-8"),
}


def answering(block: Callable[[], bytes]) -> Any:
    async def say(sock: Any, number: int) -> None:
        await asyncio.get_running_loop().sock_sendall(
            sock, message(REPLY, number, "snapshot", {"table": block()})
        )

    async def load(sock: Any, number: int) -> None:
        await asyncio.get_running_loop().sock_sendall(
            sock, message(REPLY, number, "load", {"hooks": ["snapshot"]})
        )

    return speaking(snapshot=say, load=load)


async def snapshots(
    bodies: Bodies, block: Callable[[], bytes], times: int
) -> tuple[Stage, Supervised, list[Any]]:
    """What the host has of so many calls; on return the source is stopped."""
    stage, answers = Stage(), []
    source = stage.plugin(spec_of("source", 1, kind="source", hooks=("snapshot",)))
    bodies.speeches = {1: answering(block)}
    async with anyio.create_task_group() as lives:
        lives.start_soon(source.live)
        with anyio.fail_after(120):
            await source.tried.wait()
            for _ in range(times):
                try:
                    answers.append(await SourceProxy(source).snapshot(SnapshotRequest(now=1)))
                except PluginViolation as violation:
                    answers.append(violation)
            await source.stop()
    await asyncio.gather(*bodies.speaking)
    return stage, source, answers


@pytest.mark.parametrize("name", CASES)
async def test_what_is_no_table_ends_the_source(bodies: Bodies, name: str) -> None:
    open_before, (block, words) = descriptors(), CASES[name]
    stage, source, answers = await snapshots(bodies, lambda: block, 1)
    assert isinstance(answers[0], PluginViolation)
    (ending,) = stage.record.of("plugin.exit", source)
    assert ending["outcome"] == "violation"
    assert ending["detail"].startswith(f"snapshot: {words}")
    assert (descriptors(), children()) == (open_before, set())


async def test_the_table_that_they_were_made_of_is_taken(bodies: Bodies) -> None:
    stage, source, answers = await snapshots(bodies, lambda: BLOCK, 3)
    assert [bytes(one.block) for one in answers] == [BLOCK] * 3
    assert stage.record.of("plugin.exit", source)[0]["outcome"] == "ok"


async def test_tables_that_are_never_the_same_fill_no_memory(bodies: Bodies) -> None:
    """As large as a frame, every one with other markets, and narrowed to other rows each time."""
    made = 0

    def block() -> bytes:
        nonlocal made
        made += 1
        return bytes(build([MarketRow(id=f"{made}-{number}", venue="v") for number in range(3500)]).block)

    before = psutil.Process().memory_info().rss
    _, _, answers = await snapshots(bodies, block, 16)
    for turn, table in enumerate(answers):
        assert isinstance(table, MarketTable)
        random = Random(turn)
        assert 1000 < len(narrow(table, [row for row in range(3500) if random.random() < 0.5])) < 2500
    answers.clear()
    assert psutil.Process().memory_info().rss - before < GROWTH_MB * MIB
