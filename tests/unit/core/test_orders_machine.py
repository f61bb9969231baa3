"""Orders against a venue that loses, delays and repeats, and a host that dies anywhere.

The invariants are those that money depends on: the books balance, exposure stays within its limit wherever an order
may be, a decision becomes at most one order at the venue, every order there is in the record, no send starts after a
kill, each trade counts once, nothing stays reserved, and replaying the record twice is replaying it once. Every
design that is known to lose money is kept as a mutant which this machine must catch.
"""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from msgspec.structs import replace
from pp_host.core import execution
from pp_host.core.entries import Deposit, Intent
from pp_host.core.execution import place, reconcile, write
from pp_host.core.ledger import Ledger
from pp_host.errors import InDoubt, RecordError, VenueError
from pp_host.model import MICRO, Fill, Order

from tests.unit.core.fakes import ACCOUNT, AGENT, NOON, World, fill_of
from tests.unit.core.test_ledger import order

LIMIT = 100
CASH = 1000
PRICE = 500_000  # two micro-shares cost one micro-dollar, so that every amount is exact
HIGH_BID = 600_000


class Crash(Exception):
    """The host's process is gone."""


class RoughVenue:
    """Executes an order at most once per id, whatever happens to the messages about it."""

    def __init__(self) -> None:
        self.trades: dict[str, list[Fill]] = {}
        self.late: list[Order] = []
        self.forbidden: set[str] = set()
        self.mode = "ok"
        self.parts: tuple[int, ...] = ()
        self.sends = 0

    def arrive(self, wanted: Order) -> None:
        if wanted.id in self.forbidden or wanted.id in self.trades:
            return
        trades, left = [], wanted.shares
        for number, part in enumerate(self.parts):
            if shares := min(left, part * 2):
                left -= shares
                trades.append(
                    fill_of(wanted, shares, PRICE if wanted.side == "buy" else HIGH_BID, number=number)
                )
        self.trades[wanted.id] = trades

    async def submit(self, wanted: Order) -> list[Fill]:
        self.sends += 1
        match self.mode:
            case "refused":
                self.forbidden.add(wanted.id)
                raise VenueError("refused")
            case "lost":
                raise InDoubt("the order was lost")
            case "late":
                self.late.append(wanted)
                raise InDoubt("the order is still on its way")
            case "crash before":
                raise Crash
        self.arrive(wanted)
        match self.mode:
            case "reply lost":
                raise InDoubt("the reply was lost")
            case "crash after":
                raise Crash
            case "told twice":
                return self.trades[wanted.id] * 2
        return self.trades[wanted.id]

    async def lookup(self, order_id: str) -> list[Fill] | None:
        return self.trades.get(order_id)

    async def forbid(self, order_id: str) -> bool:
        self.forbidden.add(order_id)
        return True

    def worst(self) -> int:
        """What could at most be at work here: bought, or bought as soon as a late order arrives."""
        fills = [fill for trades in self.trades.values() for fill in trades]
        bought = sum(fill.amount for fill in fills if fill.side == "buy")
        sold = sum(fill.shares * PRICE // MICRO for fill in fills if fill.side == "sell")
        late = sum(
            wanted.shares // 2
            for wanted in self.late
            if wanted.side == "buy" and wanted.id not in self.forbidden
        )
        return bought - sold + late

    def held(self) -> int:
        fills = [fill for trades in self.trades.values() for fill in trades]
        return sum(fill.shares if fill.side == "buy" else -fill.shares for fill in fills)


class Host(World):
    """The code under test; a mutant overrides the part it gets wrong."""

    def __init__(self) -> None:
        super().__init__(cash=CASH)
        self.venue = RoughVenue()
        self.clock.time = NOON

    async def place(self, wanted: Order) -> None:
        await place(wanted, self.ports, self.ledger, cause=0)

    async def reconcile(self) -> None:
        await reconcile(self.ports, self.ledger)

    def crash(self, kept: int) -> None:
        self.record.power_cut(kept)
        self.record.on_append = lambda entry: None
        self.restart()


class Orders(RuleBasedStateMachine):
    host_type = Host

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.host = self.host_type()
        self.loop.run_until_complete(self.host.record.durable(0))
        self.signals = 0

    def run(self, step, kept: int = 0) -> None:
        try:
            self.loop.run_until_complete(step)
        except Crash:
            self.host.crash(kept)

    @rule(
        size=st.sampled_from([10, 30, 60]),
        side=st.sampled_from(["buy", "buy", "sell"]),
        mode=st.sampled_from(["ok", "ok", "refused", "lost", "late", "reply lost", "told twice", "crash before", "crash after"]),
        parts=st.lists(st.sampled_from([5, 10, 30]), max_size=3).map(tuple),
        dies=st.sampled_from([None, None, 1, 2, 3, 4, 5]),
        kept=st.integers(0, 4),
    )  # fmt: skip
    def decide(self, size, side, mode, parts, dies, kept):
        host = self.host
        host.venue.mode, host.venue.parts = mode, parts
        self.signals += 1
        shares = (
            size * 2 if side == "buy" else min(size * 2, host.ledger.sellable(AGENT.id, "m", "yes") // 2 * 2)
        )
        reserve = size if side == "buy" else 0
        if not shares or host.ledger.balance.exposure + reserve > LIMIT:
            return
        self.die_at(dies)
        wanted = order(self.signals, shares, side=side, expires_at=NOON + 1, id=f"signal{self.signals}")
        sends = host.venue.sends
        self.run(host.place(replace(wanted, reserve=reserve)), kept)
        host.record.on_append = lambda entry: None
        assert host.kill.reason is None or host.venue.sends == sends, "a send after the kill"

    def die_at(self, appends: int | None) -> None:
        """The host dies right after writing its n-th entry, before booking it."""
        left = [appends]

        def count(entry):
            if left[0] is not None:
                left[0] -= 1
                if left[0] == 0:
                    raise Crash

        self.host.record.on_append = count

    @rule(dies=st.sampled_from([None, 1, 2, 3]), kept=st.integers(0, 3))
    def look_again(self, dies, kept):
        self.die_at(dies)
        self.run(self.host.reconcile(), kept)
        self.host.record.on_append = lambda entry: None

    @rule(kept=st.integers(0, 3))
    def crash(self, kept):
        self.replaying_twice_is_replaying_once()
        self.host.crash(kept)

    @rule()
    def deliver(self):
        if self.host.venue.late:
            self.host.venue.arrive(self.host.venue.late.pop(0))

    @rule(killed=st.booleans())
    def kill(self, killed):
        self.host.kill.reason = "operator" if killed else None

    @invariant()
    def the_books_hold(self):
        ledger, venue = self.host.ledger, self.host.venue
        assert ledger.balance.balanced
        assert ledger.balance.reserved == sum(pending.reserve for pending in ledger.open.values()) >= 0
        assert ledger.balance.exposure <= LIMIT
        assert venue.worst() <= LIMIT, "exposure at the venue"
        assert venue.held() >= 0, "sold more than was held"

    @invariant()
    def the_record_knows_every_order(self):
        known = {entry.subject["order"] for entry in self.host.record.of("order.intent")}
        there = set(self.host.venue.trades) | {wanted.id for wanted in self.host.venue.late}
        assert there <= known, "an order that the record does not know"
        once = Counter(order_id.split("'")[0] for order_id in self.host.venue.trades)
        assert all(n == 1 for n in once.values()), "two orders for one decision"

    def replaying_twice_is_replaying_once(self):
        entries = self.host.record.replayable()
        views = [(each.balance, each.open, each.holdings()) for each in (
            Ledger.replay(ACCOUNT, entries), Ledger.replay(ACCOUNT, entries + entries), self.host.ledger,
        )]  # fmt: skip
        assert views[0] == views[1] == views[2]

    def teardown(self):
        try:
            self.come_to_rest()
        finally:
            self.loop.close()

    def come_to_rest(self):
        """Whatever was under way arrives, the host starts once more, and the two must agree."""
        host = self.host
        self.the_record_knows_every_order()
        self.replaying_twice_is_replaying_once()
        host.kill.reason = None
        host.crash(0)
        for _ in range(2):
            self.run(host.reconcile())
            while host.venue.late:
                self.deliver()
        self.the_books_hold()
        self.the_record_knows_every_order()
        assert host.ledger.open == {}, "a reserve that nobody releases"
        assert host.ledger.balance.reserved == 0
        assert sum(lot.shares for lot in host.ledger.holdings()) == host.venue.held(), (
            "a drift from the venue"
        )


def check(host: type[Host], examples: int, *, shrink: bool = False) -> None:
    machine = type("Machine", (Orders,), {"host_type": host})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=20,
            deadline=None,
            database=None,
            derandomize=True,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, *([Phase.shrink] if shrink else [])],
        ),
    )


