"""Rows of levels become books: each is whole, best first and uncrossed, or refused.

Laws: a book is the rows of one outcome at one time, one after the other, level by level from 0, the best. What cannot
be is told by column and row to whoever knows the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from pp_host.backtest.book import Book
from pp_host.errors import OperatorError

BOTH_HINT = "a side has both, or is null in both where nobody is there"

Fault = Callable[[str, int, str, str], OperatorError]  # column of books.parquet, row, what is wrong, hint


class Rung(NamedTuple):
    """One level of one book, 0 where nobody is; `row` is its number in its file, `at` a time."""

    row: int
    at: int
    slot: int
    level: int
    bid: int
    bid_size: int
    ask: int
    ask_size: int


def ladders(rungs: Iterable[Rung], fault: Fault) -> Iterator[list[Rung]]:
    """The rungs of one book after the other. Raises what `fault` makes."""
    ladder: list[Rung] = []
    for rung in rungs:
        check_sides(rung, fault)
        if rung.level == 0:
            if ladder:
                yield ladder
            check_uncrossed(rung, fault)
            ladder = [rung]
        else:
            _check_deeper(rung, ladder, fault)
            ladder.append(rung)
    if ladder:
        yield ladder


def book(ladder: Sequence[Rung]) -> Book:
    return Book(
        tuple((rung.bid, rung.bid_size) for rung in ladder if rung.bid),
        tuple((rung.ask, rung.ask_size) for rung in ladder if rung.ask),
    )


def check_sides(rung: Rung, fault: Fault) -> None:
    """A price has its size, and a size its price."""
    for side, price, size in (("bid", rung.bid, rung.bid_size), ("ask", rung.ask, rung.ask_size)):
        if size and not price:
            raise fault(side, rung.row, "a size without a price", BOTH_HINT)
        if price and not size:
            raise fault(f"{side}_size", rung.row, "a price without a size", BOTH_HINT)


def check_uncrossed(rung: Rung, fault: Fault) -> None:
    if rung.bid and rung.ask and rung.bid >= rung.ask:
        what = f"crossed: bid {rung.bid} micro-USD, ask {rung.ask}"
        raise fault("bid", rung.row, what, "a book's best bid is below its best ask")


def _check_deeper(rung: Rung, ladder: Sequence[Rung], fault: Fault) -> None:
    """It follows its book's last rung, and is worse on each side that has somebody."""
    if not ladder or (rung.at, rung.slot, rung.level) != (ladder[0].at, ladder[0].slot, len(ladder)):
        what = f"level {rung.level} does not follow level {rung.level - 1} of its book"
        raise fault("level", rung.row, what, "the levels of a book are rows one after the other, from 0")
    if not (rung.bid or rung.ask):
        raise fault("level", rung.row, "nobody is at this level", "leave the row out")
    above = ladder[-1]
    if rung.bid and rung.bid >= above.bid:
        what = f"{rung.bid} micro-USD is not below {above.bid or 'nobody'}, the level before it"
        raise fault("bid", rung.row, what, "bids fall from level to level")
    if rung.ask and (rung.ask <= above.ask or not above.ask):
        what = f"{rung.ask} micro-USD is not above {above.ask or 'nobody'}, the level before it"
        raise fault("ask", rung.row, what, "asks rise from level to level")
