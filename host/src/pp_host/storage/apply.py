"""What each event of the record does to the tables.

Laws: one function per event, in the record's order, each entry once. A position's cost leaves in proportion to the
shares sold, rounded down, as in the ledger that these tables are compared with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pp_host.storage.batch import Batch, Row
from pp_host.storage.tables import (
    DecisionRow,
    FillRow,
    LineRow,
    OrderRow,
    PluginRow,
    PositionRow,
    Progress,
    RunRow,
)


class Told(NamedTuple):
    """One record entry as these tables need it; `plugin` is the one that acted, or empty."""

    seq: int
    event: str
    run: str
    ts: str
    subject: Mapping[str, Any]
    plugin: str = ""
    cause: int | None = None


def _run_started(batch: Batch, told: Told) -> None:
    amounts = ("now", "equity", "cash", "exposure", "equity_start", "cash_start", "exposure_start")
    subject = told.subject
    row: Row = {"run": told.run, "seq": told.seq, "account": subject["account"], "mode": subject["mode"]}
    row |= {"started": told.ts, "ended": "", "observed": None}
    batch.put(RunRow, {**row, **dict.fromkeys(amounts, 0)})


def _run_ended(batch: Batch, told: Told) -> None:
    if (row := batch.get(RunRow, told.run)) is None:
        return
    row["ended"] = told.ts
    if row["observed"] is None:  # it ended before its first cycle, with what it had
        row["cash"], row["equity"] = told.subject.get("cash", 0), told.subject.get("equity_end", 0)


def _observed(batch: Batch, told: Told) -> None:
    if (row := batch.get(RunRow, told.run)) is None:
        return
    for name in ("equity", "cash", "exposure"):
        row[name] = told.subject.get(name, 0)
        if row["observed"] is None:
            row[f"{name}_start"] = row[name]
    row["now"], row["observed"] = told.subject.get("now", 0), told.seq


def _known(batch: Batch, plugin: str) -> None:
    if plugin:
        batch.put(PluginRow, {"id": plugin})


def _installed(batch: Batch, told: Told) -> None:
    _known(batch, str(told.subject.get("id", "")))


def _decided(batch: Batch, told: Told) -> None:
    subject = told.subject
    run = batch.get(RunRow, told.run)
    row = {name: subject[name] for name in ("plugin", "market", "outcome", "side")}
    row |= {"seq": told.seq, "run": told.run, "at": run["now"] if run else 0}
    row |= {"probability_ppm": subject.get("probability_ppm"), "rationale": subject.get("rationale", "")}
    row |= {"verdict": "", "reason": "", "detail": "", "order_id": "", "shares": 0, "limit_price": 0}
    batch.put(DecisionRow, row)
    _known(batch, row["plugin"])
    if (progress := batch.get(Progress, 0)) is not None:
        progress["last_decision"] = told.seq


def _judged(batch: Batch, told: Told) -> None:
    """A later verdict, which advice brought about, follows the decision it is on before the next one is written."""
    row = batch.get(DecisionRow, told.cause) if told.cause is not None else None
    if row is None and (progress := batch.get(Progress, 0)) is not None:
        row = batch.get(DecisionRow, progress["last_decision"])
    subject = told.subject
    if row is None or row["plugin"] != subject["plugin"]:
        return
    row |= {name: subject[name] for name in ("verdict", "reason", "detail", "shares", "limit_price")}
    row["order_id"] = subject["order"]


def _ordered(batch: Batch, told: Told) -> None:
    names = ("account", "plugin", "market", "outcome", "side", "shares", "limit_price")
    row = {name: told.subject[name] for name in names}
    row |= {"order_id": told.subject["order"], "seq": told.seq, "run": told.run, "filled": 0}
    batch.put(OrderRow, {**row, "state": "sent", "at": told.subject.get("at", 0)})
    _known(batch, row["plugin"])


def _order_state(state: str) -> Callable[[Batch, Told], None]:
    return lambda batch, told: _change_order(batch, told, state)


def _order_done(batch: Batch, told: Told) -> None:
    _change_order(batch, told, told.subject["status"])


def _change_order(batch: Batch, told: Told, state: str) -> None:
    if (row := batch.get(OrderRow, told.subject["order"])) is not None:
        row["state"] = state


def _filled(batch: Batch, told: Told) -> None:
    subject = told.subject
    if batch.get(FillRow, subject["trade"]) is not None:
        return
    names = ("trade", "account", "plugin", "market", "outcome", "side", "shares", "price", "amount", "fee")
    row = {name: subject[name] for name in names}
    row |= {"order_id": subject["order"], "seq": told.seq, "run": told.run, "at": subject.get("at", 0)}
    row["realised"] = _moved(batch, subject)
    batch.put(FillRow, row)
    if (order := batch.get(OrderRow, subject["order"])) is not None:
        order["filled"] += subject["shares"]


def _moved(batch: Batch, fill: Mapping[str, Any]) -> int | None:
    """Book the trade in its position; what a sale realised."""
    key = (fill["account"], fill["plugin"], fill["market"], fill["outcome"])
    names = ("account", "plugin", "market", "outcome")
    row = batch.get(PositionRow, *key) or {**dict(zip(names, key, strict=True)), "shares": 0, "cost": 0}
    realised = None
    if fill["side"] == "buy":
        row["shares"] += fill["shares"]
        row["cost"] += fill["amount"]
    else:
        cost = row["cost"] * fill["shares"] // row["shares"] if row["shares"] else 0
        realised = fill["amount"] - cost
        row["cost"] -= cost
        row["shares"] -= fill["shares"]
    if row["shares"]:
        batch.put(PositionRow, row)
    else:
        batch.drop(PositionRow, *key)
    return realised


def _settled(batch: Batch, told: Told) -> None:
    ended = {"account": told.subject["account"], "market": told.subject["market"]}
    for row in list(batch.where(PositionRow, **ended)):
        batch.drop(PositionRow, *(row[name] for name in ("account", "plugin", "market", "outcome")))


def _line(words: Callable[[Mapping[str, Any]], str]) -> Callable[[Batch, Told], None]:
    """Keeps the entry as a line about the plugin that acted."""

    def keep(batch: Batch, told: Told) -> None:
        level = str(told.subject.get("level", "")) if told.event == "plugin.log" else ""
        row = {"seq": told.seq, "plugin": told.plugin, "run": told.run, "ts": told.ts, "event": told.event}
        batch.put(LineRow, {**row, "level": level, "text": words(told.subject)})
        _known(batch, told.plugin)

    return keep


def _joined(*names: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda subject: ": ".join(str(subject[name]) for name in names if subject.get(name))


LINES: Mapping[str, Callable[[Batch, Told], None]] = {
    "plugin.start": _line(lambda subject: f"version {subject.get('version')}, pid {subject.get('pid')}"),
    "plugin.log": _line(_joined("message")),
    "plugin.failed": _line(_joined("hook", "why")),
    "plugin.exit": _line(_joined("outcome", "detail")),
    "plugin.quarantine": _line(_joined("outcome", "detail")),
    "capability.deny": _line(_joined("method", "code")),
}

APPLY: Mapping[str, Callable[[Batch, Told], None]] = {
    "run.start": _run_started,
    "run.end": _run_ended,
    "observation": _observed,
    "plugin.install": _installed,
    "decision": _decided,
    "verdict": _judged,
    "order.intent": _ordered,
    "order.ack": _order_state("acknowledged"),
    "order.done": _order_done,
    "order.in_doubt": _order_state("in_doubt"),
    "order.void": _order_state("void"),
    "order.fill": _filled,
    "settlement": _settled,
    **LINES,
}
