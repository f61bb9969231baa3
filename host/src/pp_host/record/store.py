"""The record's files in the state folder: the database, the copy of its last checkpoint, the writer's lock.

Laws: entries and the checkpoint over them are committed in one transaction, flushed to disk before `commit`
returns. Rows are only ever added. The copy is replaced whole or not at all, and never says more than the
database holds. What is in the files is believed by nobody before verify.py has looked.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Final
from urllib.parse import quote

from pp_host import disk
from pp_host.errors import OperatorError, RecordError, Refused
from pp_host.limits import LIMITS

DATABASE: Final = "record.db"
COPY: Final = "checkpoint"
LOCK: Final = "writer.lock"
SCHEMA_VERSION: Final = 1
_ENTRY: Final = "seq INTEGER PRIMARY KEY, event TEXT NOT NULL, run TEXT NOT NULL, body BLOB NOT NULL"
_SCHEMA: Final = (
    "CREATE TABLE checkpoints (size INTEGER PRIMARY KEY, note BLOB NOT NULL) STRICT",
    f"CREATE TABLE entries ({_ENTRY}) STRICT",
    "CREATE TABLE meta (version INTEGER NOT NULL) STRICT",
)
_ROWS_PER_STATEMENT: Final = 128  # each statement waits for the interpreter's lock: few statements, many rows
DAMAGE_HINT: Final = "keep the state folder as evidence; restore a copy of it, or begin in a new home"
PERMISSION_HINT: Final = (
    "it and its folder need your permission to read and write, on a disk that can be written"
)
_PRIMARY: Final = 0xFF  # of SQLite's error codes; the bits above tell more
_HINTS: Final = {
    sqlite3.SQLITE_FULL: "make space on its disk, then try again; what is in it is whole",
    sqlite3.SQLITE_IOERR: "its disk failed or is full; look there, then try again",
    sqlite3.SQLITE_BUSY: "another program has it open; end that, then try again",
    sqlite3.SQLITE_CANTOPEN: PERMISSION_HINT,
    sqlite3.SQLITE_PERM: PERMISSION_HINT,
    sqlite3.SQLITE_READONLY: PERMISSION_HINT,
}

Row = tuple[int, str, str, bytes]
"""seq, event, run, body"""


class Store:
    """One connection to the database. Every failure of SQLite's is a RecordError."""

    def __init__(self, path: Path, *, first_note: bytes | None) -> None:
        self._path = path
        mode = "ro" if first_note is None else "rwc"
        with self._trouble():
            self._connection = sqlite3.connect(
                f"file:{quote(str(path))}?mode={mode}",
                uri=True,
                isolation_level=None,
                check_same_thread=False,
            )
        try:
            if first_note is not None:
                self._prepare(first_note)
            self._check_schema()
        except RecordError:
            self.close()
            raise

    @classmethod
    def for_reading(cls, state_dir: Path) -> Store:
        """Open beside a writer that may be running; RecordError when there is no record of a known schema."""
        path = state_dir / DATABASE
        if not _is_there(path):
            raise RecordError(f"{path}: there is no record yet", hint="pp run and pp demo write one")
        return cls(path, first_note=None)

    @classmethod
    def for_writing(cls, state_dir: Path, first_note: bytes) -> Store:
        """Open, or make with `first_note` as the checkpoint of size 0. The caller holds the writer's lock."""
        path = state_dir / DATABASE
        _is_there(path)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        return cls(path, first_note=first_note)

    def commit(self, rows: Sequence[Row], size: int, note: bytes) -> None:
        """Add `rows`, which bring the log to `size`, and its checkpoint; they then survive a power cut."""
        with self._trouble():
            execute = self._connection.execute
            execute("BEGIN IMMEDIATE")
            for start in range(0, len(rows), _ROWS_PER_STATEMENT):
                part = rows[start : start + _ROWS_PER_STATEMENT]
                execute(_insert(len(part)), list(chain.from_iterable(part)))
            execute("INSERT INTO checkpoints VALUES (?, ?)", (size, note))
            execute("COMMIT")

    def hold(self) -> None:
        """Everything read from here on is of one moment, whatever a writer does meanwhile."""
        with self._trouble():
            self._connection.execute("BEGIN")

    def rows(
        self, where: str = "1", values: Sequence[object] = (), *, newest_first: bool = False
    ) -> Iterator[Row]:
        """Entries by seq, streamed. `where` is SQL of ours; what strangers say goes into `values`."""
        order = "DESC" if newest_first else "ASC"
        query = f"SELECT seq, event, run, body FROM entries WHERE {where} ORDER BY seq {order}"  # noqa: S608  # ours
        with self._trouble():
            for row in self._connection.execute(query, values):  # noqa: UP028  # `yield from` would close the cursor
                yield row  # of a generator that was left early, after its connection

    def size(self) -> int:
        """How many entries there are, by the number of the last one."""
        with self._trouble():
            return int(
                self._connection.execute("SELECT coalesce(max(seq) + 1, 0) FROM entries").fetchone()[0]
            )

    def checkpoints(self) -> list[tuple[int, bytes]]:
        """Size and note of every checkpoint, smallest first."""
        with self._trouble():
            return list(self._connection.execute("SELECT size, note FROM checkpoints ORDER BY size"))

    def close(self) -> None:
        with self._trouble():
            self._connection.close()

    def _prepare(self, first_note: bytes) -> None:
        with self._trouble():
            execute = self._connection.execute
            if execute("PRAGMA journal_mode = WAL").fetchone() != ("wal",):
                raise RecordError(f"{self._path}: no write-ahead log on this disk", hint="use a local disk")
            execute("PRAGMA synchronous = FULL")
            execute("BEGIN IMMEDIATE")
            if not execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                for statement in _SCHEMA:
                    execute(statement)
                execute("INSERT INTO meta VALUES (?)", (SCHEMA_VERSION,))
                execute("INSERT INTO checkpoints VALUES (0, ?)", (first_note,))
            execute("COMMIT")

    def _check_schema(self) -> None:
        with self._trouble():
            execute = self._connection.execute
            found = [row[0] for row in execute("SELECT sql FROM sqlite_master ORDER BY name")]
            versions = list(execute("SELECT version FROM meta")) if _SCHEMA[-1] in found else []
        if any(isinstance(version, int) and version > SCHEMA_VERSION for (version,) in versions):
            raise RecordError(f"{self._path}: written by a newer pp", hint="use that version of pp")
        if versions != [(SCHEMA_VERSION,)] or found != list(_SCHEMA):
            raise RecordError(f"{self._path}: not the tables of a record", hint=DAMAGE_HINT)

    @contextmanager
    def _trouble(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise RecordError(f"{self._path}: {error}", hint=_hint(error)) from error


def _is_there(path: Path) -> bool:
    try:
        return disk.find_database(path, hint=DAMAGE_HINT)
    except OperatorError as error:
        raise RecordError(str(error), hint=error.hint) from None
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror}", hint=PERMISSION_HINT) from None


