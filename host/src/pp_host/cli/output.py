"""How every command answers: one JSON document, or text for a person; errors and hints on stderr.

Laws: nothing but the document reaches stdout under --json. Text from plugins, markets and files is escaped before
a terminal sees it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from pp_host.errors import OperatorError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home", metavar="DIR", help="The home folder; default: PP_HOME or the platform's data folder."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, nothing else.")]


PIPE_WIDTH = 160  # nobody's terminal is asked: what a pipe gets must not depend on it


def show(
    document: Mapping[str, Any] | msgspec.Struct, human: Callable[[Console], None], *, as_json: bool
) -> None:
    """Print `document` as JSON, or let `human` draw it on a rich console."""
    if as_json:
        # ASCII only: what a market or plugin wrote must not steer the terminal that a document may end up on
        sys.stdout.write(json.dumps(msgspec.to_builtins(document)) + "\n")
        return
    human(console())


def console() -> Console:
    from rich.console import Console  # rich costs 40 ms; --json and --help do without

    width = None if sys.stdout.isatty() else PIPE_WIDTH
    return Console(highlight=False, emoji=False, markup=False, soft_wrap=width is not None, width=width)


def folding(*columns: str, title: str | None = None) -> Table:
    """A table whose cells go on in the next line where they are too long: half an id names nothing."""
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def complain(message: str, hint: str = "") -> None:
    """Write an error, and its remedy where there is one, to stderr."""
    sys.stderr.write(f"pp: error: {printable(message)}\n")
    if hint:
        sys.stderr.write(f"pp: hint: {printable(hint)}\n")


def existing(path: Path, hint: str) -> None:
    """Errors: OperatorError with `hint` when there is nothing at `path`."""
    if not os.path.lexists(path):
        raise OperatorError(f"{path}: cannot be read: No such file or directory", hint=hint)


def printable(text: str) -> str:
    """`text` on one line with every control, bidi and other unprintable character escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def cents(micros: int) -> str:
    """Micro-units as dollars with cents, truncated towards zero: 1_234_567 -> '1.23'."""
    sign = "-" if micros < 0 else ""
    return f"{sign}{abs(micros) // 1_000_000:,}.{abs(micros) % 1_000_000 // 10_000:02d}"
