"""`pp data`: tapes of recorded markets looked at, found, and made from strangers' files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pp_host.cli.output import HomeOption, JsonOption, console, existing, show

app = typer.Typer(help="Recorded markets: what is on a tape, and new ones.", no_args_is_help=True)


@app.command("show")
def show_tape(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A tape, as for pp run --tape.")],
    market: Annotated[str, typer.Option(metavar="ID", help="Only this market.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Tell what a tape holds: markets, times, gaps, and when each market was priced."""
    from pp_host.backtest.coverage import cover
    from pp_host.cli.tapeview import columns_for, draw_tape

    columns = 1 if as_json else columns_for(console().width)
    covered = cover(folder, market, columns)
    show(covered.coverage, lambda drawn: draw_tape(drawn, covered), as_json=as_json)


@app.command("list")
def list_tapes(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[DIR...]", help="Where to look; default: the folder `tapes` of the home."),
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the tapes at and below some folders; one that cannot be played is told with what is wrong."""
    from pp_host.backtest.library import holdings
    from pp_host.cli.tapeview import draw_holdings

    document = {"tapes": list(holdings(folders or _of_home(home)))}
    show(document, lambda drawn: draw_holdings(drawn, document["tapes"]), as_json=as_json)


def _of_home(home: Path | None) -> list[Path]:
    """The home's own tapes; a home that has no such folder has none."""
    from pp_host.home import Home, place

    existing(place(home), "pp data list DIR looks below DIR; without DIR it looks into the home")
    tapes = Home.open(home).root / "tapes"
    return [tapes] if tapes.is_dir() else []
