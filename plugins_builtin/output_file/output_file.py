"""Events as JSON lines, one file a UTC day. The files are the host's: this names them and never sees a path.

What is told together is written together. Lines that the host does not take are lost and counted: waiting would only
lose the next ones. One error says so, and when there is room again a line in the file, and one in the log, say how
many are missing.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, get_args

import msgspec
from pp_sdk import MICRO, Event, RemoteError, files, hookimpl, log
from pp_sdk.events import EventKind

PREFIX = re.compile(r"[a-z0-9_-]{1,40}")
KINDS = frozenset({*get_args(EventKind), "missed"})
TOGETHER = 30  # events in one request: at 31 KB, the most that one can be in ASCII, they fit into a frame
AGAIN_SECONDS = 10.0  # a refused request is an entry of the record: not one for each call


class FileOutput:
    """`seconds` is a clock that only goes forward; it times what is tried again, nothing that is written."""

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._prefix = "events"
        self._kinds: frozenset[str] = frozenset()
        self._told: dict[str, list[dict[str, Any]]] = {}  # by the name of their file, since the last flush
        self._lost = 0
        self._again = 0.0

    @hookimpl
    def configure(self, config: dict[str, Any]) -> None:
        if not PREFIX.fullmatch(config["prefix"]):
            raise ValueError("prefix: only a-z, 0-9, '-' and '_', at most 40 of them")
        self._prefix = config["prefix"]
        self._kinds = frozenset(config["kinds"].split())
        if unknown := self._kinds - KINDS:
            raise ValueError(f"kinds: no such event: {', '.join(sorted(unknown))}")

    @hookimpl
    def notify(self, event: Event) -> None:
        told = msgspec.to_builtins(event)
        if not self._kinds or told["kind"] in self._kinds:
            self._told.setdefault(f"{self._prefix}-{_day(told['at'])}.jsonl", []).append(told)

    @hookimpl
    def flush(self) -> None:
        together, self._told = self._told, {}
        for name, events in together.items():
            for start in range(0, len(events), TOGETHER):
                self._write(name, events[start : start + TOGETHER])

    def _write(self, name: str, events: list[dict[str, Any]]) -> None:
        if self._lost and self._seconds() < self._again:
            self._lost += len(events)
            return
        missing = [{"kind": "lost", "at": events[0]["at"], "events": self._lost}] if self._lost else []
        try:
            files.append(name, *map(_line, [*missing, *events]))
        except RemoteError as refused:
            if not self._lost:
                log.error(f"events are lost from here on: {refused}")
            self._lost += len(events)
            self._again = self._seconds() + AGAIN_SECONDS
            return
        if self._lost:
            log.warning(f"writing again; {self._lost} events were lost")
            self._lost = 0


def _line(told: dict[str, Any]) -> str:
    """ASCII, so that no market's name can steer the terminal on which the file ends up."""
    return json.dumps(told, separators=(",", ":"))


def _day(at: int) -> str:
    return f"{datetime.fromtimestamp(at / MICRO, UTC):%Y-%m-%d}"


plugin = FileOutput()
