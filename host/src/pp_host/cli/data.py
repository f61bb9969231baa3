"""`pp data`: tapes of recorded markets looked at, found, and made from strangers' files."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pp_host.cli.output import HomeOption, JsonOption, console, existing, printable, show

if TYPE_CHECKING:
    from rich.console import Console

    from pp_host.backtest.intake import FileCount, Imported

app = typer.Typer(help="Recorded markets: what is on a tape, and new ones.", no_args_is_help=True)


@app.command("show")
def show_tape(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A tape, as for pp run --tape.")],
    market: Annotated[str, typer.Option(metavar="ID", help="Only this market.")] = "",
    _home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what is on a tape, and when nothing is."""
    from pp_host.backtest.coverage import cover
    from pp_host.cli.tapeview import columns_for, draw_tape

    columns = 1 if as_json else columns_for(console().width)
    covered = cover(folder, market, columns)
    show(covered.coverage, lambda drawn: draw_tape(drawn, covered), as_json=as_json)


@app.command("list")
def list_tapes(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(metavar="DIR", help="Where to look; default: the folder `tapes` of the home."),
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the tapes below some folders, broken ones too."""
    from pp_host.backtest.collection import holdings
    from pp_host.cli.tapeview import draw_holdings

    document = {"tapes": list(holdings(folders or _of_home(home)))}
    show(document, lambda drawn: draw_holdings(drawn, document["tapes"]), as_json=as_json)


@app.command("import")
def import_files(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="CSV or parquet files with prices or books.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The tape to make; must not exist.")],
    map_file: Annotated[
        Path, typer.Option("--map", metavar="MAP.toml", help="What is where in the files; docs/TAPES.md.")
    ],
    _home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a tape from other people's files, whole or not at all."""
    from pp_host.backtest.intake import import_tape
    from pp_host.cli.screen import reading

    with reading(quiet=as_json) as advance:
        imported = import_tape(files, map_file, out, advance)
    show(imported, lambda drawn: _draw_import(drawn, imported), as_json=as_json)


def _draw_import(drawn: Console, imported: Imported) -> None:
    from pp_host.cli.tapeview import moment

    for each in imported.files:
        kept = _kept(each)
        _say(drawn, f"read {each.file}: {each.rows} rows, {kept}")
    markets = (
        f"{imported.markets} markets, {imported.priced} priced, {imported.outcomes} of them with an outcome"
    )
    stated = f"{imported.books} books" if imported.books else f"{imported.points} prices"
    _say(drawn, f"tape made: {imported.out}: {stated} at {imported.steps} steps, {markets}")
    _say(drawn, f"from     {moment(imported.first)}")
    _say(drawn, f"to       {moment(imported.last)}")
    _say(drawn, f"digest   {imported.digest}")
    place = shlex.quote(imported.out)
    for line in ("", "Next:", f"  pp data show {place}", f"  pp run --tape {place}"):
        _say(drawn, line)


def _kept(each: FileCount) -> str:
    if each.books:
        lost = f"{each.dropped} empty levels dropped, {each.rounded} sizes rounded to a micro-share"
        return f"{each.books} books kept, {lost}"
    return f"{each.points} prices kept, {each.dropped} null dropped, {each.rounded} rounded to a micro-dollar"


def _say(drawn: Console, line: str) -> None:
    drawn.print(printable(line), soft_wrap=True)


def _of_home(home: Path | None) -> list[Path]:
    """The home's own tapes; a home that has no such folder has none."""
    from pp_host.home import Home, place

    existing(place(home), "pp data list DIR looks below DIR; without DIR it looks into the home")
    tapes = Home.open(home).root / "tapes"
    return [tapes] if tapes.is_dir() else []
