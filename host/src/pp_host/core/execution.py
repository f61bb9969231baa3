"""From an approved order to a known outcome: written down, sent once, and never forgotten.

Laws: an intent is durable before the venue hears of it; after that nothing cancels the send, and whatever
comes of it is written down and durable before anyone goes on. An answer that did not come, or does not fit
the order, is doubt and keeps the reserve; only proof ends an order. "Not found" is proof of nothing unless
the venue promises to refuse the order should it still arrive. The kill switch is read last thing before the
send. A RecordError stops everything. Outputs are told of each step once it is written down.
"""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import anyio.lowlevel

from pp_host.core import telling
from pp_host.core.entries import EVENT_OF, Ack, Booked, Done, Doubt, Intent, Status, Void
from pp_host.core.ledger import Ledger, misfit
from pp_host.errors import InDoubt, RecordError, VenueError
from pp_host.limits import LIMITS
from pp_host.model import Fill, Order
from pp_host.ports import Ports, Record


async def place(order: Order, ports: Ports, ledger: Ledger, *, cause: int) -> tuple[Fill, ...]:
    """Send the order; its trades. Nothing comes back from an order that was voided, rejected or is in doubt.

    Cancelled before the send, it voids the order; afterwards the outcome is awaited and written all the same.
    """
    intent = Intent.of(order, ports.clock.now())
    if (reason := _hindrance(order, ports)) is not None:
        void = Void(account=order.account, order=order.id, released=0, detail=reason, at=intent.at)
        await ports.record.durable(write(ports.record, ledger, void, cause=cause))
        telling.ended(intent, void, ports)
        return ()
    if objection := ledger.objection(intent):
        raise RecordError(objection)
    seq = write(ports.record, ledger, intent, cause=cause)
    try:
        await ports.record.durable(seq)
        await anyio.lowlevel.checkpoint_if_cancelled()
    except anyio.get_cancelled_exc_class():
        _void(order.id, "cancelled before it was sent", ports, ledger)
        raise
    fills: list[Fill] = []
    try:
        async with anyio.create_task_group() as group:  # a task of its own outlives a cancelled caller
            group.start_soon(_carry, order, ports, ledger, fills)
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None  # one task, one error
    return tuple(fills)


async def reconcile(ports: Ports, ledger: Ledger) -> tuple[str, ...]:
    """Ask the venue about every order without an end; the ids that stay in doubt."""
    for order in tuple(ledger.open):
        await anyio.lowlevel.checkpoint_if_cancelled()
        await _resolve(order, ports, ledger)
    return tuple(ledger.open)


def write(record: Record, ledger: Ledger, event: Booked, *, cause: int | None = None) -> int:
    """The entry's number. What is booked has been written down before."""
    seq = record.append(EVENT_OF[type(event)], event, cause=cause)
    ledger.apply(event, seq)
    return seq


def _hindrance(order: Order, ports: Ports) -> str | None:
    """Why the order must not be sent now."""
    if (killed := ports.kill.latched()) is not None:
        return f"halted: {killed}"
    return "expired before it was sent" if ports.clock.now() >= order.expires_at else None


async def _carry(order: Order, ports: Ports, ledger: Ledger, fills: list[Fill]) -> None:
    """Send and write the outcome, whoever is cancelled meanwhile."""
    with anyio.CancelScope(shield=True):
        if (reason := _hindrance(order, ports)) is not None:
            last = _void(order.id, reason, ports, ledger)
        else:
            last = await _send(order, ports, ledger, fills)
        await ports.record.durable(last)


