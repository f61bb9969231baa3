"""What the record says of runs, positions, orders, fills, decisions and plugins, as documents; docs/CLI.md.

Laws: answered from the read models (`catching_up`), the same beside a running host. Money in micro-units. What the
record does not hold (a market's question, a price nobody traded at) is not here either.
"""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from sqlmodel import Session

from pp_host.config.schema import meant
from pp_host.errors import OperatorError
from pp_host.model import MICRO, PPM
from pp_host.storage import questions, rundown
from pp_host.storage.questions import Wanted
from pp_host.storage.read_model import ReadModel
from pp_host.storage.tables import RunRow

LATEST = "latest"
Document = dict[str, Any]


def runs(model: ReadModel, count: int) -> Document:
    """The newest runs, and how many there are."""
    with model.session() as session:
        rows, matching = rundown.runs(session, count)
    return {"runs": rows, "matching": matching}


def account_named(model: ReadModel, account: str = "") -> tuple[str | None, RunRow | None]:
    """An account, the last run's when none is named, and the run in which it was observed last."""
    with model.session() as session:
        run = questions.last_run(session, _account(session, account))
        return (run.account, questions.last_observed(session, run.account)) if run else (None, None)


def positions(model: ReadModel, account: str = "") -> Document:
    """Open positions of one account; the last run's when none is named."""
    name, run = account_named(model, account)
    with model.session() as session:
        held = questions.positions(session, name) if name else []
    equity = run.equity if run else 0
    rows = [_position(lot, equity) for lot in held]
    return {
        "account": name,
        "observed": _observed(run),
        "positions": rows,
        "totals": _position_totals(rows, equity),
    }


def _observed(run: RunRow | None) -> Document:
    """The account at its last observation; each None before that."""
    if run is None:
        return dict.fromkeys(("at", "equity", "cash", "exposure", "unrealised"))
    return {
        "at": run.now,
        "equity": run.equity,
        "cash": run.cash,
        "exposure": run.exposure,
        "unrealised": run.equity - run.cash - run.exposure,
    }


def _position(lot: Document, equity: int) -> Document:
    return {
        "plugin": lot["plugin"],
        "market": lot["market"],
        "outcome": lot["outcome"],
        "shares": lot["shares"],
        "cost": lot["cost"],
        "average_price": lot["cost"] * MICRO // lot["shares"],
        "equity_share_ppm": _ppm(lot["cost"], equity),
    }


def _position_totals(rows: list[Document], equity: int) -> Document:
    cost = sum(row["cost"] for row in rows)
    return {
        "positions": len(rows),
        "markets": len({row["market"] for row in rows}),
        "cost": cost,
        "equity_share_ppm": _ppm(cost, equity),
    }


def _ppm(part: int, whole: int) -> int | None:
    return part * PPM // whole if whole > 0 else None


def orders(model: ReadModel, wanted: Wanted, *, only_open: bool) -> Document:
    with model.session() as session:
        rows, matching = questions.orders(session, _resolved(session, wanted), only_open=only_open)
    return {"orders": [_order(row) for row in rows], "matching": matching}


def _order(row: Document) -> Document:
    return {"order": row.pop("order_id"), **row}


def fills(model: ReadModel, wanted: Wanted) -> Document:
    with model.session() as session:
        rows, totals, over = questions.fills(session, _resolved(session, wanted))
    return {"fills": [_order(row) for row in rows], "totals": totals, "over": over}


def last_orders(model: ReadModel, run: str, count: int) -> list[Document]:
    """A run's newest orders; none of a run that the tables do not know yet."""
    with model.session() as session:
        rows, _ = questions.orders(session, Wanted(run=run, count=count), only_open=False)
    return [_order(row) for row in rows]


def beginning(model: ReadModel, run: str) -> Document | None:
    """What a run's account came to when it was first observed; None before that."""
    with model.session() as session:
        row = session.get(RunRow, run)
    if row is None or row.observed is None:
        return None
    return {"equity": row.equity_start, "cash": row.cash_start, "exposure": row.exposure_start}


def decisions(model: ReadModel, wanted: Wanted, verdict: str) -> Document:
    with model.session() as session:
        rows, summary, over = questions.decisions(session, _resolved(session, wanted), verdict)
    return {"decisions": [_order(row) for row in rows], "summary": summary, "over": over}


def lines(model: ReadModel, plugin: str, count: int, *, after: int = -1) -> list[Document]:
    """What `plugin` wrote and how it fared, of entries behind `after`."""
    with model.session() as session:
        return questions.lines(session, _plugin(session, plugin), count, after=after)


def _resolved(session: Session, wanted: Wanted) -> Wanted:
    return replace(wanted, run=run_named(session, wanted.run), plugin=_plugin(session, wanted.plugin))


def run_named(session: Session, named: str) -> str:
    """The run whose id begins so; OperatorError when none or several do."""
    if not named:
        return ""
    beginning = "" if named == LATEST else named
    found = questions.runs(session, beginning, most=2)
    if not found:
        last = questions.last_run(session)
        hint = f"pp runs lists them; the last one is {last.run}, or {LATEST}" if last else "pp run starts one"
        raise OperatorError(f"the record has no run {named!r}", hint=hint)
    if len(found) > 1 and named not in (LATEST, *found):
        raise OperatorError(f"several runs begin with {named!r}", hint=f"give more of it, such as {found[0]}")
    return named if named in found else found[0]


def _plugin(session: Session, named: str) -> str:
    """OperatorError for an id that the record does not know."""
    if not named:
        return ""
    known = questions.plugins(session)
    if named in known:
        return named
    ends = {plugin.rpartition(".")[2]: plugin for plugin in known}
    near = get_close_matches(named.rpartition(".")[2], ends, n=1)
    hint = f"did you mean {ends[near[0]]}?" if near else meant(named, known) or "pp plugin list shows them"
    raise OperatorError(f"the record knows no plugin {named!r}", hint=hint)


def _account(session: Session, named: str) -> str:
    """OperatorError for an account in which nothing ran."""
    known = questions.accounts(session)
    if named and named not in known:
        hint = meant(named, known) or "paper, or tape-RUN of a run on a tape"
        raise OperatorError(f"the record knows no account {named!r}", hint=hint)
    return named
