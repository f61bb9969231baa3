"""`pp doctor`: every wall with its proof and remedy, and what else a session needs."""

from __future__ import annotations

import shutil
import sqlite3
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from pp_host.cli.output import HomeOption, JsonOption, folding, printable, show
from pp_host.errors import HostError, OperatorError, Refused

if TYPE_CHECKING:
    from rich.console import Console

    from pp_host.home import Home

DISK_LOW_BYTES = 1 << 30
FAULTS = {"trading": "halted", "disk": "low"}  # everything else that is not ok is missing


def doctor(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Which walls stand on this machine, and what to do about those that do not; status 3 where one is missing."""
    from pp_host.sandbox.probe import probe

    level, walls = probe()
    document: dict[str, Any] = {
        "level": level,
        "walls": [{"name": w.name, "ok": w.ok, "proof": w.proof, "remedy": w.remedy} for w in walls],
        "checks": [*_machine(), _cgroups(), *_home(home)],
    }
    show(document, lambda console: _draw(console, document), as_json=as_json)
    if not all(wall.ok for wall in walls):
        raise typer.Exit(Refused.exit_status)


def _machine() -> list[dict[str, Any]]:
    version = ".".join(map(str, sys.version_info[:3]))
    return [
        _check("python", sys.version_info >= (3, 11), version, "Python 3.11 or newer"),
        _check(
            "sqlite", sqlite3.sqlite_version_info >= (3, 37), sqlite3.sqlite_version, "SQLite 3.37 or newer"
        ),
    ]


def _cgroups() -> dict[str, Any]:
    """No wall: without them each process is bounded by other means, but for what no rlimit counts."""
    from pp_host.sandbox.cgroups import Cgroups

    found = Cgroups.found() if sys.platform == "linux" else None
    kind = f"delegated, v{2 if found.unified else 1}" if found else "not delegated to this process"
    return _check(
        "cgroups", found is not None, kind, "a unit with Delegate=yes, as deploy/probablyprofit.service"
    )


def _home(path: Path | None) -> list[dict[str, Any]]:
    import os

    from pp_host.config import load
    from pp_host.home import Home

    try:
        home = Home.open(path)
        load(home.config_file, os.environ)
    except OperatorError as error:
        return [_check("home", False, str(error), error.hint)]
    free = shutil.disk_usage(home.root).free
    return [
        _check("home", True, str(home.root), ""),
        _check(
            "disk",
            free >= DISK_LOW_BYTES,
            f"{free >> 20} MB free",
            "free some disk: a record that cannot be written stops trading",
        ),
        _trading(home),
    ]


def _trading(home: Home) -> dict[str, Any]:
    from pp_host.app.operator import halt_reason

    try:
        reason = halt_reason(home)
    except HostError as error:
        return _check("trading", False, str(error), error.hint)
    return _check("trading", reason is None, reason or "allowed", "pp resume --reason ...")


def _check(name: str, ok: bool, proof: str, remedy: str) -> dict[str, Any]:
    return {"name": name, "ok": ok, "proof": proof, "remedy": "" if ok else remedy}


def _draw(console: Console, document: dict[str, Any]) -> None:
    from rich.text import Text

    console.print(f"level {document['level']}")
    for title, rows in (("Walls", document["walls"]), ("Checks", document["checks"])):
        table = folding(title.lower().removesuffix("s"), "state", "proof", "remedy", title=title)
        for row in rows:
            mark = (
                Text("ok", style="green")
                if row["ok"]
                else Text(FAULTS.get(row["name"], "missing"), style="red")
            )
            table.add_row(row["name"], mark, printable(row["proof"]), printable(row["remedy"]))
        console.print(table)
    fallen = ", ".join(wall["name"] for wall in document["walls"] if not wall["ok"])
    console.print(f"walls that do not stand: {fallen}" if fallen else "all walls stand")
