"""What is asked of the tables: each question bounded in its rows, its totals over all that match.

Laws: reads only. Of many rows the newest are answered, the oldest of them first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, case
from sqlmodel import Session, SQLModel, col, func, select

from pp_host.storage.tables import (
    DecisionRow,
    FillRow,
    LineRow,
    OrderRow,
    PluginRow,
    PositionRow,
    RunRow,
)

OPEN_STATES = ("sent", "acknowledged", "in_doubt")
Told = dict[str, Any]
RowT = TypeVar("RowT", OrderRow, FillRow, DecisionRow, LineRow)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows: of this run and plugin, where named; at most `count`."""

    run: str = ""
    plugin: str = ""
    count: int = 20

    def where(self, model: type[OrderRow | FillRow | DecisionRow]) -> list[ColumnElement[bool]]:
        run = [col(model.run) == self.run] if self.run else []
        return run + ([col(model.plugin) == self.plugin] if self.plugin else [])


def last_run(session: Session, account: str = "") -> RunRow | None:
    """The newest run, of `account` where named."""
    query = select(RunRow).order_by(col(RunRow.seq).desc()).limit(1)
    return session.exec(query.where(col(RunRow.account) == account) if account else query).first()


def last_observed(session: Session, account: str) -> RunRow | None:
    """The newest run in which the account was observed."""
    query = select(RunRow).where(col(RunRow.account) == account, col(RunRow.observed).is_not(None))
    return session.exec(query.order_by(col(RunRow.observed).desc()).limit(1)).first()


def runs(session: Session, beginning: str, most: int) -> list[str]:
    """Ids of runs that begin so, the newest first."""
    query = select(RunRow.run).where(col(RunRow.run).startswith(beginning, autoescape=True))
    return list(session.exec(query.order_by(col(RunRow.seq).desc()).limit(most)))


def plugins(session: Session) -> list[str]:
    return list(session.exec(select(PluginRow.id)))


def accounts(session: Session) -> list[str]:
    return list(session.exec(select(RunRow.account).distinct()))


def summary(session: Session) -> Told:
    """The last run, and its account's open positions and how many orders and fills it has had in all runs."""
    last = last_run(session)
    account = last.account if last else ""
    return {
        "last_run": told(last) if last else None,
        "positions": positions(session, account),
        "orders": _count(session, OrderRow, [col(OrderRow.account) == account]),
        "fills": _count(session, FillRow, [col(FillRow.account) == account]),
    }


def positions(session: Session, account: str) -> list[Told]:
    query = select(PositionRow).where(PositionRow.account == account)
    order = (PositionRow.plugin, PositionRow.market, PositionRow.outcome)
    return [told(row) for row in session.exec(query.order_by(*order))]


def orders(session: Session, wanted: Wanted, *, only_open: bool) -> tuple[list[Told], int]:
    """The newest, and how many match."""
    where = wanted.where(OrderRow) + ([col(OrderRow.state).in_(OPEN_STATES)] if only_open else [])
    return _newest(session, OrderRow, where, wanted.count), _count(session, OrderRow, where)


def fills(session: Session, wanted: Wanted) -> tuple[list[Told], Told, Told]:
    """The newest, totals over all that match, and of how many accounts and runs these are."""
    where = wanted.where(FillRow)
    buys = case((col(FillRow.side) == "buy", col(FillRow.amount)), else_=0)
    sales = case((col(FillRow.side) == "sell", col(FillRow.amount)), else_=0)
    sums = [func.coalesce(func.sum(each), 0) for each in (buys, sales, FillRow.fee, FillRow.realised)]
    query = select(func.count(), *sums).select_from(FillRow).where(*where)
    found: Sequence[int] = session.execute(query).one()
    names = ("fills", "bought", "sold", "fees", "realised")
    totals = dict(zip(names, found, strict=True))
    return _newest(session, FillRow, where, wanted.count), totals, _over(session, FillRow, where)


def decisions(session: Session, wanted: Wanted, verdict: str) -> tuple[list[Told], list[Told], Told]:
    """The newest, each with the state of its order or None, how often each verdict and reason, and over what."""
    where = wanted.where(DecisionRow)
    chosen = where + ([col(DecisionRow.verdict) == verdict] if verdict else [])
    rows = _newest(session, DecisionRow, chosen, wanted.count)
    ids = [row["order_id"] for row in rows if row["order_id"]]
    states = _states(session, ids)
    group = (DecisionRow.verdict, DecisionRow.reason)
    counts = session.exec(select(*group, func.count()).where(*chosen).group_by(*group))
    summed = sorted(counts, key=lambda row: (row[0], -row[2], row[1]))
    named = [{"verdict": row[0], "reason": row[1], "decisions": row[2]} for row in summed]
    shown = [{**row, "state": states.get(row["order_id"])} for row in rows]
    return shown, named, _over(session, DecisionRow, chosen)


def lines(session: Session, plugin: str, count: int, *, after: int = -1) -> list[Told]:
    """The newest lines about a plugin, of entries behind `after`."""
    return _newest(session, LineRow, [col(LineRow.plugin) == plugin, col(LineRow.seq) > after], count)


def told(row: SQLModel) -> Told:
    """A row's columns, in the table's order."""
    return {name: getattr(row, name) for name in type(row).model_fields}


PART = 500  # SQLite takes a bounded number of values in one statement


def _states(session: Session, ids: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for start in range(0, len(ids), PART):
        wanted = col(OrderRow.order_id).in_(ids[start : start + PART])
        rows = session.exec(select(OrderRow.order_id, OrderRow.state).where(wanted))
        found |= {order: state for order, state in rows}  # noqa: C416  # a result with keys() is no list of pairs
    return found


def _newest(
    session: Session, model: type[RowT], where: Sequence[ColumnElement[bool]], count: int
) -> list[Told]:
    query = select(model).where(*where).order_by(col(model.seq).desc()).limit(count)
    return [told(row) for row in reversed(session.exec(query).all())]


def _over(session: Session, model: type[FillRow | DecisionRow], where: Sequence[ColumnElement[bool]]) -> Told:
    """Of how many accounts and runs the rows are: what different accounts made is not one sum of money."""
    runs = select(model.run).where(*where).distinct()
    counts = select(func.count(col(RunRow.account).distinct()), func.count()).select_from(RunRow)
    found: Sequence[int] = session.execute(counts.where(col(RunRow.run).in_(runs))).one()
    return dict(zip(("accounts", "runs"), found, strict=True))


def _count(session: Session, model: type[SQLModel], where: Sequence[ColumnElement[bool]]) -> int:
    return session.exec(select(func.count()).select_from(model).where(*where)).one()
