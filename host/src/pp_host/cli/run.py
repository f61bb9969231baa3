"""`pp run` and `pp demo`: start a session, show it while it runs, and what came of it."""

from __future__ import annotations

import shlex
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pp_host.cli.output import HomeOption, JsonOption, called, cents, folding, printable, show

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


MONEY = (
    ("equity at start", "equity_start"),
    ("equity at end", "equity_end"),
    ("cash", "cash"),
    ("reserved for open orders", "reserved"),
    ("positions at cost", "positions_cost"),
    ("unrealised", "unrealised"),
    ("fees", "fees"),
    ("realised before fees", "realised"),
)


class Mode(StrEnum):
    PAPER = "paper"
    DRY_RUN = "dry-run"
    LIVE = "live"


def run(
    home: HomeOption = None,
    mode: Annotated[
        Mode | None, typer.Option(help="paper fills orders on paper; dry-run judges and places nothing.")
    ] = None,
    plugin_set: Annotated[
        str,
        typer.Option("--set", metavar="NAME", help="A [sets.NAME] of pp.toml; default: all enabled plugins."),
    ] = "",
    cycles: Annotated[
        int | None,
        typer.Option(min=1, max=1_000_000_000, help="Stop after N cycles; default: run until stopped."),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="One cycle.")] = False,
    tape: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Play recorded markets under a virtual clock.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seeds the plugins' randomness.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Run the host with a set of plugins."""
    from pp_host.app.options import RunOptions
    from pp_host.app.session import run_session
    from pp_host.cli.screen import Screen
    from pp_host.home import Home

    if once and cycles is not None:
        raise typer.BadParameter("not together with --cycles", param_hint="--once")
    options = RunOptions(
        mode=mode.value if mode else None,
        plugin_set=plugin_set,
        cycles=1 if once else cycles,
        tape=tape,
        seed=seed,
    )
    with Screen(quiet=as_json) as screen:
        result = run_session(Home.open(home), options, screen)
    show(result, lambda console: draw_result(console, result), as_json=as_json)


def demo(
    home: HomeOption = None,
    cycles: Annotated[int, typer.Option(min=1, max=100_000, help="How many one-minute cycles to play.")] = 60,
    seed: Annotated[int, typer.Option(min=0, help="Seeds the sample markets and the plugins.")] = 7,
    as_json: JsonOption = False,
) -> None:
    """A paper session with real sandboxed plugins on sample markets: no keys, no account, no network."""
    from pp_host.app.demo import run_demo
    from pp_host.cli.screen import Screen

    with Screen(quiet=as_json) as screen:
        result = run_demo(home, cycles=cycles, seed=seed, view=screen)
    show(result, lambda console: draw_demo(console, result), as_json=as_json)


def draw_demo(console: Console, result: dict[str, Any]) -> None:
    draw_result(console, result)
    pp, home, order = called(), printable(shlex.quote(result["home"])), result.get("last_order")
    lines = ["positions", "decisions", "risk show", "report", "audit verify", "plugin list", "doctor"]
    console.print("\nNext:")
    for words in [f"audit why {order[:8]}", *lines] if order else lines:
        console.print(f"  {pp} {words} --home {home}", markup=False, soft_wrap=True)


def draw_result(console: Console, result: dict[str, Any]) -> None:
    """Plugins, verdicts, money and the record's state as tables."""
    from pp_host.cli.board import verdicts_table

    console.print(_plugins_table(result))
    console.print(verdicts_table(result))
    console.print(_money_table(result))
    record = result["record"]
    word = "record verified" if record["verified"] else "record (pp audit verify checks it)"
    console.print(f"{word}: {record['size']} entries, root {record['root'][:16]}", markup=False)
    console.print(
        f"actions {result['actions_digest'][:16]}  run {result['run']}  home {result['home']}",
        markup=False,
        soft_wrap=True,
    )


def _plugins_table(result: dict[str, Any]) -> Table:
    from pp_host.cli.tables import plugin_names, unbroken

    columns = ("plugin", "version", "digest", "level", "calls", "failed", "state")
    names = plugin_names(plugin["id"] for plugin in result["plugins"])
    table = folding(*columns, title="Plugins", firm=unbroken(names))
    for plugin in result["plugins"]:
        state = plugin["state"] if not plugin["ended"] else f"{plugin['state']}: {plugin['ended']}"
        facts = [plugin[name] for name in ("level", "calls", "failures")]
        table.add_row(
            names[plugin["id"]], plugin["version"], plugin["digest"][:8], *map(str, facts), printable(state)
        )
    return table


def _money_table(result: dict[str, Any]) -> Table:
    from rich.table import Table

    table = Table("", "", title="Money (paper)", title_justify="left", show_header=False)
    put = sum(result[name] for name in ("cash", "reserved", "positions_cost"))
    amounts = {**result, "unrealised": result["equity_end"] - put}
    for label, key in MONEY:
        table.add_row(label, f"$ {cents(amounts[key])}")
    table.add_row("orders, fills", f"{result['orders']}, {result['fills']}")
    if "steps" in result:
        table.add_row("markets, steps", f"{result['markets']}, {result['steps']}")
    table.add_row("settled, unsettled", f"{result['settled']}, {result['unsettled']}")
    return table
