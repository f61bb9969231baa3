"""`pp logs`: what a plugin wrote and how it fared, as lines; with --follow also what comes.

Laws: a line is one line however a plugin spelled it, escaped and bounded. Following looks at the record twice a second
and ends with Ctrl-C, status 130, as `tail -f` and `journalctl -f` do.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from pp_host.cli.consulting import consulted
from pp_host.cli.output import CountOption, HomeOption, JsonOption, brief, console, opened, show
from pp_host.errors import OperatorError

if TYPE_CHECKING:
    from rich.console import Console

    from pp_host.storage.read_model import ReadModel

LOOK_SECONDS = 0.5
LINE = 1_000  # characters on a terminal; pp audit show has the rest
BURST = 100_000  # lines of one plugin within LOOK_SECONDS: more than it may write in an hour
STYLES: Final[Mapping[str, str]] = {
    "plugin.failed": "yellow",
    "capability.deny": "yellow",
    "plugin.quarantine": "red",
}


def logs(
    plugin: Annotated[str, typer.Argument(metavar="ID", help="The plugin's id.")],
    home: HomeOption = None,
    count: CountOption = 20,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """What a plugin wrote to its log, and its starts, failures and exits."""
    from pp_host.app import views

    if follow and as_json:
        hint = "--json is one document, which has an end; follow without it"
        raise OperatorError("pp logs: --follow and --json do not go together", hint=hint)
    place = opened(home)
    with consulted(place, quiet=as_json) as model:
        lines = views.lines(model, plugin, count)
        document = {"plugin": plugin, "lines": lines}
        show(document, lambda console: draw_lines(console, lines), as_json=as_json)
        if follow:
            _follow(place.state, model, plugin, lines[-1]["seq"] if lines else -1)


def _follow(state: Path, model: ReadModel, plugin: str, last: int) -> None:
    """Draw what is committed behind the entry `last`, for ever."""
    from pp_host.app import views
    from pp_host.app.catching_up import catch_up
    from pp_host.record.reader import RecordReader

    screen = console()
    while True:
        time.sleep(LOOK_SECONDS)
        with RecordReader.open(state) as reader:
            catch_up(model, reader)
        lines = views.lines(model, plugin, BURST, after=last)
        draw_lines(screen, lines)
        last = lines[-1]["seq"] if lines else last


def draw_lines(console: Console, lines: Iterable[Mapping[str, Any]]) -> None:
    for line in lines:
        what = line["level"] or line["event"].removeprefix("plugin.")
        text = f"{line['ts'][:19].replace('T', ' ')}  {brief(what, 16):10}  {brief(line['text'], LINE)}"
        console.print(text, style=STYLES.get(line["event"]), markup=False, soft_wrap=True)
