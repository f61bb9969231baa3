"""A venue on paper: takers trade against the book that the cycle is looking at.

Laws: nothing fills at an order's own price, only at the book's, best level first and never beyond the limit;
a level that was taken stays taken until its market is quoted anew, its outcome's book is recorded anew where a tape
has books, or the host restarts. An order is answered
once: the same id gets the same trades again, also after a restart, and an id that was refused or forbidden
stays refused. Orders and trades are one commit.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
from pp_sdk.table import OPEN, MarketTable

from pp_host import disk
from pp_host.errors import InDoubt, OperatorError, VenueError
from pp_host.fees import fee, paid, received
from pp_host.model import Fill, Order, Outcome

HINT = "move it away, after a look at the record: orders still open would be looked up there"
SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, refused TEXT) STRICT;
CREATE TABLE IF NOT EXISTS trades (
    id TEXT PRIMARY KEY, order_id TEXT NOT NULL REFERENCES orders, position INTEGER NOT NULL, body BLOB NOT
    NULL
) STRICT;
CREATE INDEX IF NOT EXISTS trades_of_order ON trades (order_id, position);
"""


_Level = tuple[str, Outcome, str, int]  # market, outcome, side, price
_Depth = tuple[int | None, int | None]  # the time of the book, else of the market's quotes
BookedAt = Callable[[str, Outcome], int | None]


def unrecorded(market: str, outcome: Outcome) -> None:
    """No outcome has a recorded book: quotes are as old as their market's row says."""


class PaperVenue:
    """Immediate-or-cancel against the table last shown. `path` None keeps orders in memory, for tapes.

    booked_at: when the book shown of an outcome was recorded; None where the market's row tells it
    OperatorError: `path` is no paper venue's file.
    """

    def __init__(self, path: Path | None = None, booked_at: BookedAt = unrecorded) -> None:
        self._db = _opened(path)
        self._booked_at = booked_at
        self._markets: MarketTable | None = None
        self._now = 0
        self._taken: dict[_Level, tuple[_Depth, int]] = {}

    def close(self) -> None:
        self._db.close()

    def show(self, markets: MarketTable, now: int) -> None:
        """A market quoted anew brings its own depth; one with the same quotes, or not shown, brings none."""
        self._markets, self._now = markets, now
        self._taken = {
            level: taken
            for level, taken in self._taken.items()
            if markets.get(level[0]) is None or taken[0] == self._depth(level[0], level[1])
        }

    async def submit(self, order: Order) -> Sequence[Fill]:
        """The order's trades. VenueError: refused, now and for good; InDoubt: its memory failed."""
        with self._memory():
            answer = self._answer(order.id)
            if answer is None:
                refused = self._refusal(order)
                answer = refused, () if refused else self._walk(order)
                self._remember(order.id, *answer)
                self._take(answer[1])
        refused, fills = answer
        if refused is not None:
            raise VenueError(f"order {order.id}: {refused}")
        return fills

    async def lookup(self, order_id: str) -> Sequence[Fill] | None:
        """The trades of an order that was answered, none for a refused one; None when it never arrived."""
        with self._memory():
            answer = self._answer(order_id)
        return None if answer is None else answer[1]

    async def forbid(self, order_id: str) -> bool:
        """Refuse the order should it still arrive; False when it has traded already."""
        with self._memory():
            answer = self._answer(order_id)
            if answer is None:
                self._remember(order_id, "forbidden", ())
        return answer is None or answer[0] is not None

    def _refusal(self, order: Order) -> str | None:
        row = self._markets.get(order.market) if self._markets else None
        if row is None or row.status != OPEN:
            return "the market is not open"
        return "expired" if self._now >= order.expires_at else None

    def _walk(self, order: Order) -> tuple[Fill, ...]:
        """One trade per level within the limit that has anything left."""
        fills, wanted = [], order.shares
        for level, (price, size) in enumerate(self._book(order)):
            beyond = price > order.limit_price if order.side == "buy" else price < order.limit_price
            shares = min(wanted, size - self._taken_of(order, price))
            if beyond or not wanted:
                break
            if shares > 0:
                fills.append(self._fill(order, level, price, shares))
                wanted -= shares
        return tuple(fills)

    def _book(self, order: Order) -> tuple[tuple[int, int], ...]:
        row = self._markets.get(order.market) if self._markets else None
        return row.book(order.outcome, "ask" if order.side == "buy" else "bid") if row else ()

    def _fill(self, order: Order, level: int, price: int, shares: int) -> Fill:
        amount = paid(shares, price) if order.side == "buy" else received(shares, price)
        return Fill(
            account=order.account,
            trade=f"{order.id}-{level}",
            order=order.id,
            plugin=order.plugin,
            market=order.market,
            outcome=order.outcome,
            side=order.side,
            shares=shares,
            price=price,
            amount=amount,
            fee=fee(shares, price, order.fee_rate, order.fee_exponent),
            at=self._now,
        )

    def _take(self, fills: Sequence[Fill]) -> None:
        for fill in fills:
            taken = self._taken_of(fill, fill.price) + fill.shares
            self._taken[_level(fill, fill.price)] = self._depth(fill.market, fill.outcome), taken

    def _taken_of(self, trade: Order | Fill, price: int) -> int:
        return self._taken[level][1] if (level := _level(trade, price)) in self._taken else 0

    def _depth(self, market: str, outcome: Outcome) -> _Depth:
        """What tells the depth now shown from the one before."""
        booked_at = self._booked_at(market, outcome)
        row = self._markets.get(market) if self._markets and booked_at is None else None
        return booked_at, row.quoted_at if row else None

    def _answer(self, order_id: str) -> tuple[str | None, tuple[Fill, ...]] | None:
        """What was answered before: why it was refused, and its trades."""
        row = self._db.execute("SELECT refused FROM orders WHERE id = ?", (order_id,)).fetchone()
        if row is None:
            return None
        query = "SELECT body FROM trades WHERE order_id = ? ORDER BY position"
        bodies = self._db.execute(query, (order_id,)).fetchall()
        return row[0], tuple(msgspec.json.decode(body, type=Fill) for (body,) in bodies)

    def _remember(self, order_id: str, refused: str | None, fills: Sequence[Fill]) -> None:
        self._db.execute("INSERT INTO orders VALUES (?, ?)", (order_id, refused))
        rows = [(fill.trade, order_id, at, msgspec.json.encode(fill)) for at, fill in enumerate(fills)]
        self._db.executemany("INSERT INTO trades VALUES (?, ?, ?, ?)", rows)

    @contextmanager
    def _memory(self) -> Iterator[None]:
        """One transaction; what it wrote is on disk when it ends."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            with self._db:
                yield
        except sqlite3.Error as error:
            raise InDoubt(f"paper.db: {error}") from error


def _opened(path: Path | None) -> sqlite3.Connection:
    """The venue's memory, with its tables."""
    if path is not None:
        disk.find_database(path, hint=HINT)
    try:
        db = sqlite3.connect(path or ":memory:", isolation_level=None)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.executescript(SCHEMA)
        except sqlite3.Error:
            db.close()
            raise
    except sqlite3.Error as error:
        raise OperatorError(f"{path}: {error}", hint=HINT) from error
    return db


def _level(trade: Order | Fill, price: int) -> _Level:
    return trade.market, trade.outcome, trade.side, price
