"""Brings the tables up to the record and answers from them.

Laws: the record is never written here. A file of another schema, or that is no database, is dropped and
built anew. Entries arrive in order and each is applied once: the next wanted number is committed together with what
it changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import URL, func
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlmodel import Session, SQLModel, create_engine, select

from pp_host import disk
from pp_host.errors import OperatorError
from pp_host.storage.tables import SCHEMA, FillRow, OrderRow, PositionRow, Progress, RunRow


class Told(NamedTuple):
    """One record entry as these tables need it."""

    seq: int
    event: str
    run: str
    ts: str
    subject: Mapping[str, Any]


class ReadModel:
    """One SQLite file beside the record. Every method raises OperatorError where the file cannot be used."""

    def __init__(self, path: Path) -> None:
        disk.find_database(path, hint="move it away; it is built anew")
        self._path = path
        self._engine = create_engine(URL.create("sqlite", database=str(path)))
        with self._usable():
            if not self._is_ours():
                self.close()
                path.unlink()
                SQLModel.metadata.create_all(self._engine)

    def close(self) -> None:
        self._engine.dispose()

    @property
    def next_seq(self) -> int:
        with self._session() as session:
            progress = session.get(Progress, 0)
            return progress.next_seq if progress else 0

    def catch_up(self, entries: Iterable[Told]) -> None:
        """Apply entries from `next_seq` on, in one transaction."""
        with self._session() as session:
            progress = session.get(Progress, 0) or Progress()
            for told in entries:
                if told.seq >= progress.next_seq:
                    apply = APPLY.get(told.event)
                    if apply is not None:
                        apply(session, told)
                    progress.next_seq = told.seq + 1
            session.add(progress)
            session.commit()

    def summary(self) -> dict[str, Any]:
        """The last run, its account's open positions and how many orders and fills there are in all."""
        with self._session() as session:
            last = session.exec(select(RunRow).order_by(RunRow.started.desc()).limit(1)).first()  # type: ignore[attr-defined]  # a column at class level
            positions = (
                session.exec(select(PositionRow).where(PositionRow.account == last.account)).all()
                if last
                else []
            )
            return {
                "last_run": last.model_dump() if last else None,
                "positions": [row.model_dump() for row in positions],
                "orders": session.exec(select(func.count()).select_from(OrderRow)).one(),
                "fills": session.exec(select(func.count()).select_from(FillRow)).one(),
            }

    def _is_ours(self) -> bool:
        """Whether the file is, or has just become, a database of this schema."""
        try:
            SQLModel.metadata.create_all(self._engine)
            with Session(self._engine) as session:
                progress = session.get(Progress, 0)
        except OperationalError:  # nothing is wrong with the file's content: no space, no permission
            raise
        except DatabaseError:
            return False
        return progress is None or progress.schema_version == SCHEMA

    @contextmanager
    def _session(self) -> Iterator[Session]:
        with self._usable(), Session(self._engine) as session:
            yield session

    @contextmanager
    def _usable(self) -> Iterator[None]:
        try:
            yield
        except DatabaseError as error:
            hint = "it needs space and your permission to write; remove it, and it is built anew"
            raise OperatorError(f"{self._path}: cannot be used: {error.orig}", hint=hint) from None


def _run_started(session: Session, told: Told) -> None:
    subject = told.subject
    session.add(RunRow(run=told.run, account=subject["account"], mode=subject["mode"], started=told.ts))


def _run_ended(session: Session, told: Told) -> None:
    row = session.get(RunRow, told.run)
    if row is not None:
        row.ended = told.ts
        session.add(row)


def _observed(session: Session, told: Told) -> None:
    row = session.get(RunRow, told.run)
    if row is not None:
        row.equity, row.cash = told.subject["equity"], told.subject["cash"]
        session.add(row)


def _ordered(session: Session, told: Told) -> None:
    subject = told.subject
    session.add(
        OrderRow(
            order_id=subject["order"],
            run=told.run,
            account=subject["account"],
            plugin=subject["plugin"],
            market=subject["market"],
            outcome=subject["outcome"],
            side=subject["side"],
            shares=subject["shares"],
            limit_price=subject["limit_price"],
            state="sent",
            at=told.ts,
        )
    )


def _order_state(state: str) -> Callable[[Session, Told], None]:
    return lambda session, told: _change_order(session, told, state)


def _order_done(session: Session, told: Told) -> None:
    _change_order(session, told, told.subject["status"])


def _change_order(session: Session, told: Told, state: str) -> None:
    row = session.get(OrderRow, told.subject["order"])
    if row is not None:
        row.state = state
        session.add(row)


def _filled(session: Session, told: Told) -> None:
    subject = told.subject
    if session.get(FillRow, subject["trade"]) is not None:
        return
    session.add(
        FillRow(
            trade=subject["trade"],
            order_id=subject["order"],
            run=told.run,
            account=subject["account"],
            plugin=subject["plugin"],
            market=subject["market"],
            outcome=subject["outcome"],
            side=subject["side"],
            shares=subject["shares"],
            price=subject["price"],
            amount=subject["amount"],
            fee=subject["fee"],
            at=told.ts,
        )
    )
    key = (subject["account"], subject["plugin"], subject["market"], subject["outcome"])
    row = session.get(PositionRow, key) or PositionRow(
        account=key[0], plugin=key[1], market=key[2], outcome=key[3]
    )
    if subject["side"] == "buy":
        row.shares += subject["shares"]
        row.cost += subject["amount"]
    else:
        row.cost -= row.cost * subject["shares"] // row.shares if row.shares else 0
        row.shares -= subject["shares"]
    if row.shares:
        session.add(row)
    elif session.get(PositionRow, key) is not None:
        session.delete(row)


def _settled(session: Session, told: Told) -> None:
    query = select(PositionRow).where(
        PositionRow.account == told.subject["account"], PositionRow.market == told.subject["market"]
    )
    for row in session.exec(query):
        session.delete(row)


APPLY: Mapping[str, Callable[[Session, Told], None]] = {
    "run.start": _run_started,
    "run.end": _run_ended,
    "observation": _observed,
    "order.intent": _ordered,
    "order.ack": _order_state("acknowledged"),
    "order.done": _order_done,
    "order.in_doubt": _order_state("in_doubt"),
    "order.void": _order_state("void"),
    "order.fill": _filled,
    "settlement": _settled,
}
