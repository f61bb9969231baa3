"""The rows that one stretch of the record touches: read when first asked for, written together at its end.

Laws: a row is a dict of all its columns. Nothing reaches the database before `write`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Insert, Table, delete, insert, select
from sqlmodel import SQLModel

Row = dict[str, Any]
Key = tuple[Any, ...]


class Shape(NamedTuple):
    """A table's statements, made once: a long record asks each of them ten thousands of times."""

    table: Table
    key: tuple[str, ...]
    columns: tuple[str, ...]
    by_key: str
    replace: Insert


@cache
def shape(model: type[SQLModel]) -> Shape:
    table = SQLModel.metadata.tables[str(model.__tablename__)]
    key = tuple(column.name for column in table.primary_key)
    columns = tuple(column.name for column in table.columns)
    by_key = (
        f"SELECT {', '.join(columns)} FROM {table.name} WHERE {' AND '.join(f'{name} = ?' for name in key)}"  # noqa: S608  # names of ours
    )
    return Shape(table, key, columns, by_key, insert(table).prefix_with("OR REPLACE"))


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
            known = shape(model)
            found = self._connection.exec_driver_sql(known.by_key, key).first()
            rows[key] = dict(zip(known.columns, found, strict=True)) if found else None
        return rows[key]

    def put(self, model: type[SQLModel], row: Row) -> None:
        """A new row, or one in place of another with its key."""
        key = tuple([row[name] for name in shape(model).key])
        self._rows.setdefault(model, {})[key] = row
        self._gone.discard((model, key))

    def drop(self, model: type[SQLModel], *key: Any) -> None:
        self._rows.setdefault(model, {})[key] = None
        self._gone.add((model, key))

    def where(self, model: type[SQLModel], **values: Any) -> Iterator[Row]:
        """Every row whose columns have these values, also those that were only put so far."""
        known = shape(model)
        wanted = [known.table.c[name] == value for name, value in values.items()]
        rows = self._rows.setdefault(model, {})
        for found in self._connection.execute(select(known.table).where(*wanted)).mappings():
            rows.setdefault(tuple(found[name] for name in known.key), dict(found))
        for row in list(rows.values()):
            if row is not None and all(row[name] == value for name, value in values.items()):
                yield row

    def write(self) -> None:
        for model, key in self._gone:
            table = shape(model).table
            wanted = [column == part for column, part in zip(table.primary_key, key, strict=True)]
            self._connection.execute(delete(table).where(*wanted))
        for model, rows in self._rows.items():
            kept = [row for row in rows.values() if row is not None]
            if kept:
                self._connection.execute(shape(model).replace, kept)
        self._rows.clear()
        self._gone.clear()
