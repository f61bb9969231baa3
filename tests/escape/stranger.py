"""An attacker as a plugin: supervised, with a record of the real kind, asked for one decision and attacking instead."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
from msgspec import Raw, Struct
from pp_host.app.journal import Journal
from pp_host.clock import SystemClock
from pp_host.errors import PluginError, PluginViolation
from pp_host.model import PluginRef
from pp_host.record.log import Record
from pp_host.record.note import generate_key
from pp_host.record.reader import RecordReader
from pp_host.sandbox.launch import Launcher
from pp_host.supervisor.life import Life
from pp_host.supervisor.spec import PluginSpec
from pp_host.supervisor.supervised import Supervised
from pp_host.trust import archive
from pp_sdk import MarketRow, build
from pp_sdk.memfd import seal
from pp_sdk.wire import messages

ORIGIN = "example.com/escape"
ATTACKS = Path(__file__).with_name("attacks")
CODE = b"""
import json
from attacks import agent
from pp_sdk import Decision, hookimpl

class Stranger:
    @hookimpl
    def configure(self, config):
        self.attack = json.loads(config["attack"])

    @hookimpl
    def decide(self, observation):
        answer = json.dumps(agent.attempt(*self.attack), default=str)
        return [Decision(market="m", outcome="yes", side="buy", probability=0.5, rationale=answer)]

plugin = Stranger()
"""
ARCHIVE = archive.write(
    {f"attacks/{path.name}": path.read_bytes() for path in sorted(ATTACKS.glob("*.py"))}
    | {"stranger.py": CODE}
)
NUMBERS = itertools.count(1)


class Place:
    """A record and where to read it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._record = Record.open(folder, generate_key(folder / "key", ORIGIN), ORIGIN, run="1")
        self.journal = Journal(self._record)

    def entries(self, event: str, plugin: str) -> Iterator[dict[str, Any]]:
        with RecordReader.open(self.folder) as reader:
            yield from (entry.subject for entry in reader.entries([event]) if entry.actor.id == plugin)

    def close(self) -> None:
        self._record.close()


class Desk:
    """Grants nothing."""

    def hear(self, method: str, body: Raw) -> None:
        raise PluginViolation(method)

    async def answer(self, method: str, body: Raw) -> Struct:
        raise PluginViolation(method)


async def ending(
    place: Place, launcher: Launcher, level: str, group: str, name: str, arguments: list[Any]
) -> dict[str, Any]:
    """What came back, or else the plugin.exit of the record."""
    spec = _spec(level, json.dumps([group, name, arguments]))
    fell = anyio.Event()

    def changed(one: Supervised) -> None:
        if one.life in (Life.QUARANTINED, Life.BACKOFF):
            fell.set()

    plugin = Supervised(
        spec, place.journal, SystemClock(), lambda _: Desk(), changed, lambda *_: None, launcher.launch
    )
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(plugin.live)
        await plugin.tried.wait()
        answer: dict[str, Any] = {}
        with contextlib.suppress(PluginError):
            answer = json.loads(await _decision(plugin))
        if not answer:
            await fell.wait()
        await plugin.stop()
    last = place.journal.append("plugin.quarantine", {})
    await place.journal.durable(last)
    if answer:
        return answer
    [found] = place.entries("plugin.exit", spec.ref.id)
    if found["outcome"] == "violation":
        return {"violation": found["detail"]}
    return {"outcome": found["outcome"], "text": found["detail"]}


async def _decision(plugin: Supervised) -> str:
    table = build([MarketRow(id="m", question="?", tick=10_000)])
    fd = seal(table.block)
    try:
        body = messages.Decide(now=1, table_bytes=len(table.block), account=None)
        decided: messages.Decided = await plugin.call("decide", body, fds=(fd,))
    finally:
        os.close(fd)
    return decided.decisions[0].rationale


def _spec(level: str, attack: str) -> PluginSpec:
    return PluginSpec(
        ref=PluginRef(f"test.stranger.n{next(NUMBERS)}", "1.0.0", "0" * 64),
        kind="agent",
        archive=ARCHIVE,
        module="stranger",
        object="plugin",
        hooks=("decide",),
        config={"attack": attack},
        seed=7,
        hash_seed=7,
        grant="",
        level=level,
        venues=None,
        account=None,
        events=None,
        detail="none",
        memory_mb=256,
        tmp_mb=0,
        cpu_seconds=20.0,
        wall_seconds=30.0,
        outer_seconds=60.0,
    )
