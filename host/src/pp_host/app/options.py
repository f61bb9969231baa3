"""What a caller may choose about one session."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """mode: None takes pp.toml's; plugin_set: "" takes every enabled plugin; cycles: None runs until stopped."""

    mode: str | None = None
    plugin_set: str = ""
    cycles: int | None = None
    tape: Path | None = None
    seed: int = 0
    demo: bool = False


class View(Protocol):
    """Who watches a session."""

    def say(self, text: str) -> None: ...

    def warn(self, text: str) -> None: ...

    def line(self, plugin: str, text: str) -> None: ...

    def advance(self, done: int, total: int | None) -> None: ...
