from __future__ import annotations

import anyio
import pytest
from msgspec.structs import replace
from pp_host.core.entries import Deposit
from pp_host.core.execution import place, reconcile, write
from pp_host.core.ledger import Ledger
from pp_host.errors import InDoubt, RecordError, VenueError
from pp_host.limits import LIMITS
from pp_host.model import Order

from tests.unit.core.fakes import ACCOUNT, NOON, ScriptedVenue, World, fill_of, usd
from tests.unit.core.test_ledger import order

pytestmark = pytest.mark.anyio

SHARES = usd(10)


def raising(error: Exception):
    def script(order: Order):
        raise error

    return script


class Desk:
    """A world with an order in hand: 10 shares at up to 0.50."""

    def __init__(self, script=lambda order: [fill_of(order, SHARES, 500_000)]) -> None:
        self.world = World()
        self.world.venue = ScriptedVenue(script)
        self.order = order(1, SHARES, expires_at=NOON + 1)
        self.cause = self.world.record.append("verdict", {})

    async def place(self):
        return await place(self.order, self.world.ports, self.world.ledger, cause=self.cause)

    @property
    def events(self) -> list[str]:
        return self.world.record.events()[2:]

    @property
    def ledger(self) -> Ledger:
        return self.world.ledger


async def test_a_filled_order_is_written_step_by_step():
    desk = Desk(
        lambda order: [fill_of(order, usd(4), 490_000), fill_of(order, usd(6), 500_000, number=1, fee=20)]
    )
    fills = await desk.place()
    assert [fill.shares for fill in fills] == [usd(4), usd(6)]
    assert desk.events == ["order.intent", "order.ack", "order.fill", "order.fill", "order.done"]
    intent, ack, fill, _, done = desk.world.record.entries[2:]
    assert [intent.cause, ack.cause, fill.cause, done.cause] == [desk.cause, intent.seq, ack.seq, ack.seq]
    assert done.subject["status"] == "filled"
    assert done.subject["filled"] == SHARES
    assert desk.world.record.durable_size == len(desk.world.record.entries)
    assert desk.ledger.open == {}
    assert desk.ledger.balance.reserved == 0
    assert desk.ledger.balance.cash == usd(1000) - usd(1.96) - usd(3) - 20


@pytest.mark.parametrize(("shares", "status"), [(usd(3), "partial"), (0, "unfilled")])
async def test_what_is_not_filled_is_released(shares, status):
    desk = Desk(lambda order: [fill_of(order, shares, 500_000)] if shares else [])
    await desk.place()
    assert desk.world.record.entries[-1].subject["status"] == status
    assert desk.ledger.balance.reserved == 0
    assert desk.ledger.balance.cash == usd(1000) - shares // 2


async def test_the_intent_is_durable_before_the_venue_hears_of_it():
    desk = Desk()
    seen = []
    desk.world.venue.script = lambda order: (
        seen.append((desk.events[-1], desk.world.record.durable_size)) or []
    )
    await desk.place()
    assert seen == [("order.intent", 3)]


async def test_a_record_that_cannot_be_written_sends_nothing():
    desk = Desk()
    desk.world.record.full = True
    with pytest.raises(RecordError):
        await desk.place()
    assert desk.world.venue.sent == []
    assert desk.ledger.open == {}


async def test_a_record_that_fails_after_the_send_stops_everything_with_its_own_error():
    desk = Desk()

    def script(order):
        desk.world.record.full = True
        return [fill_of(order, SHARES, 500_000)]

    desk.world.venue.script = script
    with pytest.raises(RecordError, match="disk is full"):
        await desk.place()
    assert desk.ledger.open.keys() == {"o1"}


async def test_a_refusal_ends_the_order():
    desk = Desk(raising(VenueError("market closed")))
    assert await desk.place() == ()
    assert desk.events == ["order.intent", "order.done"]
    assert desk.world.record.entries[-1].subject["status"] == "rejected"
    assert desk.world.record.entries[-1].subject["detail"] == "market closed"
    assert desk.ledger.balance.cash == usd(1000)


@pytest.mark.parametrize("error", [InDoubt("reset"), TimeoutError()])
async def test_doubt_keeps_the_reserve(error):
    desk = Desk(raising(error))
    assert await desk.place() == ()
    assert desk.events == ["order.intent", "order.in_doubt"]
    assert desk.ledger.open.keys() == {"o1"}
    assert desk.ledger.balance.reserved == desk.order.reserve


async def test_an_answer_that_does_not_come_in_time_is_doubt():
    desk = Desk()

    class Silent(ScriptedVenue):
        async def submit(self, order):
            await anyio.sleep_forever()

    desk.world.venue = Silent()
    started = anyio.current_time()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pp_host.core.execution.LIMITS", _Hasty())
        await desk.place()
    assert anyio.current_time() - started < LIMITS.money.submit_seconds
    assert desk.events == ["order.intent", "order.in_doubt"]


class _Hasty:
    class money:  # noqa: N801
        submit_seconds = 0.01


@pytest.mark.parametrize(
    "wrong",
    [
        {"shares": SHARES + 1}, {"price": 510_000}, {"market": "n"}, {"order": "o2"}, {"fee": usd(1)}, {"account": "x"},
    ],
)  # fmt: skip
async def test_an_answer_that_does_not_fit_the_order_is_doubt_and_books_nothing(wrong):
    desk = Desk(lambda order: [replace(fill_of(order, SHARES, 500_000), **wrong)])
    await desk.place()
    assert desk.events == ["order.intent", "order.in_doubt"]
    assert "does not fit" in desk.world.record.entries[-1].subject["detail"]
    assert desk.ledger.holdings() == ()
    assert await reconcile(desk.world.ports, desk.ledger) == ("o1",)


