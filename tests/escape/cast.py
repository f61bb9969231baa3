"""Everybody that a row needs: a host inside whose walls it fails, an outside, and the stages."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from tests.escape import sides
from tests.escape.sides import Program
from tests.escape.stage import Stage


class Cast:
    """Started when first asked for, and again after it was dismissed."""

    def __init__(self, folder: Callable[[str], Path]) -> None:
        self._folder = folder
        self._ends = contextlib.ExitStack()
        self._programs: dict[str, Program] = {}
        self._stages: dict[str, Stage] = {}

    def outside(self) -> Program:
        if "outside" not in self._programs:
            self._programs["outside"] = self._ends.enter_context(sides.outside())
        return self._programs["outside"]

    def warden(self, level: str) -> Program:
        if level not in self._programs:
            self._programs[level] = self._ends.enter_context(sides.warden(level, self._folder(level)))
        return self._programs[level]

    def stage(self, name: str) -> Stage:
        """The one named "whole" has to stay so."""
        if name not in self._stages:
            self._stages[name] = Stage()
        return self._stages[name]

    def replace(self, name: str) -> None:
        """By another of its kind, when it is next asked for."""
        self._stages.pop(name).close()

    def dismiss(self) -> None:
        for name in list(self._stages):
            self.replace(name)
        self._programs.clear()
        self._ends.close()
