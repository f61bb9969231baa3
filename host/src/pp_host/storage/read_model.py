"""Brings the tables up to the record and answers from them.

Laws: the record is never written here. A file of another schema, or that is no database, is dropped and
built anew. Entries arrive in order and each is applied once: the next wanted number is committed together with what
it changed. Several processes may do all of this at once; who comes late finds it done.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, delete, event, inspect
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlmodel import Session, SQLModel, create_engine, select

from pp_host import disk
from pp_host.errors import OperatorError
from pp_host.storage import questions
from pp_host.storage.apply import APPLY, Told
from pp_host.storage.batch import Batch
from pp_host.storage.tables import SCHEMA, Progress

BUSY_SECONDS = 60.0  # another command's whole stretch of entries, on a slow disk
BEGIN = "begin"  # the execution option that says how a transaction begins


class ReadModel:
    """One SQLite file beside the record. Every method raises OperatorError where the file cannot be used."""

    def __init__(self, path: Path) -> None:
        disk.find_database(path, hint="move it away; it is built anew")
        self._path = path
        url = URL.create("sqlite", database=str(path))
        self._engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS})
        event.listen(self._engine, "connect", _leave_transactions_to_us)
        event.listen(self._engine, "begin", _begin)
        self._writing = self._engine.execution_options(**{BEGIN: "BEGIN IMMEDIATE"})
        with ExitStack() as undo:
            undo.callback(self.close)
            with self._usable():
                if not self._is_ours():
                    self._build_anew()
            undo.pop_all()

    def close(self) -> None:
        self._engine.dispose()

    @property
    def next_seq(self) -> int:
        with self.session() as session:
            return session.get_one(Progress, 0).next_seq

    def reached(self) -> tuple[int, str]:
        """`next_seq`, and the mark that was handed to `catch_up` for the entry before it, both of one moment."""
        with self.session() as session:
            progress = session.get_one(Progress, 0)
            return progress.next_seq, progress.mark

    def catch_up(self, entries: Iterable[Told], *, first: int = 0, stop: int = 0, mark: str = "") -> None:
        """Apply the entries of the stretch from `first` up to `stop`, or to the last of them, in one transaction.

        What was applied already is passed over; tables that end before `first` are left as they are. `mark` tells the
        last entry from another in its place.
        """
        with self._usable(), self._writing.begin() as connection:
            batch = Batch(connection)
            progress = batch.get(Progress, 0)
            if progress is None or progress["next_seq"] < first:
                return
            for told in entries:
                if told.seq >= progress["next_seq"]:
                    apply = APPLY.get(told.event)
                    if apply is not None:
                        apply(batch, told)
                    progress["next_seq"] = told.seq + 1
            if progress["next_seq"] <= stop:
                progress["next_seq"], progress["mark"] = stop, mark
            batch.write()

    def forget(self) -> None:
        """Begin again: the record is not the one that was read."""
        with self._usable(), self._writing.begin() as connection:
            for table in SQLModel.metadata.sorted_tables:
                connection.execute(delete(table))
            _make(connection)

    def summary(self) -> dict[str, Any]:
        """The last run, and its account's open positions and how many orders and fills it has had in all runs."""
        with self.session() as session:
            return questions.summary(session)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """For questions: everything asked in it is of one moment."""
        with self._usable(), Session(self._engine) as session:
            yield session

    def _is_ours(self) -> bool:
        """Whether the file is, or has just become, a database of this schema."""
        try:
            with self._engine.connect() as connection:
                made = inspect(connection).has_table(str(Progress.__tablename__))
            if not made:
                with self._writing.begin() as connection:
                    _make(connection)
            with Session(self._engine) as session:  # the one column that every schema has
                version = session.exec(select(Progress.schema_version)).first()
        except OperationalError:  # nothing is wrong with the file's content: no space, no permission
            raise
        except DatabaseError:
            return False
        return version == SCHEMA

    def _build_anew(self) -> None:
        """Remove the file and make another; of several processes the first does, the others find it made."""
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            self.close()
            if not self._is_ours():
                self.close()
                for suffix in ("-journal", ""):  # a journal left behind would be played into the new file
                    Path(f"{self._path}{suffix}").unlink(missing_ok=True)
                self._is_ours()
        finally:
            os.close(folder)

    @contextmanager
    def _usable(self) -> Iterator[None]:
        try:
            yield
        except DatabaseError as error:
            hint = "it needs space and your permission to write; remove it, and it is built anew"
            raise OperatorError(f"{self._path}: cannot be used: {error.orig}", hint=hint) from None


def _make(connection: Connection) -> None:
    SQLModel.metadata.create_all(connection)
    batch = Batch(connection)
    if batch.get(Progress, 0) is None:
        batch.put(Progress, Progress().model_dump())
        batch.write()


def _leave_transactions_to_us(connection: Any, _: object) -> None:
    connection.isolation_level = None


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get(BEGIN, "BEGIN"))