async def _send(order: Order, ports: Ports, ledger: Ledger, fills: list[Fill]) -> int:
    """Submit within the deadline; the number of the entry that says what came of it."""
    telling.sending(ledger.open[order.id].intent, ports)
    try:
        with anyio.fail_after(LIMITS.money.submit_seconds, shield=True):
            trades = await ports.venue.submit(order)
    except TimeoutError:
        return _doubt(order.id, "no answer in time", ports, ledger)
    except InDoubt as error:
        return _doubt(order.id, str(error), ports, ledger)
    except VenueError as error:
        return _done(order.id, "rejected", str(error), ports, ledger)
    if message := _unfit(order.id, trades, ledger):
        return _doubt(order.id, f"the answer does not fit the order: {message}", ports, ledger)
    return _book(order.id, trades, ports, ledger, fills)


async def _resolve(order: str, ports: Ports, ledger: Ledger) -> None:
    """Look for proof of what became of one order; without it everything stays as it is."""
    with anyio.CancelScope(shield=True):
        try:
            with anyio.fail_after(LIMITS.money.submit_seconds, shield=True):
                trades = await ports.venue.lookup(order)
                forbidden = trades is None and await ports.venue.forbid(order)
        except (TimeoutError, VenueError):
            return
        if trades is not None and not _unfit(order, trades, ledger):
            last = _book(order, trades, ports, ledger, [])
        elif forbidden:
            last = _void(order, "the venue never had it and will refuse it", ports, ledger)
        else:
            return
        await ports.record.durable(last)


def _new(trades: Sequence[Fill], ledger: Ledger) -> tuple[Fill, ...]:
    """Trades not booked yet, each once, however often the venue told them."""
    return tuple({trade.trade: trade for trade in trades if not ledger.knows(trade.trade)}.values())


def _unfit(order: str, trades: Sequence[Fill], ledger: Ledger) -> str:
    """Why the venue's trades cannot all belong to the order, or an empty string."""
    pending = ledger.open[order]
    for trade in _new(trades, ledger):
        if message := misfit(trade, pending):
            return f"trade {trade.trade}: {message}"
        pending = pending.after(trade)
    return ""


def _book(order: str, trades: Sequence[Fill], ports: Ports, ledger: Ledger, fills: list[Fill]) -> int:
    """Write the venue's answer, each trade once, and end the order."""
    ack = Ack(account=ledger.account, order=order, trades=len(trades), at=ports.clock.now())
    acked = ports.record.append("order.ack", ack, cause=ledger.open[order].seq)
    for trade in _new(trades, ledger):
        write(ports.record, ledger, trade, cause=acked)
        fills.append(trade)
        telling.filled(trade, ledger, ports)
    pending = ledger.open[order]
    untouched = pending.shares == pending.intent.shares
    status: Status = "filled" if not pending.shares else "unfilled" if untouched else "partial"
    return _done(order, status, "", ports, ledger, cause=acked)


def _done(
    order: str, status: Status, detail: str, ports: Ports, ledger: Ledger, *, cause: int | None = None
) -> int:
    pending = ledger.open[order]
    done = Done(
        account=ledger.account,
        order=order,
        status=status,
        filled=pending.intent.shares - pending.shares,
        released=pending.reserve,
        detail=detail,
        at=ports.clock.now(),
    )
    seq = write(ports.record, ledger, done, cause=pending.seq if cause is None else cause)
    telling.ended(pending.intent, done, ports)
    return seq


def _void(order: str, detail: str, ports: Ports, ledger: Ledger) -> int:
    pending = ledger.open[order]
    released, at = pending.reserve, ports.clock.now()
    void = Void(account=ledger.account, order=order, released=released, detail=detail, at=at)
    seq = write(ports.record, ledger, void, cause=pending.seq)
    telling.ended(pending.intent, void, ports)
    return seq


def _doubt(order: str, detail: str, ports: Ports, ledger: Ledger) -> int:
    pending = ledger.open[order]
    reserved, at = pending.reserve, ports.clock.now()
    doubt = Doubt(account=ledger.account, order=order, reserved=reserved, detail=detail, at=at)
    seq = ports.record.append("order.in_doubt", doubt, cause=pending.seq)
    telling.ended(pending.intent, doubt, ports)
    return seq
