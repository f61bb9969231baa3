"""`pp runs`, `positions`, `orders`, `fills` and `decisions`: what the record says, as tables or one document.

Laws: the newest rows stand last, next to the prompt, as `pp audit tail` has it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from pp_host.cli import tables
from pp_host.cli.consulting import consulted
from pp_host.cli.output import CountOption, HomeOption, JsonOption, PluginOption, RunOption, opened, show


class Verdict(StrEnum):
    APPROVED = "approved"
    REDUCED = "reduced"
    DENIED = "denied"


def runs(home: HomeOption = None, count: CountOption = 20, as_json: JsonOption = False) -> None:
    """The newest runs: when, on what account, and what became of it."""
    from pp_host.app import views

    with consulted(opened(home), quiet=as_json) as model:
        document = views.runs(model, count)
    show(document, lambda console: tables.draw_runs(console, document), as_json=as_json)


def positions(
    home: HomeOption = None,
    account: Annotated[
        str, typer.Option("--account", metavar="A", help="Which account; default: the last run's.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Open positions by plugin, market and outcome, and what share of the account they are."""
    from pp_host.app import views

    with consulted(opened(home), quiet=as_json) as model:
        document = views.positions(model, account)
    show(document, lambda console: tables.draw_positions(console, document), as_json=as_json)


def orders(
    home: HomeOption = None,
    run: RunOption = "",
    plugin: PluginOption = "",
    only_open: Annotated[
        bool, typer.Option("--open", help="Only orders without an end: sent, acknowledged, in doubt.")
    ] = False,
    count: CountOption = 20,
    as_json: JsonOption = False,
) -> None:
    """The newest orders and what became of them."""
    from pp_host.app import views
    from pp_host.storage.questions import Wanted

    with consulted(opened(home), quiet=as_json) as model:
        document = views.orders(model, Wanted(run, plugin, count), only_open=only_open)
    show(document, lambda console: tables.draw_orders(console, document), as_json=as_json)


def fills(
    home: HomeOption = None,
    run: RunOption = "",
    plugin: PluginOption = "",
    count: CountOption = 20,
    as_json: JsonOption = False,
) -> None:
    """The newest trades, and totals over all that match."""
    from pp_host.app import views
    from pp_host.storage.questions import Wanted

    with consulted(opened(home), quiet=as_json) as model:
        document = views.fills(model, Wanted(run, plugin, count))
    show(document, lambda console: tables.draw_fills(console, document), as_json=as_json)


def decisions(
    home: HomeOption = None,
    run: RunOption = "",
    plugin: PluginOption = "",
    verdict: Annotated[Verdict | None, typer.Option(help="Only decisions that were judged so.")] = None,
    count: CountOption = 20,
    as_json: JsonOption = False,
) -> None:
    """The newest decisions with their verdicts, and how often each verdict and reason came."""
    from pp_host.app import views
    from pp_host.storage.questions import Wanted

    with consulted(opened(home), quiet=as_json) as model:
        document = views.decisions(model, Wanted(run, plugin, count), verdict.value if verdict else "")
    show(document, lambda console: tables.draw_decisions(console, document), as_json=as_json)
