"""Every port of the core in memory, without locks, files or waiting."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from pp_host.core.book import Book
from pp_host.core.entries import Deposit
from pp_host.core.execution import write
from pp_host.core.ledger import Ledger
from pp_host.core.policy import Budget, Policy
from pp_host.errors import RecordError
from pp_host.model import MICRO, Fill, Observed, Order, PluginRef, Sighting, Wish
from pp_host.ports import Answer, Opinion, Picked, Ports
from pp_host.venue.paper import PaperVenue
from pp_sdk.events import Event
from pp_sdk.table import MarketRow, MarketTable, build
from pp_sdk.types import Advice, Decision, Proposal, RiskView, SnapshotRequest

NOON = 20_000 * 86_400_000_000 + 43_200_000_000
ACCOUNT = "paper"
SOURCE = PluginRef("org.example.source", "1.0.0", "5" * 64)
STRATEGY = PluginRef("org.example.strategy", "1.0.0", "d" * 64)
AGENT = PluginRef("org.example.agent", "1.0.0", "a" * 64)
ADVISER = PluginRef("org.example.adviser", "1.0.0", "b" * 64)
ROOMY = Policy(
    max_order=10_000 * MICRO,
    max_market=10_000 * MICRO,
    max_exposure=10_000 * MICRO,
    max_positions=50,
    max_daily_loss=10_000 * MICRO,
    max_drawdown_ppm=999_999,
    max_snapshot_age=120_000_000,
    max_spread=150_000,
    min_price=10_000,
    max_price=990_000,
    sizing="kelly",
    kelly_fraction_ppm=250_000,
    fixed_amount=10 * MICRO,
    fee_rate=70_000,
)


def usd(amount: float) -> int:
    return round(amount * MICRO)


def market(name: str = "m", **cells: Any) -> MarketRow:
    """An open market quoted 0.48 / 0.50 for YES and 0.49 / 0.51 for NO, 1,000 shares a side, no fee."""
    cells.setdefault("yes_bids", ((480_000, usd(1000)),))
    cells.setdefault("yes_asks", ((500_000, usd(1000)),))
    cells.setdefault("no_bids", ((490_000, usd(1000)),))
    cells.setdefault("no_asks", ((510_000, usd(1000)),))
    defaults = {"quoted_at": NOON, "fee_rate": 0, "fee_exponent": 1, "tick": 10_000, "min_size": usd(5)}
    return MarketRow(id=name, **{**defaults, **cells})


def buy(probability: float = 0.6, name: str = "m", outcome: str = "yes", **fields: Any) -> Decision:
    return Decision(market=name, outcome=outcome, side="buy", probability=probability, **fields)


def sell(name: str = "m", outcome: str = "yes", **fields: Any) -> Decision:
    return Decision(market=name, outcome=outcome, side="sell", probability=0.5, **fields)


class Entry(Struct, frozen=True):
    seq: int
    event: str
    subject: dict[str, Any]
    cause: int | None
    plugin: PluginRef | None
    verdict: str
    rule: str


class FakeRecord:
    """Entries as plain values; what is not durable is lost when `power_cut` is called."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.durable_size = 0
        self.full = False
        self.on_append: Callable[[Entry], None] = lambda entry: None

    def append(
        self,
        event: str,
        subject: Mapping[str, Any] | Struct,
        *,
        cause: int | None = None,
        plugin: PluginRef | None = None,
        capability: str = "",
        verdict: str = "",
        rule: str = "",
    ) -> int:
        if self.full:
            raise RecordError("the disk is full")
        assert cause is None or cause < len(self.entries)
        plain = msgspec.json.decode(msgspec.json.encode(subject))
        entry = Entry(len(self.entries), event, plain, cause, plugin, verdict, rule)
        self.entries.append(entry)
        self.on_append(entry)
        return entry.seq

    async def durable(self, seq: int) -> None:
        if self.full:
            raise RecordError("the disk is full")
        self.durable_size = max(self.durable_size, seq + 1)

    def power_cut(self, kept: int | None = None) -> None:
        """Keep what was durable, and `kept` entries more."""
        del self.entries[self.durable_size + (kept or 0) :]

    def replayable(self) -> list[tuple[int, str, dict[str, Any]]]:
        return [(entry.seq, entry.event, entry.subject) for entry in self.entries]

    def events(self) -> list[str]:
        return [entry.event for entry in self.entries]

    def of(self, event: str) -> list[Entry]:
        return [entry for entry in self.entries if entry.event == event]

    def chain(self, entry: Entry) -> list[str]:
        """Events from `entry` back to the first cause."""
        events = [entry.event]
        while entry.cause is not None:
            entry = self.entries[entry.cause]
            events.append(entry.event)
        return events


class FakeClock:
    def __init__(self, now: int = NOON) -> None:
        self.time = now

    def now(self) -> int:
        return self.time

    async def wait_until(self, moment: int) -> None:
        self.time = max(self.time, moment)


class FakeSources:
    """Shows `tables`, one per source; records a call for each, as a supervisor would."""

    def __init__(self, record: FakeRecord, *tables: MarketTable) -> None:
        self.record = record
        self.tables = list(tables)
        self.requests: list[SnapshotRequest] = []

    async def snapshot(self, request: SnapshotRequest) -> Sequence[Sighting]:
        self.requests.append(request)
        return [
            Sighting(source=SOURCE, table=table, call=self.record.append("plugin.call", {"hook": "snapshot"}))
            for table in self.tables
        ]


