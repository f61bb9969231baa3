"""`pp sandbox`: anybody's own attack on the walls and on the protocol, and what became of it."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pp_host.cli.output import HomeOption, JsonOption, printable, show
from pp_host.errors import OperatorError, Refused
from pp_host.limits import LIMITS

if TYPE_CHECKING:
    from rich.console import Console

    from pp_host.app.guest.visit import Visit
    from pp_host.trust.manifest import PluginLimits

PIPES = ("stdout", "stderr")
NUMBERS = ("status", "accepted", "host_rss_growth")

app = typer.Typer(help="Put a script, a program or bytes of your own behind the walls.", no_args_is_help=True)

GrantOption = Annotated[
    list[str] | None,
    typer.Option(
        "--grant", metavar="CAP", help="memory_mb=N, tmp_mb=N or cpu_seconds_per_call=N; may be repeated."
    ),
]
SecondsOption = Annotated[
    float,
    typer.Option(
        "--seconds", metavar="N", min=0.1, max=LIMITS.process.wall_seconds_max, help="The deadline."
    ),
]


@app.command()
def run(
    file: Annotated[Path, typer.Argument(metavar="FILE.py", help="What the plugin does.")],
    grant: GrantOption = None,
    seconds: SecondsOption = LIMITS.sandbox.guest_seconds,
    _home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run a Python file as the body of a plugin that was granted nothing; status 3 unless it ended normally."""
    from pp_host.app.guest.script import run_script

    visit = asyncio.run(run_script(file, _limits(grant, seconds)))
    _tell(visit, _told(visit), as_json=as_json)


@app.command("exec", context_settings={"allow_interspersed_args": False})
def exec_(
    command: Annotated[
        list[str], typer.Argument(metavar="CMD...", help="A program, and what it is called with.")
    ],
    grant: GrantOption = None,
    seconds: SecondsOption = LIMITS.sandbox.guest_seconds,
    _home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run any program behind the walls, static or dynamic; status 3 unless it ended with status 0."""
    from pp_host.app.guest.program import run_program

    found = shutil.which(command[0])
    if found is None:
        hint = "name a program's file, or one that is on the PATH"
        raise OperatorError(f"{command[0]}: no program that you may execute", hint=hint)
    visit = asyncio.run(run_program(Path(found), command, _limits(grant, seconds)))
    document = {**_told(visit), "status": visit.status}
    _tell(visit, document, as_json=as_json)


@app.command()
def peer(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The bytes, frames or not.")],
    after: Annotated[
        str,
        typer.Option(
            "--after",
            metavar="STATE",
            help="Where a good beginning has led before: opened, greeted, loaded or running.",
        ),
    ] = "opened",
    seconds: SecondsOption = LIMITS.sandbox.guest_seconds,
    _home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send a file's bytes at the host as a plugin would; status 3 unless the host took all of them."""
    from pp_host.app.guest.stream import After, send_stream

    states = [state.value for state in After]
    if after not in states:
        raise typer.BadParameter(f"{after}: must be one of {', '.join(states)}", param_hint="--after")
    heard = asyncio.run(send_stream(file, After(after), _limits(None, seconds)))
    document = {
        "outcome": heard.visit.outcome.value,
        "accepted": heard.accepted,
        "host_rss_growth": heard.growth,
    }
    _tell(heard.visit, document, as_json=as_json)


def _limits(grants: list[str] | None, seconds: float) -> PluginLimits:
    from pp_host.app.guest.grants import limits_of

    return limits_of(grants or [], seconds)


def _told(visit: Visit) -> dict[str, Any]:
    return {
        "level": visit.level,
        "outcome": visit.outcome.value,
        "signal": visit.signal,
        "stdout": visit.stdout,
        "stderr": visit.stderr,
        "denied": visit.denied,
    }


def _tell(visit: Visit, document: dict[str, Any], *, as_json: bool) -> None:
    show(document, lambda console: _draw(console, visit, document), as_json=as_json)
    if document["outcome"] != "ok":
        raise typer.Exit(Refused.exit_status)


def _draw(console: Console, visit: Visit, document: dict[str, Any]) -> None:
    attested = f", {len(visit.walls)} walls attested before it began" if visit.walls else ""
    console.print(f"level {visit.level}{attested}")
    for name in (name for name in PIPES if name in document):
        lines = document[name].splitlines()
        console.print(f"{name}:{'' if lines else ' nothing'}")
        for line in lines:
            console.print(f"  {printable(line)}")
    for name in (name for name in NUMBERS if name in document):
        console.print(f"{name}: {document[name]}")
    console.print(f"outcome {visit.outcome}: {printable(visit.detail)}")
