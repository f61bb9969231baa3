"""The three files of a tape as an import writes them: exactly the columns that are read, with their types.

Laws: prices and sizes come as integers of micro-units and are written as the nearest double, which is read back as
that very integer. Markets and outcomes come as texts by rank: two ranks a market, YES first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pp_host.backtest.catalogue import Fact
from pp_host.backtest.pile import Sorted
from pp_host.model import MICRO

KEYS = [("ts", pa.int64()), ("market_id", pa.string()), ("outcome", pa.string())]
PRICES = pa.schema([*KEYS, ("price", pa.float64())])
BOOKS = pa.schema(
    [*KEYS, ("level", pa.int64()), *((name, pa.float64()) for name in ("bid", "bid_size", "ask", "ask_size"))]
)
MARKETS = pa.schema(
    [
        *((name, pa.string()) for name in ("market_id", "event_id", "question", "outcome_0", "outcome_1")),
        *((name, pa.int64()) for name in ("start_ts", "nominal_end_ts", "close_ts", "resolved_ts")),
        ("resolved_yes_price", pa.float64()),
    ]
)

Names = tuple[Sequence[str], Sequence[str]]  # markets and outcomes by rank


def write_prices(file: BinaryIO, points: Sorted | None, names: Names) -> None:
    """prices.parquet; without any rows when there are no points."""
    with pq.ParquetWriter(file, PRICES) as writer:
        for rows in points.slices() if points else ():
            writer.write_table(pa.table([*_keys(rows, names), _units(rows["price"])], schema=PRICES))


def write_books(file: BinaryIO, levels: Sorted, names: Names) -> None:
    """books.parquet; 0 is nobody."""
    with pq.ParquetWriter(file, BOOKS) as writer:
        for rows in levels.slices():
            offers = [_units(_known(rows[name])) for name in BOOKS.names[-4:]]
            columns = [*_keys(rows, names), rows["level"].cast(pa.int64()), *offers]
            writer.write_table(pa.table(columns, schema=BOOKS))


def write_markets(file: BinaryIO, rows: Sequence[Mapping[str, Fact]]) -> None:
    """markets.parquet; prices are micro-USD in `rows`, missing facts null."""
    columns = [[row.get(field.name) for row in rows] for field in MARKETS]
    *others, paid = (
        pa.array(c, pa.int64() if f.name == "resolved_yes_price" else f.type)
        for c, f in zip(columns, MARKETS, strict=True)
    )
    pq.write_table(pa.table([*others, _units(paid)], schema=MARKETS), file)


def _keys(rows: Any, names: Names) -> list[Any]:
    slots = rows["slot"].combine_chunks()
    return [rows["at"], *(pc.take(pa.array(texts, pa.string()), slots) for texts in names)]


def _known(micros: Any) -> Any:
    return pc.if_else(pc.equal(micros, 0), pa.scalar(None, micros.type), micros)


def _units(micros: Any) -> Any:
    """The nearest double to each amount: the quotient of two exact ones is rounded correctly."""
    return pc.divide(micros.cast(pa.float64()), pa.scalar(MICRO, pa.float64()))
