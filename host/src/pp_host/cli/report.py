"""`pp report`: what a run did, as a page with charts for anybody, as figures, and as pictures.

Laws: what is shown is derived from the record; nothing is written but the folder of the report.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from pp_host.cli.output import HomeOption, JsonOption, opened, printable, show

if TYPE_CHECKING:
    from rich.console import Console

    from pp_host.app.report.gather import Doing, Gathered


DRAWS = "matplotlib>=3.10"  # the extra `report` of the host


def report(
    run: Annotated[
        str, typer.Argument(metavar="[RUN]", help="A run's id, the beginning of it, or `latest`.")
    ] = "latest",
    home: HomeOption = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="The folder to make; default: report-RUN here."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a page with charts about what a run did: money over time, verdicts, trades and how each came about."""
    from pp_host.app.report import gather, publication
    from pp_host.cli.consulting import reading

    doing = partial(reading, quiet=as_json)
    at_home = opened(home)
    found = gather.find(at_home, run, doing)
    name = found.run.run
    place = out or Path(f"report-{name}")
    publication.check_place(place, name)
    gathered = gather.gather(at_home, found, doing)
    files = _drawn(gathered, doing)
    publication.publish(place, name, files)
    document = {"out": str(place), "files": list(files), "report": gathered.report}
    show(document, lambda console: _tell(console, place, files), as_json=as_json)


def _drawn(gathered: Gathered, doing: Doing) -> dict[str, bytes]:
    """Every file of the report by its name."""
    from pp_host.app.report import publication
    from pp_host.cli.page import pictures
    from pp_host.cli.page.document import page

    files = {publication.PAGE: page(gathered).encode()}
    if pictures.can_be_drawn():
        with doing(what="drawing") as advance:
            advance(0, len(publication.PICTURES))
            files |= pictures.drawn(gathered.report)
    # ASCII only, as on stdout: a file may end up on a terminal
    return {**files, publication.FIGURES: json.dumps(msgspec.to_builtins(gathered.report)).encode()}


def _tell(console: Console, place: Path, files: Collection[str]) -> None:
    from pp_host.app.report.publication import PICTURES

    lines = [f"report written: {place}", *(f"  {place / name}" for name in files)]
    if not set(PICTURES) & set(files):
        command = shlex.join([sys.executable, "-m", "pip", "install", DRAWS])
        lines += ["the page has its charts; PNG files need matplotlib:", f"  {command}"]
    console.print("\n".join(map(printable, lines)), soft_wrap=True)
