"""A recorded stretch of market history, played step by step as if it were live.

Laws: a table shows what was knowable at its time and nothing else: of each outcome the newest statement, point or
book, and of two at the same time the book. A market is in sight from its first statement until the one step that
shows it resolved; rows follow the ids, never the files, so that a tape cut short
plays the same tables up to the cut. What was written down afterwards (volume, last trade, the book at the
close, the time of the last price) is never read. Time only moves forward.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pp_sdk.table import MarketTable
from pp_sdk.types import SnapshotRequest

from pp_host.backtest.board import Board
from pp_host.backtest.folder import TapeFolder
from pp_host.backtest.market import NEVER
from pp_host.backtest.quotes import TapeSettings
from pp_host.model import Outcome, PluginRef, Sighting

__all__ = ["Tape", "TapeSettings", "TapeSource"]


class Tape:
    """The recorded markets of one folder and a place in them.

    digest:   as TapeFolder tells it
    markets:  how many have a price or a book
    outcomes: how many of those have a recorded outcome; each is shown resolved once
    steps:    distinct times of the prices and books
    """

    def __init__(self, folder: TapeFolder, settings: TapeSettings) -> None:
        survey = folder.survey().whole
        self._moments = survey.moments
        self._ends = [market.end(survey.moments[-1]) for market in folder.markets]
        self._known_ends = [self._ends[index] for index in survey.markets if self._ends[index] < NEVER]
        self.digest = folder.digest
        self.markets = len(survey.markets)
        self.outcomes = len(self._known_ends)
        self.steps = len(survey.moments)
        self._statements = folder.statements()
        self._next = next(self._statements, None)
        self._index = {market.id: index for index, market in enumerate(folder.markets)}
        self._board = Board(folder.markets, settings)
        self._rows: list[int] = []
        self._ended: frozenset[int] = frozenset()
        self._first = [NEVER] * len(folder.markets)
        self._next_end = NEVER
        self._now = -1
        self._table = self._board.table(self._now)

    @classmethod
    def open(cls, folder: Path, settings: TapeSettings) -> Tape:
        """Read and check all files. Raises OperatorError naming file, column and row."""
        return cls(TapeFolder.read(folder), settings)

    def moments(self) -> Iterator[int]:
        """Every distinct time of a price or book, ascending, microseconds UTC."""
        return iter(self._moments)

    def finale(self) -> int | None:
        """The moment after every step and end, which settles what is left; None when no outcome is recorded."""
        return max(*self._known_ends, self._moments[-1]) + 1 if self._known_ends else None

    def table_at(self, now: int) -> MarketTable:
        """The markets as they stood at `now`, which may not be earlier than the call before."""
        if now < self._now:
            raise ValueError(f"a tape does not run backwards: {now} after {self._now}")
        if now > self._now:
            self._now = now
            self._advance(now)
            self._table = self._board.table(now)
        return self._table

    def booked_at(self, market: str, outcome: Outcome) -> int | None:
        """When the outcome's book that the last table shows was recorded; None where a point makes its quotes."""
        return self._board.booked_at(2 * self._index[market] + (outcome == "no"))

    def _advance(self, now: int) -> None:
        """Take in what happened up to `now`; rearrange the board only when rows enter, end or leave."""
        entered = self._take(now)
        if not entered and now <= self._next_end:
            return
        self._rows = sorted([index for index in self._rows if index not in self._ended] + entered)
        # one that is first stated after its end is open for that step, so that everybody sees it end
        self._ended = frozenset(i for i in self._rows if max(self._ends[i], self._first[i]) < now)
        self._next_end = min((self._ends[index] for index in self._rows), default=NEVER)
        self._board.arrange(self._rows, self._ended)

    def _take(self, now: int) -> list[int]:
        """Quote from the statements up to `now`, leaving out those after a market's end; return the newcomers."""
        entered = []
        while self._next is not None and self._next[0] <= now:
            at, slot, stated = self._next
            index = slot // 2
            if at <= self._ends[index]:
                self._board.quote(slot, stated, at)
            if self._first[index] == NEVER:
                self._first[index] = at
                entered.append(index)
            self._next = next(self._statements, None)
        return entered


class TapeSource:
    """The tape as the one source of a run. No plugin was called, so there is no call to name."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._ref = PluginRef("tape", "1", tape.digest)

    async def snapshot(self, request: SnapshotRequest) -> Sequence[Sighting]:
        """The table at `request.now`. Every end is shown once to everybody, so `held` adds nothing."""
        return (Sighting(source=self._ref, table=self._tape.table_at(request.now), call=None),)
