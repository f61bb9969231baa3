"""What a person sees while a session runs: a progress bar and the lines of output plugins, escaped. And while files
are read: which, and how far.

Laws: a session never waits for its screen, and goes on without one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Self, cast

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from pp_host.cli.outlet import Outlet
from pp_host.cli.output import printable

STDERR = 2


class Pace(ProgressColumn):
    """How many a second, over the last half minute; empty until that is known."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.1f}/s" if speed < 100 else f"{speed:,.0f}/s")


class Left(TimeRemainingColumn):
    """How long it will still take; empty of a task without an end."""

    def render(self, task: Task) -> Text:
        return Text("") if task.total is None else super().render(task) + Text(" left")


class Screen:
    """Implements the session's view on a terminal; under --json it only warns. All goes to stderr, never stdout."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._outlet = Outlet(STDERR)
        file = cast("IO[str]", self._outlet)
        self._console = Console(file=file, highlight=False, emoji=False, markup=False)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            Pace(),
            TimeElapsedColumn(),
            TextColumn("elapsed"),
            Left(),
            console=self._console,
            transient=True,
            disable=quiet or not self._console.is_terminal,
        )
        self._task = self._progress.add_task("starting", total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
        self._outlet.close()

    def say(self, text: str) -> None:
        """One line about the session itself."""
        if not self._quiet:
            self._console.print(printable(text), soft_wrap=True)

    def warn(self, text: str) -> None:
        """One line that nobody may miss."""
        self._console.print(f"pp: warning: {printable(text)}", soft_wrap=True)

    def line(self, plugin: str, text: str) -> None:
        """One line that a plugin wrote."""
        if not self._quiet:
            self._console.print(f"{plugin.rpartition('.')[2]} | {printable(text)}", soft_wrap=True)

    def advance(self, done: int, total: int | None) -> None:
        """`done` of `total` cycles or steps are over."""
        self._progress.update(self._task, description="cycles", completed=done, total=total)


@contextmanager
def reading(*, quiet: bool) -> Iterator[Callable[[Path, int], None]]:
    """Told which file is being read and how many rows of it have been; on stderr where that is a terminal."""
    console = Console(file=sys.stderr, highlight=False, emoji=False, markup=False)
    with Progress(
        TextColumn("{task.description}", markup=False),
        console=console,
        transient=True,
        disable=quiet or not console.is_terminal,
    ) as progress:
        task = progress.add_task("reading", total=None)
        yield lambda file, rows: progress.update(
            task, description=f"reading {printable(str(file))}: {rows:,} rows"
        )
