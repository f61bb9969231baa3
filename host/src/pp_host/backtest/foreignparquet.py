"""A stranger's parquet file as batches of texts: numbers in their shortest exact spelling, times in ISO 8601."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pp_host.backtest.foreign import BATCH_ROWS, HINT, Rows, find_columns, open_file
from pp_host.errors import OperatorError


def read_parquet(path: Path, columns: Sequence[str]) -> Iterator[Rows]:
    """All rows in the file's order. Errors: OperatorError."""
    with open_file(path) as source:
        with _reading(path):
            file = pq.ParquetFile(source)
            schema, names = file.schema_arrow, file.schema_arrow.names
        find_columns(path, names, columns)
        for column in columns:
            _check_kind(path, column, schema.field(column).type)
        batches = file.iter_batches(BATCH_ROWS, columns=list(columns), use_threads=False)
        first = 0
        while (batch := _next(path, batches)) is not None:
            cells = {column: _texts(path, first, column, batch.column(column)) for column in columns}
            yield Rows(path, first, len(batch), cells)
            first += len(batch)


def _next(path: Path, batches: Iterator[Any]) -> Any:
    with _reading(path):
        return next(batches, None)


def _check_kind(path: Path, column: str, kind: Any) -> None:
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    checks = (
        "is_string",
        "is_large_string",
        "is_integer",
        "is_floating",
        "is_decimal",
        "is_timestamp",
        "is_null",
    )
    if not any(getattr(pa.types, check)(value) for check in checks):
        hint = "a column holds texts, numbers or times"
        raise OperatorError(f"{path}: column {column}: holds {kind}", hint=hint)


def _texts(path: Path, first: int, column: str, cells: Any) -> list[str | None]:
    try:
        cells.validate(full=True)  # a file may hold any bytes, and arrow looks only when told to
        plain = cells.dictionary_decode() if pa.types.is_dictionary(cells.type) else cells
        spelled = plain.cast(pa.string())
    except pa.ArrowException as error:
        what = str(error).partition("\n")[0]
        raise OperatorError(f"{path}: column {column}, near row {first}: {what}", hint=HINT) from None
    texts: list[str | None] = spelled.to_pylist()
    return texts


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        what = str(error).partition("\n")[0]
        raise OperatorError(f"{path}: not readable as parquet: {what}", hint=HINT) from None
