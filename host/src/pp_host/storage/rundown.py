"""What is asked of the tables about one run as a whole, and about all runs.

Laws: reads only; every answer is bounded, or one row for each thing that is counted.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlmodel import Session, col, func, select

from pp_host.storage.questions import Wanted, fills, told
from pp_host.storage.tables import DecisionRow, FillRow, OrderRow, Progress, RunRow

Told = dict[str, Any]
REASON = ("seq", "at", "plugin", "verdict", "reason", "market", "detail", "rationale")
TRADE = ("seq", "at", "plugin", "market", "outcome", "side", "shares", "price", "amount", "fee", "realised")


class Rundown(NamedTuple):
    """One run, of the record's entries before `stop`; the entry `before` began the run before it, 0 without one."""

    run: RunRow
    before: int
    stop: int
    counts: Told
    reasons: list[Told]
    trades: list[Told]


def of_run(session: Session, run: str, trades: int) -> Rundown:
    """A run that the tables know; at most `trades` of its trades, the newest, oldest of them first."""
    row = session.get_one(RunRow, run)
    newest, *_ = fills(session, Wanted(run=run, count=trades))
    return Rundown(
        run=row,
        before=_before(session, row.seq),
        stop=session.get_one(Progress, 0).next_seq,
        counts=_counts(session, run),
        reasons=_reasons(session, run),
        trades=[{"order": fill["order_id"], **{name: fill[name] for name in TRADE}} for fill in newest],
    )


def runs(session: Session, count: int) -> tuple[list[Told], int]:
    """The newest, oldest of them first, with how many orders and fills each has; and how many there are."""
    newest = session.exec(select(RunRow).order_by(col(RunRow.seq).desc()).limit(count)).all()
    rows = {row.run: {**told(row), "orders": 0, "fills": 0} for row in reversed(newest)}
    for name, model in (("orders", OrderRow), ("fills", FillRow)):
        counted = select(model.run, func.count()).where(col(model.run).in_(rows)).group_by(model.run)
        for run, number in session.exec(counted):
            rows[run][name] = number
    return list(rows.values()), session.exec(select(func.count()).select_from(RunRow)).one()


def _before(session: Session, seq: int) -> int:
    return session.exec(select(func.max(RunRow.seq)).where(col(RunRow.seq) < seq)).one() or 0


def _reasons(session: Session, run: str) -> list[Told]:
    """By plugin, verdict and reason: how many decisions, and the last of them."""
    group = (DecisionRow.plugin, DecisionRow.verdict, DecisionRow.reason)
    counted = select(func.count(), func.max(DecisionRow.seq)).where(DecisionRow.run == run).group_by(*group)
    found = []
    for number, seq in session.exec(counted).all():
        last = told(session.get_one(DecisionRow, seq))
        found.append({**{name: last[name] for name in REASON}, "decisions": number})
    return sorted(found, key=lambda row: (row["plugin"], row["verdict"], -row["decisions"], row["reason"]))


def _counts(session: Session, run: str) -> Told:
    """Orders, fills, and markets that were traded in."""
    orders = session.exec(select(func.count()).select_from(OrderRow).where(OrderRow.run == run)).one()
    counted = select(func.count(), func.count(func.distinct(FillRow.market))).where(FillRow.run == run)
    number, markets = session.exec(counted).one()
    return {"orders": orders, "fills": number, "markets": markets}
