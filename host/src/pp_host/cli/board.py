"""The state of a host as tables: once for `pp status`, again and again for `pp status --watch`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pp_host.cli.output import cents, folding, percent, printable
from pp_host.cli.tables import orders_table, positions_table
from pp_host.model import PPM

Facts = Mapping[str, Any]
TRADING = {"active": "green", "reducing": "yellow", "halted": "bold red"}
COUNTS = ("plugin", "state", "calls", "failures", "dropped", "level", "pid")


def board(look: Facts) -> Group:
    """What a look (app.status.watched, or only its `status`) shows."""
    facts = look["status"]
    parts = (
        _running(facts, look.get("began"))
        if facts["running"]
        else _ended(facts, hangs=bool(look.get("trouble")))
    )
    shown = (*_trouble(look.get("trouble", "")), *parts, *_orders(look.get("orders", ())))
    return Group(*(each for part in shown for each in (part, "")))


def _trouble(trouble: str) -> Iterator[RenderableType]:
    if trouble:
        yield Text(printable(trouble), style="bold red")


def _running(facts: Facts, began: Facts | None) -> Iterator[RenderableType]:
    table = _grid("Host")
    table.add_row("trading", Text(facts["trading"], style=TRADING.get(facts["trading"], "")))
    if facts["latched"] is not None:
        table.add_row("latched", printable(facts["latched"]))
    mode = _mode(facts["mode"], bool(facts["tape"]))
    table.add_row("run", f"{printable(facts['run'])}, {mode}, {facts['cycles']:,} cycles")
    table.add_row("process", f"pid {facts['pid']}")
    table.add_row("record", f"{facts['record']['size']:,} entries, root {facts['record']['root'][:16]}")
    table.add_row("home", printable(facts["home"]))
    yield Columns([table, _money(facts, began)], padding=(0, 2))
    yield _open(verdicts_table(facts))
    yield _open(_plugins(facts["plugins"]))


def _ended(facts: Facts, *, hangs: bool) -> Iterator[RenderableType]:
    yield Text("what the record says:" if hangs else "no host is running; what the record says:")
    table, last = _grid("Last run, and what changed in it"), facts["last_run"]
    if facts["latched"] is not None:
        table.add_row("latched", Text(printable(facts["latched"]), style=TRADING["halted"]))
    if last is not None:
        table.add_row("run", f"{printable(last['run'])}, {_mode(last['mode'], last['account'] != 'paper')}")
        table.add_row("account", printable(last["account"]))
        table.add_row("began", last["started"])
        table.add_row("ended", last["ended"] or "it did not end in good order, or just begins")
        for name in ("equity", "cash", "exposure"):
            table.add_row(name, _amount(last[name], last[f"{name}_start"]))
    table.add_row("orders, fills", f"{facts['orders']:,}, {facts['fills']:,} in all runs of this account")
    table.add_row("home", printable(facts["home"]))
    yield table
    if facts["positions"]:
        yield _open(positions_table(facts["positions"]))


def _mode(mode: str, taped: bool) -> str:
    return f"{printable(mode)}, on a tape" if taped else printable(mode)


def _grid(title: str) -> Table:
    table = Table(title=title, title_justify="left", show_header=False, show_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    return table


def _open(table: Table) -> Table:
    """Without a frame, which takes lines and columns that a screen of tables has no room for."""
    table.show_edge = False
    return table


def _plugins(plugins: list[Facts]) -> Table:
    table = folding(*COUNTS, title="Plugins", right=("calls", "failures", "dropped", "pid"))
    for plugin in plugins:
        state = plugin["state"] if not plugin["ended"] else f"{plugin['state']}: {plugin['ended']}"
        table.add_row(
            printable(plugin["id"]),
            printable(state)[:200],
            f"{plugin['calls']:,}",
            f"{plugin['failures']:,}",
            f"{plugin.get('dropped', 0):,}",
            plugin["level"],
            str(plugin["pid"]),
        )
    return table


def _money(facts: Facts, began: Facts | None) -> Table:
    start = began or {}
    exposure, equity = facts["positions_cost"] + facts["reserved"], facts["equity_end"]
    table = _grid("Money" if began is None else "Money, and its change in this run")
    table.add_row("equity", _amount(equity, start.get("equity")))
    table.add_row("cash", _amount(facts["cash"], start.get("cash")))
    table.add_row("exposure", _amount(exposure, start.get("exposure")))
    if equity > 0:
        table.add_row("exposure of equity", percent(exposure * PPM // equity))
    table.add_row("realised before fees", f"$ {cents(facts['realised'])}")
    table.add_row("fees", f"$ {cents(facts['fees'])}")
    table.add_row("orders, fills", f"{facts['orders']:,}, {facts['fills']:,}")
    table.add_row("settled, unsettled", f"{facts['settled']:,}, {facts['unsettled']:,}")
    return table


def _amount(now: int, start: int | None) -> str:
    if start is None:
        return f"$ {cents(now)}"
    sign = "+" if now >= start else ""
    return f"$ {cents(now)} ({sign}{cents(now - start)})"


def verdicts_table(facts: Facts) -> Table:
    """Decisions, and their verdicts by reason."""
    table = folding("verdict", "count", "reasons", title="Decisions and verdicts", right=("count",))
    table.add_row("decisions", f"{facts['decisions']:,}", "")
    for name, count in facts["verdicts"].items():
        reasons = ", ".join(f"{reason} {n:,}" for reason, n in facts["reasons"].get(name, {}).items())
        table.add_row(name, f"{count:,}", reasons)
    return table


def _orders(orders: list[dict[str, Any]]) -> Iterator[RenderableType]:
    if orders:
        yield _open(orders_table(orders, "Last orders of the run"))
