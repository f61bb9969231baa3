"""Strict reading of one parquet file: named columns of known kinds, batch by batch, from bytes already held.

Laws: pyarrow is touched here, in foreignparquet, in pile and in tapewriter alone. Only the columns asked for
are decoded, and at most one batch of rows is in memory. Whatever is wrong is one OperatorError that names file, column
and row; rows count from 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from pp_host.errors import OperatorError

BATCH_ROWS = 65_536  # a few MiB decoded

T = TypeVar("T")


class Kind(Enum):
    """What a column holds, in words for an operator."""

    TIME = "int64 (or float64 where some are missing)"
    TEXT = "string"
    NUMBER = "float64"
    COUNT = "int64"


class ColumnFile:
    """One parquet file; its columns are checked for presence and kind when it is opened."""

    def __init__(self, path: Path, data: bytes, kinds: Mapping[str, Kind]) -> None:
        self._path = path
        self._names = list(kinds)
        needed = ", ".join(f"{name} ({kind.value})" for name, kind in kinds.items())
        self._hint = f"{path.name} needs the columns {needed}"
        with self._reading():
            schema = pq.read_schema(pa.BufferReader(data))
        for name, kind in kinds.items():
            self._check_kind(schema, name, kind)
        texts = [name for name, kind in kinds.items() if kind is Kind.TEXT]
        with self._reading():
            self._file = pq.ParquetFile(pa.BufferReader(data), read_dictionary=texts)

    def batches(self) -> Iterator[Batch]:
        """All rows in the file's order."""
        first = 0
        batches = self._file.iter_batches(BATCH_ROWS, columns=self._names, use_threads=False)
        while (rows := self._next(batches)) is not None:
            yield Batch(self, rows, first)
            first += len(rows)

    def fault(self, column: str, row: int | None, what: str, *, hint: str) -> OperatorError:
        """The error for one cell, or for a whole column when `row` is None."""
        place = f"column {column}" if row is None else f"column {column}, row {row}"
        return OperatorError(f"{self._path}: {place}: {what}", hint=hint)

    def _next(self, batches: Iterator[Any]) -> Any:
        with self._reading():
            return next(batches, None)

    def _check_kind(self, schema: Any, name: str, kind: Kind) -> None:
        found = schema.get_all_field_indices(name)
        if len(found) != 1:
            raise self.fault(name, None, "appears twice" if found else "missing", hint=self._hint)
        actual = schema.field(found[0]).type
        if not (pa.types.is_null(actual) or _IS[kind](actual)):
            raise self.fault(name, None, f"holds {actual}, expected {kind.value}", hint=self._hint)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # the last for names of columns
            what = str(error).partition("\n")[0]
            raise OperatorError(f"{self._path}: not readable as parquet: {what}", hint=self._hint) from error


class Batch:
    """Some consecutive rows; `first` is the number of the first of them."""

    def __init__(self, file: ColumnFile, rows: Any, first: int) -> None:
        self._file = file
        self._rows = rows
        self.first = first

    def __len__(self) -> int:
        return len(self._rows)

    def cells(self, name: str, convert: Callable[[Any], T]) -> list[T]:
        """One column through `convert`, which sees each distinct value once, and None for null."""
        column = self._sound(name)
        if pa.types.is_dictionary(column.type) and column.null_count:
            column = column.dictionary_decode()
        if not pa.types.is_dictionary(column.type):
            column = column.dictionary_encode(null_encoding="encode")
        codes, values = _int64(column.indices), column.dictionary.to_pylist()
        converted: dict[int, T] = {}
        for code in dict.fromkeys(codes):  # a dictionary may hold values of other batches
            try:
                converted[code] = convert(values[code])
            except OperatorError as bad:
                row = self.first + codes.index(code)
                raise self._file.fault(name, row, str(bad), hint=bad.hint) from None
        return [converted[code] for code in codes]

    def _sound(self, name: str) -> Any:
        """A column whose texts are UTF-8: a file may hold any bytes, and arrow looks only when told to."""
        column = self._rows.column(name)
        try:
            column.validate(full=True)
        except pa.ArrowInvalid as error:
            what = f"unsound near row {self.first}: {error}"
            raise self._file.fault(name, None, what, hint="write the file again with valid UTF-8") from error
        return column


def _int64(indices: Any) -> list[int]:
    """An index array as a list, through its buffer: pyarrow's own way makes an object per cell first."""
    wide = indices.cast(pa.int64())
    if not len(wide):
        return []
    cells = memoryview(wide.buffers()[1]).cast("q")
    return cells[wide.offset : wide.offset + len(wide)].tolist()


def _is_text(actual: Any) -> bool:
    value = actual.value_type if pa.types.is_dictionary(actual) else actual
    return bool(pa.types.is_string(value) or pa.types.is_large_string(value))


def _is_number(actual: Any) -> bool:
    return bool(pa.types.is_float32(actual) or pa.types.is_float64(actual))


def _is_time(actual: Any) -> bool:
    return bool(pa.types.is_integer(actual) or pa.types.is_float64(actual))


_IS: Mapping[Kind, Callable[[Any], bool]] = {
    Kind.TIME: _is_time,
    Kind.TEXT: _is_text,
    Kind.NUMBER: _is_number,
    Kind.COUNT: lambda actual: bool(pa.types.is_integer(actual)),
}
