"""A stranger's CSV or parquet file as batches of texts: every cell is what was written, or null.

Laws: at most one batch of rows is in memory. Only the columns asked for are kept. Whatever is wrong is one
OperatorError that names file, column and row; rows count from 0, without the header and empty lines.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import BinaryIO, TextIO, TypeVar

from pp_host.errors import OperatorError

BATCH_ROWS = 16_384
MOST_TOLD = 500  # characters of a header that are shown when a column is missing
HINT = "FILE is a .csv or .parquet file"

T = TypeVar("T")
Cells = Sequence[str | None]


class Rows:
    """Some consecutive rows of a file; `first` is the number of the first of them."""

    def __init__(self, path: Path, first: int, count: int, cells: Mapping[str, Cells]) -> None:
        self._path = path
        self._cells = cells
        self.first = first
        self.count = count

    def read(self, column: str, convert: Callable[[str | None], T]) -> list[T]:
        """One column through `convert`, which sees each distinct text once, and None for null."""
        cells = self._cells[column]
        converted: dict[str | None, T] = {}
        for text in dict.fromkeys(cells):
            try:
                converted[text] = convert(text)
            except OperatorError as bad:
                raise self.fault(column, cells.index(text), str(bad), hint=bad.hint) from None
        return [converted[text] for text in cells]

    def fault(self, column: str, row: int, what: str, *, hint: str) -> OperatorError:
        """The error for one cell; `row` counts within these rows."""
        return OperatorError(f"{self._path}: column {column}, row {self.first + row}: {what}", hint=hint)


def read_rows(path: Path, columns: Sequence[str], delimiter: str) -> Iterator[Rows]:
    """All rows of a .csv or .parquet file. Errors: OperatorError."""
    match path.suffix.lower():
        case ".csv":
            yield from _read_csv(path, columns, delimiter)
        case ".parquet":
            from pp_host.backtest.foreignparquet import read_parquet

            yield from read_parquet(path, columns)
        case _:
            raise OperatorError(f"{path}: neither .csv nor .parquet", hint="the name tells how it is read")


def open_file(path: Path) -> BinaryIO:
    """Errors: OperatorError."""
    try:
        return path.open("rb")
    except OSError as error:
        raise OperatorError(f"{path}: {error.strerror}", hint=HINT) from None


def find_columns(path: Path, header: Sequence[str], columns: Sequence[str]) -> list[int]:
    """Where each column is. Raises OperatorError when one is missing or appears twice."""
    for column in columns:
        if header.count(column) != 1:
            what = "appears twice" if column in header else "missing"
            known = ", ".join(header)
            told = known if len(known) <= MOST_TOLD else known[:MOST_TOLD] + "..."
            raise OperatorError(f"{path}: column {column}: {what}", hint=f"its columns are {told}")
    return [header.index(column) for column in columns]


def _read_csv(path: Path, columns: Sequence[str], delimiter: str) -> Iterator[Rows]:
    with open_file(path) as file:
        lines = _Lines(path, TextIOWrapper(file, encoding="utf-8-sig", newline=""), delimiter)
        header = next(lines, [])
        places = find_columns(path, header, columns)
        first = 0
        while rows := list(islice(lines, BATCH_ROWS)):
            _check_widths(path, rows, first, len(header))
            cells = {column: [row[at] for row in rows] for column, at in zip(columns, places, strict=True)}
            yield Rows(path, first, len(rows), cells)
            first += len(rows)


def _check_widths(path: Path, rows: Sequence[Sequence[str]], first: int, width: int) -> None:
    for row, cells in enumerate(rows, first):
        if len(cells) != width:
            what = f"{len(cells)} cells, the header has {width}"
            raise OperatorError(f"{path}: row {row}: {what}", hint="is the delimiter right, and its quotes?")


class _Lines(Iterator[list[str]]):
    """The lines of a CSV file, the header first, empty ones left out."""

    def __init__(self, path: Path, file: TextIO, delimiter: str) -> None:
        self._path = path
        self._lines = csv.reader(file, delimiter=delimiter, strict=True)
        self._row = -1

    def __next__(self) -> list[str]:
        try:
            cells = next(filter(None, self._lines))
        except (csv.Error, UnicodeDecodeError) as error:
            what = "not UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error)
            place = f"near row {max(self._row, 0)}"
            raise OperatorError(f"{self._path}: {place}: {what}", hint="save it as CSV in UTF-8") from None
        self._row += 1
        return cells
