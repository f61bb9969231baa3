"""A market's end: what one share was worth, paid once.

Laws: a market is settled when the source that it follows says it is resolved and names the payout, and only
when this run saw it open or holds something of it (book.seen). NO pays what YES leaves of 1 USD; each
outcome's payout is rounded down over all its shares.
"""

from __future__ import annotations

from itertools import compress

from msgspec.structs import replace
from pp_sdk.table import RESOLVED

from pp_host.core.book import Book
from pp_host.core.ledger import Ledger
from pp_host.model import MICRO, Observed, Settlement
from pp_host.ports import Record


def settle(observed: Observed, book: Book, record: Record) -> tuple[Observed, tuple[Settlement, ...]]:
    """Book and write every settlement due; the moment afterwards, and what was settled."""
    status = observed.markets.column("status")
    ids = observed.markets.cells("id")
    due = [market for market in compress(ids, [cell == RESOLVED for cell in status]) if market in book.seen]
    done = tuple(paid for market in due if (paid := _pay(market, observed, book, record)))
    if not done:
        return observed, ()
    ledger = book.ledger
    after = replace(
        observed, cash=ledger.balance.cash, exposure=ledger.balance.exposure, holdings=ledger.holdings()
    )
    return after, done


def _pay(market: str, observed: Observed, book: Book, record: Record) -> Settlement | None:
    row = observed.markets.get(market)
    if row is None or row.yes_payout is None:
        return None
    paid = settlement(book.ledger, market, row.yes_payout, observed.now)
    book.ledger.apply(paid, record.append("settlement", paid, cause=observed.seq))
    del book.seen[market]
    book.bids.pop((market, "yes"), None)
    book.bids.pop((market, "no"), None)
    book.tally.settled.add(market)
    return paid


def settlement(ledger: Ledger, market: str, yes_payout: int, at: int) -> Settlement:
    """What the market's end brings this account."""
    lots = ledger.held(market)
    yes = sum(lot.shares for lot in lots if lot.outcome == "yes")
    no = sum(lot.shares for lot in lots if lot.outcome == "no")
    payout = yes * yes_payout // MICRO + no * (MICRO - yes_payout) // MICRO
    cost = sum(lot.cost for lot in lots)
    return Settlement(
        account=ledger.account,
        market=market,
        yes_payout=yes_payout,
        yes_shares=yes,
        no_shares=no,
        payout=payout,
        cost=cost,
        realised=payout - cost,
        at=at,
    )
