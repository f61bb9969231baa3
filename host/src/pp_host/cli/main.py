"""The command `pp`: finds one command, runs it, and turns what went wrong into a line and a status.

Laws: only the named command's module is imported, so that --help is quick. Nothing an operator can cause
shows a traceback: bad input is 1, usage 2, policy 3, a plugin or venue 4; a bug of ours is 70 and leaves
its traceback in a file. docs/CLI.md
"""

from __future__ import annotations

import importlib
import os
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, NamedTuple

import typer
import typer.main

from pp_host.cli.entry import INTERRUPTED
from pp_host.cli.output import complain
from pp_host.errors import HostError, OperatorError

INTERNAL = 70  # EX_SOFTWARE of sysexits.h
USAGE_ERROR: type[Exception] = typer.BadParameter.__bases__[
    0
]  # typer exports its usage errors' parent under no name of its own


class Place(NamedTuple):
    """Where a command is: a function, or a typer.Typer of sub-commands called `app`."""

    module: str
    attribute: str
    summary: str


COMMANDS: Mapping[str, Place] = MappingProxyType(
    {
        "demo": Place("run", "demo", "A paper session on sample markets: no keys, no account, no network."),
        "init": Place("home", "init", "Make a home: settings, keys, trust, state."),
        "run": Place("run", "run", "Run the host with a set of plugins."),
        "stop": Place("control", "stop", "End the running host in good order."),
        "kill": Place("control", "kill", "Halt trading now, and keep it halted."),
        "resume": Place("control", "resume", "Allow trading again after a halt."),
        "status": Place("status", "status", "What is going on, from the running host or the record."),
        "positions": Place("views", "positions", "Open positions, and what share of the account they are."),
        "orders": Place("views", "orders", "The newest orders and what became of them."),
        "fills": Place("views", "fills", "The newest trades, and their totals."),
        "decisions": Place("views", "decisions", "What plugins wished, and how it was judged."),
        "logs": Place("logs", "logs", "What a plugin wrote, and how it fared."),
        "runs": Place("views", "runs", "The newest runs, and what came of them."),
        "report": Place("report", "report", "A page and pictures about what a run did."),
        "risk": Place("risk", "app", "Every limit, where it comes from, how much of it is used."),
        "config": Place("home", "config", "Check the settings."),
        "plugin": Place("plugin", "app", "Make, sign, check and install plugins."),
        "trust": Place("trust", "app", "Publishers whose signatures count here."),
        "data": Place("data", "app", "Recorded markets: what is on a tape, and new ones."),
        "audit": Place("audit", "app", "The record: what happened, provably."),
        "sandbox": Place("sandbox", "app", "Put a script, a program or bytes of your own behind the walls."),
        "doctor": Place(
            "doctor", "doctor", "Which walls stand on this machine, and what to do about the others."
        ),
    }
)


def main(arguments: Sequence[str]) -> int:
    """Run one command line; the exit status."""
    try:
        _check_text(arguments)
        command = typer.main.get_command(_application(arguments))
        outcome = command.main(args=list(arguments), prog_name="pp", standalone_mode=False)
    except HostError as error:
        complain(str(error), error.hint)
        return error.exit_status
    except USAGE_ERROR as error:
        return _misused(error)
    except typer.Abort:
        complain("aborted; nothing was done")
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        complain(f"{error.filename or 'system'}: {error.strerror or error}")
        return 1
    except Exception as error:  # noqa: BLE001  # the border of the command line: a bug becomes one line
        return _broken(error)
    return outcome if isinstance(outcome, int) else 0


def _check_text(arguments: Sequence[str]) -> None:
    """Refuse words that are not UTF-8, which neither the record nor JSON can hold; a kill is never refused."""
    if _wanted(arguments) == "kill":
        return
    for word in (*arguments, os.environ.get("PP_HOME", "")):
        if not word.isprintable() and any("\ud800" <= character <= "\udfff" for character in word):
            raise OperatorError(f"{word}: not UTF-8 text", hint="name it in UTF-8")


def _wanted(arguments: Sequence[str]) -> str:
    return next((word for word in arguments if not word.startswith("-")), "")


def _application(arguments: Sequence[str]) -> typer.Typer:
    """All commands by name and summary; the wanted one, or all for shell completion, in the flesh."""
    wanted = _wanted(arguments)
    app = typer.Typer(name="pp", rich_markup_mode=None, invoke_without_command=True, callback=_root)
    for name, place in COMMANDS.items():
        present = name == wanted or "_PP_COMPLETE" in os.environ
        found = _load(place) if present else _elsewhere
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name, help=place.summary)
        else:
            app.command(name, short_help=place.summary)(found)
    return app


def _load(place: Place) -> Any:
    return getattr(importlib.import_module(f"pp_host.cli.{place.module}"), place.attribute)


def _elsewhere() -> None:
    """Stands for a command that this command line does not name."""


def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """Runs anyone's trading plugin on prediction markets; keys, network and money limits stay yours."""
    if version:
        from importlib import metadata

        typer.echo(f"pp {metadata.version('probablyprofit-host')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def _misused(error: Any) -> int:
    """A usage error in the house's form; a group named without a command shows its help instead."""
    path = error.ctx.command_path if error.ctx else "pp"
    message = error.format_message()
    if "\n" in message:
        typer.echo(message, err=True)
    else:
        complain(message, f"{path} --help")
    return 2


def _broken(error: Exception) -> int:
    descriptor, name = tempfile.mkstemp(prefix="pp-error-", suffix=".txt")
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.writelines(traceback.format_exception(error))
    complain(
        f"internal error: {type(error).__name__}: {error}", f"a bug of ours; please report it with {name}"
    )
    return INTERNAL
