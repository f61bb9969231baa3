"""Positions, orders, fills and decisions as tables for people.

Laws: ids of orders are cut to what `pp audit why` takes; everything else of strangers is escaped and bounded, and so is
a table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pp_host.cli.output import brief, cents, folding, percent, price, printable, when

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

ORDER_ID = 12  # of 32 hex digits: enough to name an order among any that a record can hold
REASON = 60
DRAWN = 1_000  # rows of a table: it takes seconds to draw more, and nobody reads them; --json has all


def positions_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Rows of `pp positions`, or of `pp status`, which have no average and no share of the equity."""
    more = ("average $", "of equity") if all("average_price" in row for row in rows) else ()
    numbers = ("shares", "cost $", *more)
    table = folding("plugin", "market", "outcome", *numbers, title="Open positions", right=numbers)
    for row in rows:
        named = (printable(row["plugin"]), brief(row["market"], 100), row["outcome"])
        figures = [price(row["average_price"]), percent(row["equity_share_ppm"])] if more else []
        table.add_row(*named, cents(row["shares"]), cents(row["cost"]), *figures)
    return table


def _drawn(rows: Sequence[Any]) -> str:
    """How many of `rows` a table shows."""
    return str(len(rows)) if len(rows) <= DRAWN else f"{DRAWN} (--json shows {len(rows)})"


def draw_positions(console: Console, document: Mapping[str, Any]) -> None:
    if document["positions"]:
        console.print(positions_table(document["positions"][-DRAWN:]))
    totals, seen = document["totals"], document["observed"]
    account = printable(document["account"] or "no account yet")
    console.print(
        f"{account}: {totals['positions']} positions in {totals['markets']} markets,"
        f" cost $ {cents(totals['cost'])}, {percent(totals['equity_share_ppm'])} of equity"
    )
    if seen["at"] is not None:
        console.print(
            f"as observed {when(seen['at'])}: equity $ {cents(seen['equity'])}, cash $ {cents(seen['cash'])},"
            f" exposure $ {cents(seen['exposure'])}, unrealised $ {cents(seen['unrealised'])}"
        )


def orders_table(rows: Sequence[Mapping[str, Any]], title: str) -> Table:
    numbers = ("shares", "limit $", "filled")
    table = folding("at", "order", "plugin", "side", "market", *numbers, "state", title=title, right=numbers)
    for row in rows:
        table.add_row(
            when(row["at"]),
            row["order"][:ORDER_ID],
            printable(row["plugin"]),
            f"{row['side']} {row['outcome']}",
            brief(row["market"], 100),
            cents(row["shares"]),
            price(row["limit_price"]),
            cents(row["filled"]),
            row["state"],
        )
    return table


def draw_orders(console: Console, document: Mapping[str, Any]) -> None:
    if document["orders"]:
        console.print(orders_table(document["orders"][-DRAWN:], "Orders"))
    console.print(f"{_drawn(document['orders'])} of {document['matching']} orders")


def draw_fills(console: Console, document: Mapping[str, Any]) -> None:
    numbers = ("shares", "price $", "amount $", "fee $", "realised $")
    table = folding("at", "order", "plugin", "side", "market", *numbers, title="Fills", right=numbers)
    for row in document["fills"][-DRAWN:]:
        table.add_row(
            when(row["at"]),
            row["order"][:ORDER_ID],
            printable(row["plugin"]),
            f"{row['side']} {row['outcome']}",
            brief(row["market"], 100),
            cents(row["shares"]),
            price(row["price"]),
            cents(row["amount"]),
            price(row["fee"]),
            "" if row["realised"] is None else cents(row["realised"]),
        )
    if document["fills"]:
        console.print(table)
    totals = document["totals"]
    console.print(
        f"{_drawn(document['fills'])} of {totals['fills']} fills; all of them: bought $ {cents(totals['bought'])},"
        f" sold $ {cents(totals['sold'])}, fees $ {cents(totals['fees'])},"
        f" realised by sales $ {cents(totals['realised'])} before fees"
    )


def draw_decisions(console: Console, document: Mapping[str, Any]) -> None:
    columns = ("at", "plugin", "wish", "market", "probability", "verdict", "why", "order", "state")
    table = folding(*columns, title="Decisions", right=("probability",))
    for row in document["decisions"][-DRAWN:]:
        table.add_row(
            when(row["at"]),
            printable(row["plugin"]),
            brief(f"{row['side']} {row['outcome']}", 20),
            brief(row["market"], 100),
            percent(row["probability_ppm"]),
            row["verdict"] or "none yet",
            brief(": ".join(part for part in (row["reason"], row["detail"]) if part), REASON),
            row["order"][:ORDER_ID],
            row["state"] or "",
        )
    if document["decisions"]:
        console.print(table)
    summary = folding("verdict", "reason", "decisions", title="All that match", right=("decisions",))
    for row in document["summary"]:
        summary.add_row(row["verdict"] or "none yet", row["reason"], f"{row['decisions']:,}")
    if document["summary"]:
        console.print(summary)
    total = sum(row["decisions"] for row in document["summary"])
    console.print(f"{_drawn(document['decisions'])} of {total} decisions")