class FakeStrategy:
    """Selects `scores`; gives no answer while they are None."""

    def __init__(self, record: FakeRecord, scores: dict[str, int] | None) -> None:
        self.record = record
        self.scores = scores

    async def select(self, observed: Observed) -> Picked:
        call = self.record.append("plugin.call", {"hook": "select"}, cause=observed.seq)
        return Picked(plugin=STRATEGY, call=call, scores=self.scores)


class FakeAgents:
    """Answers every moment with the same decisions, until told otherwise."""

    def __init__(self, record: FakeRecord, *decisions: Decision, plugin: PluginRef = AGENT) -> None:
        self.record = record
        self.decisions = decisions
        self.plugin = plugin

    def asked(self) -> tuple[str, ...]:
        return (self.plugin.id,)

    async def decide(self, observed: Observed) -> Sequence[Answer]:
        cause = observed.selection.seq if observed.selection else observed.seq
        call = self.record.append("plugin.call", {"hook": "decide"}, cause=cause)
        return [Answer(plugin=self.plugin, call=call, decisions=self.decisions)]


class FakeAdvisers:
    """Every one of `advice` is another risk plugin; an Exception in its place is raised."""

    def __init__(self, record: FakeRecord, *advice: Advice | None) -> None:
        self.record = record
        self.advice = advice
        self.asked: list[tuple[Proposal, RiskView]] = []

    async def advise(self, proposal: Proposal, view: RiskView, *, cause: int) -> Sequence[Opinion]:
        self.asked.append((proposal, view))
        return [
            Opinion(
                plugin=ADVISER,
                call=self.record.append("plugin.call", {"hook": "advise"}, cause=cause),
                advice=said,
            )
            for said in self.advice
        ]


class FakeOutputs:
    """Keeps what it is told; `rooms` counts how often somebody waited for room."""

    def __init__(self) -> None:
        self.told: list[Event] = []
        self.rooms = 0

    def notify(self, event: Event) -> None:
        self.told.append(event)

    async def room(self) -> None:
        self.rooms += 1

    def kinds(self) -> list[str]:
        return [event.kind for event in self.told]


class FakeKill:
    def __init__(self) -> None:
        self.reason: str | None = None

    def latched(self) -> str | None:
        return self.reason


class ScriptedVenue:
    """Calls `script` for each submit; `known` is what lookup finds; forbids when `can_forbid`."""

    def __init__(self, script: Callable[[Order], Sequence[Fill]] = lambda order: ()) -> None:
        self.script = script
        self.sent: list[Order] = []
        self.known: dict[str, Sequence[Fill]] = {}
        self.can_forbid = True
        self.forbidden: set[str] = set()

    def show(self, markets: MarketTable, now: int) -> None:
        pass

    async def submit(self, order: Order) -> Sequence[Fill]:
        self.sent.append(order)
        fills = self.known[order.id] = self.script(order)
        return fills

    async def lookup(self, order_id: str) -> Sequence[Fill] | None:
        return self.known.get(order_id)

    async def forbid(self, order_id: str) -> bool:
        if self.can_forbid:
            self.forbidden.add(order_id)
        return self.can_forbid


class World:
    """A host's core among fakes, 1,000 USD on account."""

    def __init__(self, *rows: MarketRow, decisions: Sequence[Decision] = (), cash: int = usd(1000)) -> None:
        self.record = FakeRecord()
        self.clock = FakeClock()
        self.sources = FakeSources(self.record, build(rows or (market(),)))
        self.strategy: FakeStrategy | None = None
        self.agents = FakeAgents(self.record, *decisions)
        self.advisers = FakeAdvisers(self.record)
        self.outputs = FakeOutputs()
        self.venue: Any = PaperVenue()
        weakref.finalize(self, self.venue.close)  # tests put other venues in its place
        self.kill = FakeKill()
        self.book = Book(ledger=Ledger(ACCOUNT), run="r1")
        self.policy = ROOMY
        self.budgets = {AGENT.id: Budget()}
        write(self.record, self.book.ledger, Deposit(account=ACCOUNT, amount=cash, at=NOON))

    @property
    def ledger(self) -> Ledger:
        return self.book.ledger

    @property
    def ports(self) -> Ports:
        return Ports(
            clock=self.clock,
            record=self.record,
            sources=self.sources,
            strategy=self.strategy,
            agents=self.agents,
            advisers=self.advisers,
            outputs=self.outputs,
            venue=self.venue,
            kill=self.kill,
        )

    def show(self, *rows: MarketRow) -> None:
        self.sources.tables = [build(rows)]

    def restart(self) -> None:
        """Another run of the host on the same record."""
        ledger = Ledger.replay(ACCOUNT, self.record.replayable())
        self.book = Book(ledger=ledger, run=self.book.run + "'")


def fill_of(order: Order, shares: int, price: int, *, fee: int = 0, number: int = 0, **changes: Any) -> Fill:
    """A trade of `order`, rounded as a venue would."""
    exact = shares * price
    amount = -(-exact // MICRO) if order.side == "buy" else exact // MICRO
    fields = {
        "account": order.account,
        "trade": f"{order.id}-{number}",
        "order": order.id,
        "plugin": order.plugin,
        "market": order.market,
        "outcome": order.outcome,
        "side": order.side,
        "shares": shares,
        "price": price,
        "amount": amount,
        "fee": fee,
        "at": NOON,
    }
    return Fill(**{**fields, **changes})


def wish(decision: Decision, plugin: PluginRef = AGENT, seq: int = 7) -> Wish:
    return Wish(plugin=plugin, decision=decision, seq=seq)
