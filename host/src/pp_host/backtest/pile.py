"""The rows of an import, in any order at first, then sorted and taken slice by slice.

Laws: a row takes what its cells take, and 12 bytes more while it is sorted. The order follows from the rows alone, not
from that in which they came.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

SLICE_ROWS = 131_072
KEYS = ("at", "slot", "level", "row")  # what rows are sorted by, as far as they have it
KINDS: Mapping[str, Any] = {"q": pa.int64(), "i": pa.int32(), "b": pa.int8()}


class Pile:
    """Integer columns, by name and type code; slot is 2 x the market's index, plus 1 for NO."""

    def __init__(self, codes: Mapping[str, str]) -> None:
        self._columns = {name: array(code) for name, code in codes.items()}

    def __len__(self) -> int:
        return len(self._columns["at"])

    def add(self, *cells: int) -> None:
        """A row, in the order of the columns."""
        for column, cell in zip(self._columns.values(), cells, strict=True):
            column.append(cell)

    def sort(self, ranks: Sequence[int]) -> Sorted:
        """By time, then by the rank of the slot. `ranks` is one number a slot."""
        columns = {name: _view(column) for name, column in self._columns.items()}
        columns["slot"] = pc.take(pa.array(ranks, pa.int32()), columns["slot"])
        rows = pa.table(columns)
        order = pc.sort_indices(rows, sort_keys=[(name, "ascending") for name in KEYS if name in columns])
        return Sorted(rows, order)


class Sorted:
    """The rows in their order."""

    def __init__(self, rows: Any, order: Any) -> None:
        self._rows = rows
        self._order = order

    def slices(self) -> Iterator[Any]:
        for first in range(0, len(self._order), SLICE_ROWS):
            yield self._rows.take(self._order.slice(first, SLICE_ROWS))

    def twice(self) -> tuple[int, int] | None:
        """The rows of two of one outcome at one time, the later one second; None when there are none."""
        last = None
        for rows in self.slices():
            whole = rows if last is None else pa.concat_tables([last, rows])
            later, earlier = whole.slice(1), whole.slice(0, len(whole) - 1)
            same = pc.and_(pc.equal(later["at"], earlier["at"]), pc.equal(later["slot"], earlier["slot"]))
            at = pc.index(same, pa.scalar(True)).as_py()
            if at >= 0:
                return earlier["row"][at].as_py(), later["row"][at].as_py()
            last = whole.slice(len(whole) - 1)
        return None

    def tuples(self, *names: str) -> Iterator[tuple[int, ...]]:
        """Row by row, these columns."""
        for rows in self.slices():
            yield from zip(*(rows[name].to_pylist() for name in names), strict=True)


def _view(numbers: array[int]) -> Any:
    return pa.Array.from_buffers(KINDS[numbers.typecode], len(numbers), [None, pa.py_buffer(numbers)])