def test_orders_survive_everything():
    check(Host, 150, shrink=True)


# -- designs that lose money


class JournalAfterAck(Host):
    """Writes the intent when the venue has answered, as many bots do."""

    async def place(self, wanted):
        try:
            fills = await self.venue.submit(wanted)
        except VenueError:
            return
        write(self.record, self.ledger, Intent.of(wanted, NOON), cause=0)
        execution._book(wanted.id, fills, self.ports, self.ledger, [])


class Hasty(Host):
    """Does not wait until the intent is durable."""

    async def place(self, wanted):
        durable, self.record.durable = self.record.durable, _at_once
        try:
            await super().place(wanted)
        finally:
            self.record.durable = durable


async def _at_once(seq: int) -> None:
    pass


class NotFoundIsRejected(Host):
    """Takes "never seen" for proof, without making the venue promise."""

    async def reconcile(self):
        async def believe(order_id):
            return True

        self.venue.forbid = believe
        await super().reconcile()


class TimeoutIsRejected(Host):
    """Frees the reserve when no answer came."""

    async def place(self, wanted):
        await super().place(wanted)
        for order_id in tuple(self.ledger.open):
            execution._done(order_id, "rejected", "timeout", self.ports, self.ledger)


class FreshIdOnRetry(Host):
    """Sends again under another id when the venue does not know the first."""

    async def reconcile(self):
        for pending in tuple(self.ledger.open.values()):
            name = pending.intent.order
            if await self.venue.lookup(name) is None:
                execution._void(name, "retried", self.ports, self.ledger)
                self.venue.mode, self.venue.parts = "ok", (5,)
                again = order(
                    0, pending.intent.shares, side=pending.intent.side, expires_at=NOON + 1, id=name + "'"
                )
                await self.place(replace(again, reserve=pending.intent.reserve))
        await super().reconcile()


class NoDedupe(Host):
    """Books a trade as often as it is told."""

    class Forgetful(Ledger):
        def knows(self, trade):
            return False

    def __init__(self):
        super().__init__()
        self.book.ledger = self.Forgetful(ACCOUNT)
        self.book.ledger.apply(Deposit(account=ACCOUNT, amount=CASH, at=NOON), 0)

    def restart(self):
        super().restart()
        self.book.ledger = self.Forgetful.replay(ACCOUNT, self.record.replayable())


@pytest.mark.parametrize(
    ("mutant", "loss"),
    [
        (JournalAfterAck, "an order that the record does not know"),
        (Hasty, "an order that the record does not know"),
        (NotFoundIsRejected, "exposure at the venue|a drift from the venue"),
        (TimeoutIsRejected, "exposure at the venue|a drift from the venue"),
        (FreshIdOnRetry, "two orders for one decision"),
        (NoDedupe, "a reserve that nobody releases|micro-shares of an order"),
    ],
)
def test_a_design_that_loses_money_is_caught(mutant, loss):
    with pytest.raises((AssertionError, RecordError), match=loss):
        check(mutant, 1000)
