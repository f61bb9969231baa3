"""`pp risk`: the limits of this home, where each comes from, and how much of it is used."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pp_host.cli.consulting import consulted
from pp_host.cli.output import (
    HomeOption,
    JsonOption,
    cents,
    folding,
    opened,
    percent,
    price,
    printable,
    show,
    when,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

app = typer.Typer(help="Every limit, where it comes from, how much of it is used.", no_args_is_help=True)

PRICES = frozenset({"risk.max_spread", "risk.min_price", "risk.max_price"})


@app.callback()
def _risk() -> None:
    """Every limit, where it comes from, how much of it is used."""


@app.command("show")
def show_limits(
    home: HomeOption = None,
    account: Annotated[
        str, typer.Option("--account", metavar="A", help="Whose use of the limits; default: the last run's.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Show every limit of pp.toml and of each plugin's budget, its source, and how much of it is used."""
    from pp_host.app import risk, views
    from pp_host.record.reader import RecordReader

    place = opened(home)
    with consulted(place, quiet=as_json) as model:
        name, run = views.account_named(model, account)
    with RecordReader.open(place.state) as reader:
        books = risk.account(reader, name or risk.PAPER, run.observed if run else None)
    document = risk.limits(place, os.environ, books)
    show(document, lambda console: draw_limits(console, document), as_json=as_json)


def draw_limits(console: Console, document: Mapping[str, Any]) -> None:
    table = folding(
        "limit", "value", "used", "left", "source", title="Limits", right=("value", "used", "left")
    )
    for row in document["limits"]:
        table.add_row(row["key"], *_figures(row), _source(row))
    console.print(table)
    for plugin in document["plugins"]:
        console.print(_budget(plugin))
        for line in _remarks(plugin):
            console.print(f"  {line}")
    seen = document["observed_at"]
    told = f"as observed {when(seen)}" if seen is not None else "never observed"
    console.print(f"used by account {printable(document['account'])}, {told}")
    if document["latched"] is not None:
        console.print(f"HALTED: {printable(document['latched'])}")


def _budget(plugin: Mapping[str, Any]) -> Table:
    numbers = ("granted", "in pp.toml", "used")
    title = f"Budget of {printable(plugin['id'])}"
    columns = ("limit", "granted", "in pp.toml", "binds", "used", "source")
    table = folding(*columns, title=title, right=numbers, firm=("limit", "source"))
    for row in plugin["budget"]:
        granted = "no bound" if row["granted"] is None else _shown(row["key"], row["granted"], row["unit"])
        configured = _shown(row["key"], row["configured"], row["unit"])
        table.add_row(row["key"], granted, configured, row["binds"], _figures(row)[1], _source(row))
    return table


def _remarks(plugin: Mapping[str, Any]) -> Iterable[str]:
    if not plugin["installed"]:
        yield "not installed"
    elif not plugin["may_decide"]:
        yield "its grant has no decision.propose: it may not trade"
    if not plugin["enabled"]:
        yield "not enabled in pp.toml"
    if plugin["markets"] is not None:
        yield f"only in {len(plugin['markets'])} named markets"


def _figures(row: Mapping[str, Any]) -> tuple[str, str, str]:
    """Value, used and left, as people write them."""
    key, value, unit, use = (row[name] for name in ("key", "value", "unit", "used"))
    if use is None:
        return _shown(key, value, unit), "", ""
    return _shown(key, value, unit), _shown(key, use, unit), _shown(key, max(0, value - use), unit)


def _shown(key: str, value: int | str, unit: str) -> str:
    match value, unit:
        case int(), "micro_usd":
            return f"$ {cents(value)}"
        case int(), "ppm":
            return f"$ {price(value)}" if key in PRICES else percent(value)
        case int(), "microseconds":
            return f"{value // 1_000_000}.{value % 1_000_000 // 1000:03d} s"
    return printable(str(value))


def _source(row: Mapping[str, Any]) -> str:
    return f"{row['source']}:{row['line']}" if row["line"] else str(row["source"])
