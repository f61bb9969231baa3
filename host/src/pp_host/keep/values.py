"""One plugin's values: a small database, within a quota.

Laws: a put is one transaction, so that whatever kills the host leaves the old value or the new one; after a power cut
the last of them may be missing, none is torn. The quota counts keys, values and a stated cost for each key; what makes
the sum smaller is never refused.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Self
from urllib.parse import quote

from pp_sdk.storage import KEY_COST, cost
from pp_sdk.wire.messages import KEYS_PAGE

from pp_host import disk
from pp_host.errors import OperatorError, RequestRefused

SUFFIX = ".db"
BUSY_SECONDS = 0.1  # an operator's own look into the file must not hold up the event loop
HINT = "move it away, with its -wal and -shm: the plugin then begins with nothing"
SCHEMA = "CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT"
COST = f"SELECT coalesce(sum(length(name) + length(value) + {KEY_COST}), 0) FROM kept"  # noqa: S608  # a number
BEYOND = "\x7f"  # sorts behind every character that a key may have


class Values:
    """Implements broker.asker.OwnValues. `open` or `in_memory` makes it; whoever made it must `close` it."""

    def __init__(self, db: sqlite3.Connection, most_bytes: int) -> None:
        self._db = db
        self._most_bytes = most_bytes
        self._used: int = db.execute(COST).fetchone()[0]
        self.reads = 0

    @classmethod
    def open(cls, path: Path, most_bytes: int) -> Self:
        """The values in the file at `path`, which is made where there is none. Errors: OperatorError."""
        with _readable(path):
            path.parent.mkdir(mode=0o700, exist_ok=True)
            disk.find_database(path, hint=HINT)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
            db = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
            return cls(_prepared(db), most_bytes)

    @classmethod
    def in_memory(cls, most_bytes: int, *, begin_with: Path | None = None) -> Self:
        """Values that end with the run; they begin as a copy of the file `begin_with`, if there is one."""
        db = _prepared(sqlite3.connect(":memory:", isolation_level=None))
        try:
            if begin_with is not None:
                _copy(begin_with, db)
        except OperatorError:
            db.close()
            raise
        return cls(db, most_bytes)

    def get(self, name: str) -> bytes | None:
        self.reads += 1
        with _working():
            found = self._db.execute("SELECT value FROM kept WHERE name = ?", (name,)).fetchone()
        return None if found is None else bytes(found[0])

    def names(self, prefix: str, after: str) -> tuple[list[str], bool]:
        """A page of the keys that begin with `prefix` and come after `after`, and whether there are more."""
        self.reads += 1
        query = "SELECT name FROM kept WHERE name >= ? AND name > ? AND name < ? ORDER BY name LIMIT ?"
        with _working():
            rows = self._db.execute(query, (prefix, after, prefix + BEYOND, KEYS_PAGE + 1)).fetchall()
        return [name for (name,) in rows[:KEYS_PAGE]], len(rows) > KEYS_PAGE

    def put(self, name: str, value: bytes) -> None:
        """Keep the value. RequestRefused: over the quota, or the disk failed; then the old one stays."""
        with _working():
            used = self._used - self._cost(name) + cost(name, len(value))
            if used > self._most_bytes and used > self._used:
                raise RequestRefused(
                    "over_quota", f"it would take {used} of the {self._most_bytes} bytes granted"
                )
            self._db.execute("INSERT OR REPLACE INTO kept VALUES (?, ?)", (name, value))
        self._used = used

    def delete(self, name: str) -> bool:
        """Forget a key; whether it was there. RequestRefused: the disk failed."""
        with _working():
            used = self._used - self._cost(name)
            gone = self._db.execute("DELETE FROM kept WHERE name = ?", (name,)).rowcount > 0
        self._used = used
        return gone

    def _cost(self, name: str) -> int:
        found = self._db.execute("SELECT length(value) FROM kept WHERE name = ?", (name,)).fetchone()
        return 0 if found is None else cost(name, found[0])

    def close(self) -> None:
        self._db.close()


def kept_bytes(path: Path) -> int:
    """What the values in a file count against the quota, also while a host has it open. Errors: OperatorError."""
    with _readable(path):
        if not disk.find_database(path, hint=HINT):
            return 0
        with closing(_reading(path)) as db:
            found: int = db.execute(COST).fetchone()[0]
    return found


def _prepared(db: sqlite3.Connection) -> sqlite3.Connection:
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")  # no wait for the disk on the event loop: see the laws
        db.execute(SCHEMA)
        db.execute(COST)
    except sqlite3.Error:
        db.close()
        raise
    return db


def _copy(path: Path, db: sqlite3.Connection) -> None:
    """Bring what is kept in a file, where there is one, into `db`. Errors: OperatorError."""
    with _readable(path):
        if disk.find_database(path, hint=HINT):
            with closing(_reading(path)) as kept:
                kept.backup(db)
            db.execute(COST)


def _reading(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """What is wrong with the file, as an operator is told."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise OperatorError(f"{path}: cannot be used: {error}", hint=HINT) from None


@contextmanager
def _working() -> Iterator[None]:
    """What is wrong with it in mid-run, as the plugin is told: nothing about the disk."""
    try:
        yield
    except sqlite3.Error as error:
        raise RequestRefused("unavailable", "the host could not reach what is kept") from error
