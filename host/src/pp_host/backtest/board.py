"""The markets in sight, as columns that become a table.

Laws: the board knows what to show, never when: who enters, ends and leaves is the tape's to say. Texts and
fixed columns are made when the set of rows changes, quotes at every step. Its tables are trusted, because
every value was bounded when it was read or made; the tests put each one through the checks for strangers. In
quotes and times 0 is null, as the table's cells spell it. A recorded book is shown whole and as it is, with nothing
put around it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pp_sdk.table import OPEN, RESOLVED, TEXT_COLUMNS, Books, Columns, MarketTable, Texts, pack_bits

from pp_host.backtest.book import Book, Levels
from pp_host.backtest.market import Market
from pp_host.backtest.quotes import NO_QUOTE, Quotes, TapeSettings, best

YES_CELLS = ("yes_bid", "yes_bid_size", "yes_ask", "yes_ask_size")
NO_CELLS = ("no_bid", "no_bid_size", "no_ask", "no_ask_size")

Cells = dict[str, Sequence[int]]


class Board:
    """Rows are indices into `markets`, which are ordered by id."""

    def __init__(self, markets: Sequence[Market], settings: TapeSettings) -> None:
        self._markets = markets
        self._tick = settings.tick
        self._quote_of = Quotes(settings)
        self._quotes = [NO_QUOTE] * (2 * len(markets))
        self._books: dict[int, Book] = {}  # by slot, where a book and not a point is the newest
        self._stated_at = [0] * (2 * len(markets))
        self.arrange((), ())

    def quote(self, slot: int, stated: int | Book, at: int) -> None:
        """A new point or book for one outcome."""
        if isinstance(stated, int):
            self._quotes[slot] = self._quote_of[stated]
            self._books.pop(slot, None)
        else:
            self._quotes[slot] = best(stated)
            self._books[slot] = stated
        self._stated_at[slot] = at

    def booked_at(self, slot: int) -> int | None:
        """The time of the book that an outcome is quoted from; None for a point or nothing."""
        return self._stated_at[slot] if slot in self._books else None

    def arrange(self, rows: Sequence[int], ended: Collection[int]) -> None:
        """Show these rows from now on, ascending; those that ended show what they pay, and no quotes."""
        for slot in (2 * index + side for index in ended for side in range(2)):
            self._quotes[slot] = NO_QUOTE
            self._books.pop(slot, None)
        markets = [self._markets[index] for index in rows]
        payouts = [self._markets[index].yes_payout if index in ended else None for index in rows]
        self._rows = tuple(rows)
        self._starts = [market.opened_at or 0 for market in markets]
        self._texts = _texts(markets)
        self._ints: Cells = {
            "status": [RESOLVED if index in ended else OPEN for index in rows],
            "tick": [self._tick] * len(rows),
            "min_size": [0] * len(rows),
            "ends_at": [market.ends_at or 0 for market in markets],
            "yes_payout": [payout or 0 for payout in payouts],
        }
        self._valid = {
            "ends_at": pack_bits(self._ints["ends_at"]),
            "yes_payout": pack_bits(payout is not None for payout in payouts),
        }

    def table(self, now: int) -> MarketTable:
        """The rows as they stand at `now`."""
        cells = self._cells(now)
        columns = Columns(
            texts=self._texts,
            ints=self._ints | cells,
            valid=self._valid | {name: pack_bits(values) for name, values in cells.items() if 0 in values},
            books=self._depths() if self._books else None,
        )
        return MarketTable.trusted(columns.block())

    def _cells(self, now: int) -> Cells:
        """The columns that may differ from step to step."""
        yes = [self._quotes[2 * index] for index in self._rows]
        no = [self._quotes[2 * index + 1] for index in self._rows]
        return {
            **_turned(YES_CELLS, yes),
            **_turned(NO_CELLS, no),
            "quoted_at": [self._quoted_at(index) for index in self._rows],
            "opened_at": [start if start <= now else 0 for start in self._starts],
        }

    def _depths(self) -> Books:
        """Every row's levels on all four sides."""
        yes = [self._both(2 * index) for index in self._rows]
        no = [self._both(2 * index + 1) for index in self._rows]
        return Books.of([book[side] for book in books] for books in (yes, no) for side in range(2))

    def _both(self, slot: int) -> Book:
        """One outcome's levels: as recorded, else what its point was made to."""
        bid, bid_size, ask, ask_size = self._quotes[slot]
        return self._books.get(slot) or Book(_level(bid, bid_size), _level(ask, ask_size))

    def _quoted_at(self, index: int) -> int:
        """The older of what its outcomes' quotes are from: no quote of the row is older than it says."""
        yes, no = self._stated_at[2 * index], self._stated_at[2 * index + 1]
        return min(yes, no) or max(yes, no)


def _turned(names: Sequence[str], rows: Sequence[Sequence[int]]) -> Cells:
    """Rows to columns."""
    return dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(names, ())


def _level(price: int, size: int) -> Levels:
    return ((price, size),) if price else ()


def _texts(markets: Sequence[Market]) -> Texts:
    columns = {
        column.name: [getattr(market, column.name, "") for market in markets] for column in TEXT_COLUMNS
    }
    return Texts.of(columns)
