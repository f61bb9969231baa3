"""What a run plays on: the account, the venue, the clock and the moments. Only these differ between kinds of run.

paper:    the home's account, wall time, a paper venue that remembers its orders across crashes
dry-run:  the same account; nothing is placed, but a market's end is booked as it happens
tape:     a fresh account of the run's own, the tape's time, a venue in memory
demo:     as paper in a home of its own, under a virtual clock
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice

from pp_host.app.journal import Journal
from pp_host.app.options import RunOptions
from pp_host.backtest.quotes import TapeSettings
from pp_host.backtest.tape import Tape
from pp_host.clock import SECOND, SystemClock, VirtualClock
from pp_host.config import Config
from pp_host.core.book import Book
from pp_host.core.entries import BOOKED, EVENT_OF, Deposit
from pp_host.core.ledger import Ledger
from pp_host.home import Home
from pp_host.record.reader import RecordReader
from pp_host.venue.paper import PaperVenue

PAPER = "paper"
DEMO_EPOCH = 1_767_225_600 * SECOND  # 2026-01-01T00:00Z: the demo's first moment, the same for every run
DEMO_STEP = 60 * SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """moments: when each cycle is due, microseconds UTC; total: how many, or None when nobody knows."""

    clock: SystemClock | VirtualClock
    book: Book
    venue: PaperVenue
    moments: Iterator[int]
    total: int | None
    tape: Tape | None
    finale: int | None


def stage_of(home: Home, config: Config, options: RunOptions, journal: Journal, *, run: str) -> Stage:
    """Build the stage and open the account; an account's first money is an entry of the record."""
    tape = _tape(config, options)
    account = f"tape-{run}" if tape else PAPER
    book = Book(ledger=_ledger(home, account), run=run)
    clock: SystemClock | VirtualClock
    if tape:
        moments, total = islice(tape.moments(), options.cycles), min(tape.steps, options.cycles or tape.steps)
        clock = VirtualClock(next(tape.moments()))
        whole = total == tape.steps
        stage = Stage(
            clock=clock,
            book=book,
            venue=PaperVenue(None, tape.booked_at),
            moments=moments,
            total=total,
            tape=tape,
            finale=tape.finale() if whole else None,
        )
    else:
        start, step, clock = _time(config, options)
        stage = Stage(
            clock=clock,
            book=book,
            venue=PaperVenue(home.state / "paper.db"),
            moments=islice(_every(step, start, clock), options.cycles),
            total=options.cycles,
            tape=None,
            finale=None,
        )
    if not book.ledger.balance.deposits and config.account.cash_micros:
        deposit = Deposit(account=account, amount=config.account.cash_micros, at=stage.clock.now())
        book.ledger.apply(deposit, journal.append(EVENT_OF[Deposit], deposit))
    return stage


def _time(config: Config, options: RunOptions) -> tuple[int, int, SystemClock | VirtualClock]:
    """First moment, step and clock of a run that is not a tape."""
    if options.demo:
        return DEMO_EPOCH, DEMO_STEP, VirtualClock(DEMO_EPOCH)
    clock = SystemClock()
    return clock.now(), round(config.host.cycle_seconds * SECOND), clock


def _every(step: int, start: int, clock: SystemClock | VirtualClock) -> Iterator[int]:
    """Moments `step` apart from `start` on. Those that have gone by when one is asked for are left out."""
    for moment in count(start, step):
        if moment + step > clock.now():
            yield moment


def _tape(config: Config, options: RunOptions) -> Tape | None:
    if options.tape is None:
        return None
    settings = TapeSettings(
        spread_ticks=config.tape.spread_ticks, depth=config.tape.depth_micros, tick=config.tape.tick_ppm
    )
    return Tape.open(options.tape, settings)


def _ledger(home: Home, account: str) -> Ledger:
    """The account as the record tells it: start-up and crash recovery are this one path."""
    with RecordReader.open(home.state) as reader:
        entries = reader.entries(tuple(BOOKED), account=account)
        return Ledger.replay(account, ((entry.seq, entry.event, entry.subject) for entry in entries))
