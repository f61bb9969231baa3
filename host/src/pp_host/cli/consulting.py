"""The read models as a command consults them: while a long record is read for the first time, a person sees how far.

Laws: the bar is on stderr, on a terminal only, and gone before anything is answered.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

    from pp_host.home import Home
    from pp_host.storage.read_model import ReadModel


@contextmanager
def consulted(home: Home, *, quiet: bool) -> Iterator[ReadModel]:
    """The read models of a home, brought up to its record. Errors: RecordError, OperatorError."""
    from pp_host.app import catching_up

    with reading(quiet=quiet) as advance, catching_up.consulted(home, advance) as model:
        yield model


@contextmanager
def reading(*, quiet: bool, what: str = "reading the record") -> Iterator[Reading]:
    """What is told how many entries of how many are read; `what` is being done stands beside the bar."""
    shown = Reading(what, quiet=quiet or not sys.stderr.isatty())
    try:
        yield shown
    finally:
        shown.stop()


class Reading:
    """A bar that appears when it is first told anything, and goes with the last entry."""

    def __init__(self, what: str, *, quiet: bool) -> None:
        self._what = what
        self._quiet = quiet
        self._progress: Progress | None = None

    def __call__(self, done: int, total: int) -> None:
        if self._quiet:
            return
        if self._progress is None:
            self._progress = _bar()
            self._progress.start()
            self._progress.add_task(self._what, total=None)
        self._progress.update(self._progress.task_ids[0], completed=done, total=total)
        if done >= total:
            self.stop()

    def stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


def _bar() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(file=sys.stderr), transient=True)
