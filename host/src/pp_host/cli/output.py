"""How every command answers: one JSON document, or text for a person; errors and hints on stderr.

Laws: nothing but the document reaches stdout under --json. Text from plugins, markets and files is escaped before
a terminal sees it.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Container, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from pp_host.errors import OperatorError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from pp_host.home import Home

HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home", metavar="DIR", help="The home folder; default: PP_HOME or the platform's data folder."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, nothing else.")]


RunOption = Annotated[
    str,
    typer.Option("--run", metavar="R", help="Only this run: its id, the beginning of it, or `latest`."),
]
PluginOption = Annotated[str, typer.Option("--plugin", metavar="ID", help="Only this plugin's.")]
CountOption = Annotated[
    int, typer.Option("-n", "--count", metavar="N", min=1, max=100_000, help="How many at most: the newest.")
]

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


def folding(
    *columns: str, title: str | None = None, right: Container[str] = (), firm: Container[str] = ()
) -> Table:
    """A table whose cells go on in the next line where they are too long: half an id names nothing.

    `right` names the columns of numbers, `firm` others that are never broken while any other column can be.
    """
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for column in columns:
        number = column in right
        table.add_column(
            column, overflow="fold", justify="right" if number else "left", no_wrap=number or column in firm
        )
    return table


def complain(message: str, hint: str = "") -> None:
    """Write an error, and its remedy where there is one, to stderr; the status says it where nobody reads that."""
    with suppress(OSError):
        sys.stderr.write(f"pp: error: {printable(message)}\n")
        if hint:
            sys.stderr.write(f"pp: hint: {printable(hint)}\n")


def opened(home: Path | None) -> Home:
    """The home that a command was given, else the usual one. Errors: those of Home.open."""
    from pp_host.home import Home

    return Home.open(home)


def existing(path: Path, hint: str) -> None:
    """Errors: OperatorError when there is nothing at `path`, with `hint`, or nothing that may be looked at."""
    try:
        os.lstat(path)
    except FileNotFoundError as error:
        raise OperatorError(f"{path}: cannot be read: {error.strerror}", hint=hint) from None
    except OSError as error:
        remedy = "every folder on the way must be a folder, and let you in"
        raise OperatorError(f"{path}: cannot be read: {error.strerror}", hint=remedy) from None


def called() -> str:
    """How whoever called this program calls it again, as a word for a shell."""
    word = sys.argv[0]
    found = shutil.which("pp")
    if Path(word).name != "pp" or (found is not None and os.path.realpath(found) == os.path.realpath(word)):
        return "pp"
    return printable(shlex.quote(word))


def printable(text: str) -> str:
    """`text` on one line with every control, bidi and other unprintable character escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def brief(text: str, most: int) -> str:
    """A stranger's text, printable and no longer than `most` characters."""
    shown = printable(text[: most + 1])
    return shown if len(shown) <= most else shown[: most - 1] + "\u2026"


def elided(text: str, most: int = 24) -> str:
    """A stranger's id, printable; of a longer one its beginning and its end, by which it is recognised."""
    shown = printable(text[: 2 * most] if len(text) <= 2 * most else text[:most] + text[-most:])
    return shown if len(shown) <= most else f"{shown[: most - 9]}\u2026{shown[-8:]}"


def when(micros: int) -> str:
    """Microseconds UTC -> '2026-01-31 23:59:59'."""
    return f"{datetime.fromtimestamp(micros // 1_000_000, UTC):%Y-%m-%d %H:%M:%S}"


def moment(ts: str) -> str:
    """A time as the record spells it, as `when` does: '2026-01-31T23:59:59.123456Z' -> '2026-01-31 23:59:59'."""
    return ts[: len("2026-01-31T23:59:59")].replace("T", " ")


def price(micros: int) -> str:
    """Micro-USD per share as dollars with four decimals, truncated: 123_456 -> '0.1234'."""
    return f"{micros // 1_000_000}.{micros % 1_000_000 // 100:04d}"


def percent(ppm: int | None) -> str:
    """Parts per million with one decimal: 123_456 -> '12.3 %'."""
    if ppm is None:
        return "-"
    return f"{'-' if ppm < 0 else ''}{abs(ppm) // 10_000}.{abs(ppm) % 10_000 // 1000} %"


def cents(micros: int) -> str:
    """Micro-units as dollars with cents, truncated towards zero: 1_234_567 -> '1.23'."""
    sign = "-" if micros < 0 else ""
    return f"{sign}{abs(micros) // 1_000_000:,}.{abs(micros) % 1_000_000 // 10_000:02d}"
