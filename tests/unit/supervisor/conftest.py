"""Real plugin processes behind real walls, driven without an app."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec import Raw, Struct
from pp_host.errors import PluginViolation
from pp_host.model import PluginRef
from pp_host.supervisor.process import PluginProcess
from pp_host.supervisor.spec import PluginSpec
from pp_host.trust import archive
from pp_sdk.wire import messages


def children() -> set[int]:
    """Processes of ours that are alive or unreaped."""
    me = os.getpid()
    return {int(pid) for pid in Path(f"/proc/{me}/task/{me}/children").read_text().split()}


class Desk:
    """Answers `clock.now` after `delay` seconds; refuses every other request."""

    def __init__(self, delay: float = 0.0) -> None:
        self.delay = delay
        self.heard: list[str] = []

    def hear(self, method: str, body: Raw) -> None:
        self.heard.append(method)

    async def answer(self, method: str, body: Raw) -> Struct:
        if method != "clock.now":
            raise PluginViolation(method)
        await asyncio.sleep(self.delay)
        return messages.Now(now=42)


@pytest.fixture
def spec() -> Callable[..., PluginSpec]:
    """spec(code, **changes): an agent whose module is `code`."""

    def make(code: str, **changes: Any) -> PluginSpec:
        fields: dict[str, Any] = {
            "ref": PluginRef("test.agent", "1.0.0", "0" * 64),
            "kind": "agent",
            "archive": archive.write({"agent.py": code.encode()}),
            "module": "agent",
            "object": "plugin",
            "hooks": ("decide",),
            "config": {},
            "seed": 7,
            "hash_seed": 7,
            "grant": "",
            "level": "L3",
            "venues": None,
            "account": None,
            "events": None,
            "detail": "none",
            "memory_mb": 192,
            "tmp_mb": 0,
            "cpu_seconds": 5.0,
            "wall_seconds": 5.0,
            "outer_seconds": 30.0,
        }
        return PluginSpec(**(fields | changes))

    return make


@pytest.fixture
def started(spec: Any) -> Callable[..., Awaitable[PluginProcess]]:
    """started(code, desk, **changes): the process, running; it is the test's to end."""

    async def start(code: str, desk: Desk | None = None, **changes: Any) -> PluginProcess:
        return await PluginProcess.start(spec(code, **changes), desk or Desk(), lambda line: None, now=0)

    return start


@pytest.fixture
def desk() -> type[Desk]:
    return Desk
