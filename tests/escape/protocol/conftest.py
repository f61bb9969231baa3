"""Plugins that are only a pid, on the host's own supervisor."""

from __future__ import annotations

import pytest
from pp_host.supervisor import process

from tests.escape.protocol.stage import Bodies


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def bodies(monkeypatch: pytest.MonkeyPatch) -> Bodies:
    """No walls here: what is tried is what the host does with bytes. Behind walls: test_behind_walls.py."""
    made = Bodies()
    monkeypatch.setattr(process, "launch", made.launch)
    monkeypatch.setattr(process, "attest", lambda *_: ("none",))
    return made
