"""Positions, orders, fills and decisions as tables for people.

Laws: made for 80 columns. Ids of orders are cut to what `pp audit why` takes, those of plugins to their last part where
it names one plugin only, long ones of markets in the middle; --json has them whole. What strangers wrote is escaped and
bounded, and so is a table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pp_host.cli.output import brief, cents, elided, folding, moment, percent, price, printable, when

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

Rows = Sequence[Mapping[str, Any]]
ORDER_ID = 12  # of 32 hex digits: enough to name an order among any that a record can hold
REASON = 70
NAME = 20  # a quarter of a line
UNJUDGED = "none yet"
FIRM = frozenset({"order"})
DRAWN = 1_000  # rows of a table: it takes seconds to draw more, and nobody reads them; --json has all


def positions_table(rows: Rows) -> Table:
    """Rows of `pp positions`, or of `pp status`, which have no average and no share of the equity."""
    more = ("avg $", "equity") if all("average_price" in row for row in rows) else ()
    numbers, names = ("shares", "cost $", *more), plugin_names(row["plugin"] for row in rows)
    columns = ("plugin", "market", "outcome", *numbers)
    table = folding(*columns, title="Open positions", right=numbers, firm=unbroken(names))
    for row in rows:
        named = (names[row["plugin"]], elided(row["market"]), row["outcome"])
        figures = [price(row["average_price"]), percent(row["equity_share_ppm"])] if more else []
        table.add_row(*named, cents(row["shares"]), cents(row["cost"]), *figures)
    return table


def _drawn(rows: Sequence[Any]) -> str:
    """How many of `rows` a table shows."""
    return str(len(rows)) if len(rows) <= DRAWN else f"{DRAWN} (--json shows {len(rows)})"


def draw_positions(console: Console, document: Mapping[str, Any]) -> None:
    if document["positions"]:
        console.print(positions_table(document["positions"][:DRAWN]))
        if len(document["positions"]) > DRAWN:
            console.print(f"the first {_drawn(document['positions'])} by plugin")
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


def draw_runs(console: Console, document: Mapping[str, Any]) -> None:
    numbers = ("equity $", "change $", "orders", "fills")
    table = folding(
        "run", "mode", "market time", "ended", *numbers, title="Runs", right=numbers, firm={"run"}
    )
    for row in document["runs"][-DRAWN:]:
        table.add_row(
            printable(row["run"]),
            "tape" if row["account"] != "paper" else printable(row["mode"]),
            when(row["now"]) if row["observed"] is not None else "",
            moment(row["ended"]) or "not yet, or not in good order",
            cents(row["equity"]),
            cents(row["equity"] - row["equity_start"]),
            *(f"{row[name]:,}" for name in ("orders", "fills")),
        )
    if document["runs"]:
        console.print(table)
    console.print(f"{_drawn(document['runs'])} of {document['matching']} runs")


def orders_table(rows: Rows, title: str) -> Table:
    table = folding(
        "at",
        "order",
        "plugin",
        "market",
        "what",
        "filled",
        "state",
        title=title,
        right=("filled",),
        firm=FIRM,
    )
    names = plugin_names(row["plugin"] for row in rows)
    for row in rows:
        table.add_row(
            *(_moment(row), row["order"][:ORDER_ID], names[row["plugin"]], elided(row["market"])),
            _what(row, row["limit_price"]),
            cents(row["filled"]),
            row["state"],
        )
    return table


def plugin_names(plugins: Iterable[str]) -> dict[str, str]:
    """How each plugin is called: by the last part of its id where no other of them ends so."""
    ids = set(plugins)
    ends = [plugin.rpartition(".")[2] for plugin in ids]
    return {
        plugin: printable(end if ends.count(end) == 1 else plugin)
        for plugin in ids
        for end in [plugin.rpartition(".")[2]]
    }


def unbroken(names: Mapping[str, str]) -> frozenset[str]:
    """The column of plugins, as long as their names leave the others room."""
    return frozenset({"plugin"} if all(len(name) <= NAME for name in names.values()) else ())


def _moment(row: Mapping[str, Any]) -> str:
    """Month, day and time: what a table of the newest rows needs."""
    return when(row["at"])[len("2026-") :]


def _what(row: Mapping[str, Any], at: int) -> str:
    return f"{row['side']} {row['outcome']} {cents(row['shares'])} @ {price(at)}"


def draw_orders(console: Console, document: Mapping[str, Any]) -> None:
    if document["orders"]:
        console.print(orders_table(document["orders"][-DRAWN:], "Orders"))
    console.print(f"{_drawn(document['orders'])} of {document['matching']} orders")


def draw_fills(console: Console, document: Mapping[str, Any]) -> None:
    rows, totals = document["fills"], document["totals"]
    numbers = ("amount $", "fee $", "realised $")
    table = folding(
        "at", "order", "plugin", "market", "what", *numbers, title="Fills", right=numbers, firm=FIRM
    )
    names = plugin_names(row["plugin"] for row in rows)
    for row in rows[-DRAWN:]:
        table.add_row(
            *(_moment(row), row["order"][:ORDER_ID], names[row["plugin"]], elided(row["market"])),
            _what(row, row["price"]),
            cents(row["amount"]),
            price(row["fee"]),
            "" if row["realised"] is None else cents(row["realised"]),
        )
    if rows:
        console.print(table)
    console.print(
        f"{_drawn(rows)} of {totals['fills']} fills; all of them: bought $ {cents(totals['bought'])},"
        f" sold $ {cents(totals['sold'])}, fees $ {cents(totals['fees'])},"
        f" realised by sales $ {cents(totals['realised'])} before fees{_over(document['over'])}"
    )


def _over(over: Mapping[str, int]) -> str:
    """Behind totals: that they are over several runs, whose money is not the same where their accounts differ."""
    if over["runs"] < 2:
        return ""
    accounts = "one account" if over["accounts"] == 1 else f"{over['accounts']} accounts, tapes included"
    return f"; over {over['runs']} runs of {accounts}: --run ID for one"


def draw_decisions(console: Console, document: Mapping[str, Any]) -> None:
    rows, summary = document["decisions"], document["summary"]
    if rows:
        console.print(_decisions_table(rows[-DRAWN:]))
    counts = folding("verdict", "reason", "decisions", title="All that match", right=("decisions",))
    for row in summary:
        counts.add_row(row["verdict"] or UNJUDGED, row["reason"], f"{row['decisions']:,}")
    if summary:
        console.print(counts)
    count = sum(row["decisions"] for row in summary)
    console.print(f"{_drawn(rows)} of {count} decisions{_over(document['over'])}")


def _decisions_table(rows: Rows) -> Table:
    columns = ("at", "plugin", "market", "wish", "chance", "verdict", "order", "state")
    table = folding(*columns, title="Decisions", right=("chance",), firm=FIRM)
    names = plugin_names(row["plugin"] for row in rows)
    for row in rows:
        why = ": ".join(part for part in (row["verdict"] or UNJUDGED, row["reason"], row["detail"]) if part)
        table.add_row(
            *(_moment(row), names[row["plugin"]], elided(row["market"])),
            brief(f"{row['side']} {row['outcome']}", 20),
            percent(row["probability_ppm"]),
            brief(why, REASON),
            row["order"][:ORDER_ID],
            row["state"] or "",
        )
    return table
