"""The points of an import, in any order at first: sorted, checked for duplicates and written as prices.parquet.

Laws: a point takes 24 bytes, and 12 more while it is sorted. What is written follows from the points alone, not from
the order in which they came.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pp_host.backtest.catalogue import Fact
from pp_host.model import MICRO

SLICE_ROWS = 131_072

PRICES = pa.schema(
    [("ts", pa.int64()), ("market_id", pa.string()), ("outcome", pa.string()), ("price", pa.float64())]
)
MARKETS = pa.schema(
    [
        *((name, pa.string()) for name in ("market_id", "event_id", "question", "outcome_0", "outcome_1")),
        *((name, pa.int64()) for name in ("start_ts", "nominal_end_ts", "close_ts", "resolved_ts")),
        ("resolved_yes_price", pa.float64()),
    ]
)


class Pile:
    """Points as four columns: milliseconds UTC, slot (2 x the market's index, plus 1 for NO), micro-USD, row."""

    def __init__(self) -> None:
        self._times = array("q")
        self._slots = array("i")
        self._prices = array("i")
        self._rows = array("q")

    def __len__(self) -> int:
        return len(self._times)

    def add(self, time: int, slot: int, price: int, row: int) -> None:
        self._times.append(time)
        self._slots.append(slot)
        self._prices.append(price)
        self._rows.append(row)

    def sort(self, ranks: Sequence[int]) -> Sorted:
        """By time, then by the rank of the slot. `ranks` is one number a slot."""
        slots = _view(self._slots, pa.int32())
        ranked = pc.take(pa.array(ranks, pa.int32()), slots)
        times, rows = _view(self._times, pa.int64()), _view(self._rows, pa.int64())
        keys = pa.table([times, ranked, rows], names=["time", "slot", "row"])
        order = pc.sort_indices(keys, sort_keys=[(name, "ascending") for name in keys.column_names])
        return Sorted(keys.append_column("price", _view(self._prices, pa.int32())), order)


class Sorted:
    """The points in their order, taken slice by slice."""

    def __init__(self, points: Any, order: Any) -> None:
        self._points = points
        self._order = order

    def twice(self) -> tuple[int, int] | None:
        """The rows of two points of one outcome at one time, the later one second; None when there are none."""
        last = None
        for points in self._slices():
            whole = points if last is None else pa.concat_tables([last, points])
            later, earlier = whole.slice(1), whole.slice(0, len(whole) - 1)
            same = pc.and_(pc.equal(later["time"], earlier["time"]), pc.equal(later["slot"], earlier["slot"]))
            at = pc.index(same, pa.scalar(True)).as_py()
            if at >= 0:
                return earlier["row"][at].as_py(), later["row"][at].as_py()
            last = whole.slice(len(whole) - 1)
        return None

    def write(self, file: BinaryIO, markets: Sequence[str], outcomes: Sequence[str]) -> None:
        """prices.parquet; `markets` and `outcomes` are texts by rank."""
        with pq.ParquetWriter(file, PRICES) as writer:
            for points in self._slices():
                slots = points["slot"].combine_chunks()
                columns = [
                    points["time"],
                    pc.take(pa.array(markets, pa.string()), slots),
                    pc.take(pa.array(outcomes, pa.string()), slots),
                    _dollars(points["price"]),
                ]
                writer.write_table(pa.table(columns, schema=PRICES))

    def _slices(self) -> Iterator[Any]:
        for first in range(0, len(self._order), SLICE_ROWS):
            yield self._points.take(self._order.slice(first, SLICE_ROWS))


def write_markets(file: BinaryIO, rows: Sequence[Mapping[str, Fact]]) -> None:
    """markets.parquet; prices are micro-USD in `rows`, missing facts null."""
    columns = [[row.get(field.name) for row in rows] for field in MARKETS]
    *others, paid = (
        pa.array(c, pa.int64() if f.name == "resolved_yes_price" else f.type)
        for c, f in zip(columns, MARKETS, strict=True)
    )
    pq.write_table(pa.table([*others, _dollars(paid)], schema=MARKETS), file)


def _dollars(micros: Any) -> Any:
    """The nearest double to each price: the quotient of two exact ones is rounded correctly."""
    return pc.divide(micros.cast(pa.float64()), pa.scalar(MICRO, pa.float64()))


def _view(numbers: Any, kind: Any) -> Any:
    return pa.Array.from_buffers(kind, len(numbers), [None, pa.py_buffer(numbers)])
