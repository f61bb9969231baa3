"""The rows that one stretch of the record touches: read when first asked for, written together at its end.

Laws: a row is a dict of all its columns. Nothing reaches the database before `write`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Table, delete, insert, select
from sqlmodel import SQLModel

Row = dict[str, Any]
Key = tuple[Any, ...]


class Batch:
    """Works within one transaction of `connection`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rows: dict[type[SQLModel], dict[Key, Row | None]] = {}
        self._gone: set[tuple[type[SQLModel], Key]] = set()

    def get(self, model: type[SQLModel], *key: Any) -> Row | None:
        """The row with this primary key, to be changed in place; None when there is none."""
        rows = self._rows.setdefault(model, {})
        if key not in rows:
            table = table_of(model)
            wanted = [column == part for column, part in zip(table.primary_key, key, strict=True)]
            found = self._connection.execute(select(table).where(*wanted)).mappings().first()
            rows[key] = dict(found) if found else None
        return rows[key]

    def put(self, model: type[SQLModel], row: Row) -> None:
        """A new row, or one in place of another with its key."""
        key = tuple(row[column.name] for column in table_of(model).primary_key)
        self._rows.setdefault(model, {})[key] = row
        self._gone.discard((model, key))

    def drop(self, model: type[SQLModel], *key: Any) -> None:
        self._rows.setdefault(model, {})[key] = None
        self._gone.add((model, key))

    def where(self, model: type[SQLModel], **values: Any) -> Iterator[Row]:
        """Every row whose columns have these values, also those that were only put so far."""
        table = table_of(model)
        wanted = [table.c[name] == value for name, value in values.items()]
        for found in self._connection.execute(select(table).where(*wanted)).mappings():
            self._rows.setdefault(model, {}).setdefault(
                tuple(found[column.name] for column in table.primary_key), dict(found)
            )
        for row in list(self._rows.get(model, {}).values()):
            if row is not None and all(row[name] == value for name, value in values.items()):
                yield row

    def write(self) -> None:
        for model, key in self._gone:
            table = table_of(model)
            wanted = [column == part for column, part in zip(table.primary_key, key, strict=True)]
            self._connection.execute(delete(table).where(*wanted))
        for model, rows in self._rows.items():
            kept = [row for row in rows.values() if row is not None]
            if kept:
                self._connection.execute(insert(table_of(model)).prefix_with("OR REPLACE"), kept)
        self._rows.clear()
        self._gone.clear()


def table_of(model: type[SQLModel]) -> Table:
    return SQLModel.metadata.tables[str(model.__tablename__)]