def _hint(error: Exception) -> str:
    """What to do about it: only what is in the file can be damage."""
    extended = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
    return _HINTS.get(extended & _PRIMARY, DAMAGE_HINT)


@lru_cache(maxsize=_ROWS_PER_STATEMENT)
def _insert(rows: int) -> str:
    return f"INSERT INTO entries VALUES {','.join(['(?, ?, ?, ?)'] * rows)}"  # noqa: S608  # placeholders


def read_copy(state_dir: Path) -> bytes | None:
    """The note in the copy of the last checkpoint, or None when there is no copy."""
    try:
        return disk.read(state_dir / COPY, LIMITS.record.note_bytes)
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise RecordError(f"the copy of the last checkpoint: {error}", hint=PERMISSION_HINT) from error
    except (OSError, OperatorError) as error:  # a symlink, a folder, gigabytes: nothing of ours
        raise RecordError(f"the copy of the last checkpoint: {error}", hint=DAMAGE_HINT) from error


def lock_writer(state_dir: Path) -> int:
    """Take the writer's lock and return its descriptor; closing that, or dying, gives the lock back."""
    descriptor = os.open(state_dir / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise Refused(
            f"{state_dir}: another host is writing this record", hint="pp status shows it, pp stop ends it"
        ) from error
    return descriptor
