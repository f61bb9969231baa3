"""The market table: a snapshot of markets as columns in one immutable block of bytes.

`layout` says where bytes lie, `checks` what is valid, `market_table` and `row` read, `columns` writes, and `narrowing`
leaves rows out.
"""

from __future__ import annotations

from pp_sdk.table.columns import Books, Columns, Texts, build, build_columns, pack_bits
from pp_sdk.table.layout import CLOSED, INT_COLUMNS, OPEN, RESOLVED, TEXT_COLUMNS, VERSION, Column, TableError
from pp_sdk.table.market_table import MarketTable
from pp_sdk.table.narrowing import narrow
from pp_sdk.table.row import MarketRow, Quote, Row

__all__ = [
    "CLOSED", "INT_COLUMNS", "OPEN", "RESOLVED", "TEXT_COLUMNS", "VERSION",
    "Books", "Column", "Columns", "MarketRow", "MarketTable", "Quote", "Row", "TableError", "Texts",
    "build", "build_columns", "narrow", "pack_bits",
]  # fmt: skip
