"""From what the sources showed to the one moment that everything in a cycle refers to.

Laws: a single table passes through untouched; of several, the first configured source that shows a market is
believed (book: unless the market follows another), and its snapshot is where the market's row came from.
Positions are marked at what somebody would pay for them now, their outcome's best bid, never at a last price
or a middle. Without a bid the last one seen stands; one never seen counts as 0 when the market is on the
table without buyers, and as cost when the market is not on the table at all (after a start, before its source
has spoken). A resolved market is marked at its payout. The day turns at 00:00 UTC and opens with the last
worth before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace
from pp_sdk.table import MarketRow, MarketTable, Row, build

from pp_host.core.book import Book
from pp_host.core.entries import Marked, Seen
from pp_host.core.ledger import DAY
from pp_host.model import MICRO, Holding, Observed, Sighting
from pp_host.ports import Record


class Moment(NamedTuple):
    """What was observed, and what is believed of each source's table with the entry of its snapshot, in
    configured order."""

    observed: Observed
    snapshots: tuple[tuple[MarketTable, int], ...]

    def snapshot_of(self, market: str) -> int | None:
        """The entry of the snapshot that the market's row was taken from; None when no source shows it."""
        return next((seq for table, seq in self.snapshots if table.get(market) is not None), None)


def observe(sightings: Sequence[Sighting], book: Book, record: Record, now: int) -> Moment:
    """Write down what was seen and what the account is worth, and return it."""
    tables = [book.believed(sighting) for sighting in sightings]
    markets, duplicates = union(tables)
    book.follow(markets, sightings)
    seen = [_write_sighting(sighting, record) for sighting in sightings]
    ledger, marks = book.ledger, book.ledger.marks
    balance, day = ledger.balance, now // DAY
    equity = equity_at(markets, book)
    marked = Marked(
        account=ledger.account,
        now=now,
        rows=len(markets),
        digest=markets.digest,
        snapshots=tuple(seen),
        duplicates=duplicates,
        equity=equity,
        cash=balance.cash,
        exposure=balance.exposure,
        peak=max(marks.peak, equity),
        day=max(day, marks.day),
        day_start_equity=marks.equity if day > marks.day else marks.day_start,
    )
    seq = record.append("observation", marked, cause=seen[0] if seen else None)
    ledger.apply(marked, seq)
    observed = Observed(
        now=now,
        markets=markets,
        equity=equity,
        cash=balance.cash,
        exposure=balance.exposure,
        holdings=ledger.holdings(),
        seq=seq,
    )
    return Moment(observed, tuple(zip(tables, seen, strict=True)))


def revalued(observed: Observed, book: Book) -> Observed:
    """The same moment with the account as it stands now, after the orders of this cycle so far."""
    balance = book.ledger.balance
    return replace(
        observed,
        equity=equity_at(observed.markets, book),
        cash=balance.cash,
        exposure=balance.exposure,
        holdings=book.ledger.holdings(),
    )


def union(tables: Sequence[MarketTable]) -> tuple[MarketTable, int]:
    """All markets once, and how many rows were left out because an earlier table had the market."""
    if len(tables) == 1:
        return tables[0], 0
    rows: dict[str, MarketRow] = {}
    duplicates = 0
    for table in tables:
        for row in table:
            if row.id in rows:
                duplicates += 1
            else:
                rows[row.id] = row.to_market_row()
    return build(rows.values()), duplicates


def equity_at(markets: MarketTable, book: Book) -> int:
    """What the account is worth now, micro-USD: cash, what is reserved, and the positions."""
    balance = book.ledger.balance
    return balance.cash + balance.reserved + worth(markets, book)


def worth(markets: MarketTable, book: Book) -> int:
    """What the positions would bring, rounded down; remembers the bids it saw."""
    total = 0
    for lot in book.ledger.holdings():
        row = markets.get(lot.market)
        bid = None if row is None else _bid(row, lot.outcome)
        if bid is not None:
            book.bids[lot.market, lot.outcome] = bid
        total += _value(lot, book.bids.get((lot.market, lot.outcome)), listed=row is not None)
    return total


def _value(lot: Holding, bid: int | None, *, listed: bool) -> int:
    if bid is not None:
        return lot.shares * bid // MICRO
    return 0 if listed else lot.cost


def _bid(row: Row, outcome: str) -> int | None:
    if row.yes_payout is not None:
        return row.yes_payout if outcome == "yes" else MICRO - row.yes_payout
    return row.yes_bid if outcome == "yes" else row.no_bid


def _write_sighting(sighting: Sighting, record: Record) -> int:
    table = sighting.table
    subject = Seen(source=sighting.source.id, rows=len(table), digest=table.digest)
    return record.append("snapshot", subject, cause=sighting.call, plugin=sighting.source)
