"""One run's money: the account's own ledger played on, and who earned what where.

Laws: every amount comes out of the ledger that trades are booked in, so that what stands here cannot differ from it.
A payout is dealt to those who held the market in proportion to their shares; what rounding leaves is dealt too.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain

from msgspec import Struct

from pp_host.app.report.curve import Tracer
from pp_host.app.report.shapes import Curves, Money, Payout, Taking
from pp_host.core.entries import Marked, booked
from pp_host.core.ledger import Ledger
from pp_host.model import MICRO, PPM, Fill, Holding, Settlement
from pp_host.record.entry import Entry

PAYOUTS = 200  # rows of the page's table; totals are over all
Place = tuple[str, str]
"""plugin, market"""


class Earned(Struct):
    """What one plugin's trades in one market came to in the run."""

    trades: int = 0
    bought: int = 0
    sold: int = 0
    paid: int = 0
    realised: int = 0
    fees: int = 0


class Drawdown(Struct, frozen=True):
    """The deepest fall of equity below its highest so far: how deep, from what, when."""

    depth: int = 0
    peak: int = 0
    at: int | None = None

    @property
    def ppm(self) -> int:
        return self.depth * PPM // self.peak if self.peak > 0 else 0


class RunBooks:
    """`ledger` is the account when the run began; entries of the run are then taken one after the other."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.before = ledger.balance
        self.equity_start = ledger.marks.equity
        self.observations = 0
        self.first: int | None = None
        self.last: int | None = None
        self.drawdown = Drawdown()
        self.settled = 0
        self.settled_held: set[str] = set()
        self.payouts: deque[Payout] = deque(maxlen=PAYOUTS)
        self.earned: dict[Place, Earned] = {}
        self._peak = ledger.marks.equity
        self._equity, self._fall, self._exposure, self._cash = Tracer(), Tracer(), Tracer(), Tracer()

    def take(self, entry: Entry) -> None:
        """Book one entry of the run; others than those that move money, or of another account, change nothing."""
        event = booked(entry.event, entry.subject, self.ledger.account)
        match event:
            case None:
                return
            case Fill():
                self._fill(event, entry.seq)
            case Settlement():
                self._settle(event, entry.seq)
            case _:
                self.ledger.apply(event, entry.seq)
        if isinstance(event, Marked):
            self._mark(event)

    def money(self) -> Money:
        now, before, equity = self.ledger.balance, self.before, self.ledger.marks.equity
        profit, earned = equity - self.equity_start, self.earned.values()
        realised, fees = now.realised - before.realised, now.fees - before.fees
        return Money(
            equity_start=self.equity_start,
            equity_end=equity,
            profit=profit,
            cash=now.cash,
            reserved=now.reserved,
            positions_cost=now.cost,
            unrealised=equity - now.cash - now.exposure,
            revalued=profit - realised + fees,
            realised=realised,
            fees=fees,
            bought=sum(one.bought for one in earned),
            sold=sum(one.sold for one in earned),
            paid=sum(one.paid for one in earned),
            drawdown=self.drawdown.depth,
            drawdown_ppm=self.drawdown.ppm,
            drawdown_at=self.drawdown.at,
        )

    def curves(self) -> Curves:
        return Curves(
            equity=self._equity.curve(),
            drawdown=self._fall.curve(),
            exposure=self._exposure.curve(),
            cash=self._cash.curve(),
        )

    def agents(self, asked: Collection[str]) -> list[Taking]:
        """By plugin, the most profitable first; those who were `asked` and did not trade among them."""
        idle = ((plugin, Earned()) for plugin in asked)
        return _takings(chain(idle, ((plugin, earned) for (plugin, _), earned in self.earned.items())))

    def markets(self) -> list[Taking]:
        """By market, the most profitable first."""
        return _takings((market, earned) for (_, market), earned in self.earned.items())

    def _fill(self, fill: Fill, seq: int) -> None:
        if self.ledger.knows(fill.trade):
            return
        before = self.ledger.balance
        self.ledger.apply(fill, seq)
        after, earned = self.ledger.balance, self._of(fill.plugin, fill.market)
        earned.trades += 1
        earned.fees += after.fees - before.fees
        earned.realised += after.realised - before.realised
        if fill.side == "buy":
            earned.bought += fill.amount
        else:
            earned.sold += fill.amount

    def _settle(self, paid: Settlement, seq: int) -> None:
        lots = self.ledger.held(paid.market)
        self.ledger.apply(paid, seq)
        self.settled += 1
        if not lots:
            return
        self.settled_held.add(paid.market)
        self.payouts.append(_payout(paid, seq))
        for lot, payout in dealt(paid, lots):
            earned = self._of(lot.plugin, lot.market)
            earned.paid += payout
            earned.realised += payout - lot.cost

    def _mark(self, marked: Marked) -> None:
        self.observations += 1
        self.first = marked.now if self.first is None else self.first
        self.last = marked.now
        self._peak = max(self._peak, marked.equity)
        fall = self._peak - marked.equity
        if fall > self.drawdown.depth:
            self.drawdown = Drawdown(fall, self._peak, marked.now)
        self._equity.add(marked.now, marked.equity)
        self._fall.add(marked.now, -fall)
        self._exposure.add(marked.now, marked.exposure)
        self._cash.add(marked.now, marked.cash)

    def _of(self, plugin: str, market: str) -> Earned:
        return self.earned.setdefault((plugin, market), Earned())


def dealt(paid: Settlement, lots: Sequence[Holding]) -> Iterator[tuple[Holding, int]]:
    """Each lot and its part of the payout; of each outcome the parts add up to what core.settle pays."""
    for outcome, price in (("yes", paid.yes_payout), ("no", MICRO - paid.yes_payout)):
        held = [lot for lot in lots if lot.outcome == outcome]
        total = sum(lot.shares for lot in held)
        payout, shares, given = total * price // MICRO, 0, 0
        for lot in held:
            shares += lot.shares
            part = payout * shares // total - given
            given += part
            yield lot, part


def _payout(paid: Settlement, seq: int) -> Payout:
    names = ("at", "market", "yes_payout", "yes_shares", "no_shares", "payout", "cost", "realised")
    return Payout(seq=seq, **{name: getattr(paid, name) for name in names})


def _takings(earned: Iterable[tuple[str, Earned]]) -> list[Taking]:
    sums: dict[str, Counter[str]] = {}
    for name, one in earned:
        sums.setdefault(name, Counter()).update(
            {field: getattr(one, field) for field in one.__struct_fields__}
        )
    return sorted(
        (_taking(name, total) for name, total in sums.items()), key=lambda one: (-one.profit, one.name)
    )


def _taking(name: str, total: Mapping[str, int]) -> Taking:
    profit = total["realised"] - total["fees"]
    return Taking(name=name, profit=profit, **{field: total[field] for field in Earned.__struct_fields__})