async def test_two_trades_that_fit_alone_and_not_together_are_doubt():
    desk = Desk(lambda order: [fill_of(order, usd(6), 500_000), fill_of(order, usd(6), 500_000, number=1)])
    await desk.place()
    assert desk.events == ["order.intent", "order.in_doubt"]


async def test_a_trade_told_twice_in_one_answer_is_one_trade():
    desk = Desk(lambda order: [fill_of(order, usd(6), 500_000)] * 2)
    assert len(await desk.place()) == 1
    assert desk.ledger.holdings()[0].shares == usd(6)


# -- the kill switch


async def test_killed_before_the_intent_nothing_is_reserved_or_sent():
    desk = Desk()
    desk.world.kill.reason = "operator"
    assert await desk.place() == ()
    assert desk.events == ["order.void"]
    assert desk.world.venue.sent == []
    assert desk.ledger.balance.cash == usd(1000)


async def test_killed_between_intent_and_send_nothing_is_sent():
    desk = Desk()

    def raised(entry):
        if entry.event == "order.intent":
            desk.world.kill.reason = "operator"

    desk.world.record.on_append = raised
    assert await desk.place() == ()
    assert desk.events == ["order.intent", "order.void"]
    void = desk.world.record.entries[-1]
    assert void.subject["detail"] == "halted: operator"
    assert void.cause == desk.world.record.entries[-2].seq
    assert desk.world.venue.sent == []
    assert desk.ledger.open == {}
    assert desk.ledger.balance.cash == usd(1000)


async def test_a_stop_that_came_while_the_intent_was_written_sends_nothing():
    desk = Desk()
    with anyio.CancelScope() as scope:
        desk.world.record.on_append = lambda entry: scope.cancel() if entry.event == "order.intent" else None
        await desk.place()
    assert scope.cancelled_caught
    assert desk.events == ["order.intent", "order.void"]
    assert desk.world.venue.sent == []
    assert desk.ledger.open == {}


async def test_an_order_that_expired_while_it_waited_is_not_sent():
    desk = Desk()
    desk.world.clock.time = NOON + 1
    await desk.place()
    assert desk.events == ["order.void"]
    assert desk.world.venue.sent == []


# -- reconciliation


async def doubtful(known=None, *, can_forbid: bool = True) -> Desk:
    desk = Desk(raising(InDoubt("reset")))
    await desk.place()
    if known is not None:
        desk.world.venue.known["o1"] = known
    desk.world.venue.can_forbid = can_forbid
    return desk


async def test_trades_found_later_are_booked_with_their_intent_as_cause():
    desk = await doubtful([fill_of(order(1, SHARES), usd(4), 500_000)])
    assert await reconcile(desk.world.ports, desk.ledger) == ()
    assert desk.events[2:] == ["order.ack", "order.fill", "order.done"]
    intent, _, ack, *_ = desk.world.record.entries[2:]
    assert ack.cause == intent.seq
    assert desk.ledger.holdings()[0].shares == usd(4)
    assert desk.ledger.balance.reserved == 0


async def test_an_order_the_venue_never_had_is_void_once_it_is_forbidden():
    desk = await doubtful()
    assert await reconcile(desk.world.ports, desk.ledger) == ()
    assert desk.events[2:] == ["order.void"]
    assert desk.world.venue.forbidden == {"o1"}
    assert desk.ledger.balance.cash == usd(1000)


async def test_not_found_proves_nothing_when_the_venue_cannot_forbid():
    desk = await doubtful(can_forbid=False)
    for _ in range(2):
        assert await reconcile(desk.world.ports, desk.ledger) == ("o1",)
    assert desk.events[2:] == []
    assert desk.ledger.balance.reserved == desk.order.reserve


async def test_a_venue_that_cannot_be_asked_changes_nothing():
    desk = await doubtful()

    class Down(ScriptedVenue):
        async def lookup(self, order_id):
            raise VenueError("503")

    desk.world.venue = Down()
    assert await reconcile(desk.world.ports, desk.ledger) == ("o1",)


async def test_a_crash_between_two_trades_is_completed_after_the_restart():
    desk = Desk()
    trades = [fill_of(desk.order, usd(4), 500_000), fill_of(desk.order, usd(6), 500_000, number=1)]
    desk.world.venue.script = lambda order: trades
    await desk.place()
    world = desk.world
    del world.record.entries[5:]  # intent, ack and the first trade survive
    world.restart()
    assert world.ledger.holdings()[0].shares == usd(4)
    assert await reconcile(world.ports, world.ledger) == ()
    assert world.record.events()[5:] == ["order.ack", "order.fill", "order.done"]
    assert world.ledger.holdings()[0].shares == SHARES
    assert world.ledger.balance.reserved == 0
    assert world.record.entries[-1].subject["filled"] == SHARES


async def test_a_sale_in_doubt_keeps_its_shares_from_being_sold_again():
    desk = Desk()
    await desk.place()
    desk.world.venue.script = raising(InDoubt("reset"))
    desk.order = order(2, SHARES, side="sell", price=400_000, expires_at=NOON + 1)
    await desk.place()
    assert desk.ledger.sellable(desk.order.plugin, "m", "yes") == 0
    assert await reconcile(desk.world.ports, desk.ledger) == ()
    assert desk.ledger.sellable(desk.order.plugin, "m", "yes") == SHARES


def test_nothing_is_booked_that_could_not_be_written():
    world = World()
    world.record.full = True
    with pytest.raises(RecordError):
        write(world.record, world.ledger, Deposit(account=ACCOUNT, amount=1, at=NOON))
    assert world.ledger.balance.cash == usd(1000)
