"""`pp status`: what is going on, once or watched.

Laws: watching only looks; Ctrl-C is how it ends, status 0. A host that comes, goes or hangs meanwhile is shown, not
an error. A terminal gets its screen back afterwards; on what is no terminal one look follows the other.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from pp_host.cli.output import HomeOption, JsonOption, console, opened, show
from pp_host.errors import OperatorError

if TYPE_CHECKING:
    from pp_host.home import Home
    from pp_host.storage.read_model import ReadModel

EVERY = 2.0  # seconds, as `watch` has it
ORDERS = 8  # what a person takes in at a glance


def status(
    home: HomeOption = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on looking, until Ctrl-C.")] = False,
    every: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", min=0.2, max=3600, help="With --watch: between two looks; default 2."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """What is going on: from the running host, else from the record."""
    if watch and as_json:
        hint = "--json is one document, which has an end; ask again for the next"
        raise OperatorError("pp status: --watch and --json do not go together", hint=hint)
    if every is not None and not watch:
        raise OperatorError(
            "pp status: --every is said with --watch", hint=f"pp status --watch --every {every:g}"
        )
    if watch:
        _watch(opened(home), every or EVERY)
        return
    from pp_host.app.status import status as asked
    from pp_host.cli.board import board
    from pp_host.cli.consulting import reading

    with reading(quiet=as_json) as advance:
        document = asked(opened(home), advance)
    show(document, lambda console: console.print(board({"status": document})), as_json=as_json)


def _watch(home: Home, every: float) -> None:
    from pp_host.cli.consulting import consulted

    try:
        with consulted(home, quiet=False) as model:
            _look(home, model, every)
    except KeyboardInterrupt:
        return


def _look(home: Home, model: ReadModel, every: float) -> None:
    """Show one look after the other, for ever."""
    from rich.live import Live

    from pp_host.app.status import watched
    from pp_host.cli.board import board

    screen = console()
    if not screen.is_terminal:
        while True:
            screen.print(board(watched(home, model, ORDERS)))
            time.sleep(every)
    with Live(console=screen, auto_refresh=False, screen=True) as live:
        while True:
            live.update(board(watched(home, model, ORDERS)), refresh=True)
            time.sleep(every)
