"""A host in a process of its own, so that what a level's machine lacks can be taken from it: `warden.py LEVEL FOLDER`.

stdin: one JSON request a line, [group, name, arguments, changes of the plan, how]; stdout: what came of it inside.
how: "shared" with other attacks of the group, "alone", or "recorded": as a plugin, under supervision, with a record.
"""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import Any

import anyio
from pp_host.sandbox.launch import Launcher

from tests.escape import confinement, stranger
from tests.escape.prison import Prisoner, imprisoned


class Warden:
    def __init__(self, level: str, folder: Path) -> None:
        self._level = level
        self._record = stranger.Place(folder)
        self._launcher = Launcher()
        self._cells = contextlib.ExitStack()
        self._prisoners: dict[str, Prisoner] = {}

    def tries(
        self, group: str, name: str, arguments: list[Any], changes: dict[str, Any], how: str
    ) -> dict[str, Any]:
        if how == "recorded":
            return anyio.run(
                stranger.ending, self._record, self._launcher, self._level, group, name, arguments
            )
        if how == "alone":
            with imprisoned(self._launcher.launch, level=self._level, **changes) as prisoner:
                return prisoner.tries(group, name, *arguments)
        return self._shared(group, name, arguments, changes)

    def _shared(self, group: str, name: str, arguments: list[Any], changes: dict[str, Any]) -> dict[str, Any]:
        """One process for all attacks of a group that must fail softly; one that did not is replaced."""
        key = json.dumps([group, changes])
        if key not in self._prisoners:
            cell = imprisoned(self._launcher.launch, level=self._level, **changes)
            self._prisoners[key] = self._cells.enter_context(cell)
        answer = self._prisoners[key].tries(group, name, *arguments)
        if {"signal", "status"} & answer.keys():
            del self._prisoners[key]
        return answer

    def close(self) -> None:
        self._cells.close()
        self._launcher.close()
        self._record.close()


def main(level: str, folder: str) -> None:
    if level != "L3":
        confinement.open_python()
        confinement.withhold(landlock=level == "L1")
    with contextlib.closing(Warden(level, Path(folder))) as warden:
        for line in sys.stdin:
            print(json.dumps(warden.tries(*json.loads(line))), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
