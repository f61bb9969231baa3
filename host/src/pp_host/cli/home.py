"""`pp init` and `pp config check`: a new home, and whether its settings can be read."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pp_host.cli.output import HomeOption, JsonOption, called, printable, show
from pp_host.errors import OperatorError

if TYPE_CHECKING:
    from rich.console import Console

    from pp_host.home import Home

config = typer.Typer(help="The settings of a home.")


def init(
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="The home to make; default: as for --home.")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a home: commented settings, keys, and the built-in plugins, ready for `pp run`."""
    if folder is not None and home is not None:
        raise OperatorError("pp init: two folders named", hint="give DIR or --home, not both")
    from pp_host.app.founding import found_home

    made = found_home(folder or home)
    document = {"home": str(made.root), "origin": made.origin, "config": str(made.config_file)}
    show(document, lambda console: _draw_home(console, made), as_json=as_json)


def _draw_home(console: Console, home: Home) -> None:
    root = printable(shlex.quote(str(home.root)))
    lines = [
        f"home made: {root}",
        "packages signed with this home's development key are accepted in paper mode",
        "the built-in plugins are installed, signed with that key",
        "its two keys have no passphrase: whoever reads the folder can sign in this home's name",
        "",
        "Next:",
    ]
    pp = called()
    lines += [
        f"  {pp} {words} --home {root}"
        for words in ("run --once", "doctor", "plugin list", "config check", "run")
    ]
    console.print("\n".join(lines), markup=False, soft_wrap=True)


@config.callback()
def _config() -> None:
    """The settings of a home."""  # a group of one: without a callback typer would drop the word `check`


@config.command()
def check(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Read pp.toml, the environment and the enabled plugins as `pp run` would; start nothing."""
    from pp_host.app.roster import check_plugins
    from pp_host.config import load
    from pp_host.home import Home

    opened = Home.open(home)
    read = load(opened.config_file, os.environ)
    check_plugins(opened, read)
    document: dict[str, Any] = {
        "ok": True,
        "file": str(opened.config_file),
        "mode": read.host.mode,
        "enabled": read.enabled(),
        "sets": {name: chosen.plugins for name, chosen in read.sets.items()},
    }
    enabled = f"{len(read.enabled())} of {len(read.plugins)} plugins enabled"
    line = f"ok: {opened.config_file}: {enabled}, mode {read.host.mode}"
    show(
        document,
        lambda console: console.print(printable(line), markup=False, soft_wrap=True),
        as_json=as_json,
    )
