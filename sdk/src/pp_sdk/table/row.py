"""One market, both ways: `Row` reads it out of a table, `MarketRow` is what a source fills in.

Laws: a Row holds no data of its own and costs nothing until an attribute is read; nulls read as None.
Prices are micro-USD per share, sizes micro-shares, times microseconds since 1970 UTC.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, TypeVar

from msgspec import Struct

from pp_sdk.table.layout import INT_COLUMNS, OPEN, TEXT_COLUMNS

if TYPE_CHECKING:
    from pp_sdk.table.market_table import MarketTable

T = TypeVar("T")
Outcome = Literal["yes", "no"]
BookSide = Literal["bid", "ask"]
Levels = tuple[tuple[int, int], ...]


class MarketRow(Struct, frozen=True, kw_only=True):
    """What a source says about one market. Books are (price, size) tuples, best first."""

    id: str
    event: str = ""
    question: str = ""
    category: str = ""
    yes_name: str = "Yes"
    no_name: str = "No"
    venue: str = ""
    status: int = OPEN
    tick: int = 10_000
    min_size: int = 0
    yes_bids: Levels = ()
    yes_asks: Levels = ()
    no_bids: Levels = ()
    no_asks: Levels = ()
    quoted_at: int | None = None
    opened_at: int | None = None
    ends_at: int | None = None
    fee_rate: int | None = None
    fee_exponent: int | None = None
    volume: int | None = None
    liquidity: int | None = None
    yes_payout: int | None = None


class Quote(NamedTuple):
    """The best of both sides of one outcome's book; None where a side is empty."""

    bid: int | None
    bid_size: int | None
    ask: int | None
    ask_size: int | None


class Cell(Generic[T]):
    """A Row attribute that reads its column's cell."""

    __slots__ = ("name",)
    name: str

    def __set_name__(self, owner: type[Row], name: str) -> None:
        self.name = name

    def __get__(self, row: Row, owner: type[Row]) -> T:
        value: T = row.cells[self.name][row.index]
        return value


class Row:
    """One market of a MarketTable, read lazily. Valid as long as it is kept."""

    __slots__ = ("cells", "index", "table")

    id = Cell[str]()
    event = Cell[str]()
    question = Cell[str]()
    category = Cell[str]()
    yes_name = Cell[str]()
    no_name = Cell[str]()
    venue = Cell[str]()
    status = Cell[int]()
    tick = Cell[int]()
    min_size = Cell[int]()
    yes_bid = Cell[int | None]()
    yes_ask = Cell[int | None]()
    no_bid = Cell[int | None]()
    no_ask = Cell[int | None]()
    yes_bid_size = Cell[int | None]()
    yes_ask_size = Cell[int | None]()
    no_bid_size = Cell[int | None]()
    no_ask_size = Cell[int | None]()
    quoted_at = Cell[int | None]()
    opened_at = Cell[int | None]()
    ends_at = Cell[int | None]()
    fee_rate = Cell[int | None]()
    fee_exponent = Cell[int | None]()
    volume = Cell[int | None]()
    liquidity = Cell[int | None]()
    yes_payout = Cell[int | None]()

    def __init__(self, table: MarketTable, cells: dict[str, list[Any]], index: int) -> None:
        self.table = table
        self.cells = cells
        self.index = index

    def __repr__(self) -> str:
        return f"<Row {self.id!r}>"

    @property
    def yes_mid(self) -> int | None:
        """Half way between bid and ask, rounded down; None unless both exist."""
        return _middle(self.yes_bid, self.yes_ask)

    @property
    def no_mid(self) -> int | None:
        return _middle(self.no_bid, self.no_ask)

    def quote(self, outcome: Outcome) -> Quote:
        """Best bid and ask of one outcome."""
        cells = self.cells
        names = (f"{outcome}_bid", f"{outcome}_bid_size", f"{outcome}_ask", f"{outcome}_ask_size")
        return Quote(*(cells[name][self.index] for name in names))

    def book(self, outcome: Outcome, side: BookSide) -> Levels:
        """Every level of one side as (price, size), best first."""
        return self.table.levels(f"{outcome}_{side}", self.index)

    def to_market_row(self) -> MarketRow:
        """The same market as a value of its own, for building another table."""
        texts = {column.name: self.cells[column.name][self.index] for column in TEXT_COLUMNS}
        ints = {
            column.name: self.cells[column.name][self.index]
            for column in INT_COLUMNS
            if column.name in MarketRow.__struct_fields__
        }
        return MarketRow(
            yes_bids=self.book("yes", "bid"), yes_asks=self.book("yes", "ask"),
            no_bids=self.book("no", "bid"), no_asks=self.book("no", "ask"), **texts, **ints,
        )  # fmt: skip


def _middle(bid: int | None, ask: int | None) -> int | None:
    return None if bid is None or ask is None else (bid + ask) // 2
