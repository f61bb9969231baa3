"""What plugins are told: risk plugins about a proposed order, outputs about what has happened.

Laws: outputs are told afterwards, of what is written down; nothing told here is read back, so none of them changes
what follows. Only the port waits for them, on a tape and only for so long. Everything is told as it is: what a grant
hides is taken out by whoever passes it on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from pp_sdk import events
from pp_sdk.types import TEXT_MOST, Position, Proposal, RiskView

from pp_host.core.book import Book
from pp_host.core.entries import Decided, Done, Doubt, Intent, Judged, Void
from pp_host.core.ledger import Ledger
from pp_host.model import Fill, Observed, Order, Reason, Settlement, Sighting
from pp_host.ports import Answer, Ports

E = TypeVar("E", bound=events.Event)

BREACHES = frozenset(
    {
        Reason.HALTED, Reason.REDUCING, Reason.ADVISER, Reason.ADVISER_SILENT, Reason.CASH, Reason.BUDGET_ORDER,
        Reason.BUDGET_DAY, Reason.BUDGET_EXPOSURE, Reason.BUDGET_RATE, Reason.MAX_ORDER, Reason.MAX_MARKET,
        Reason.MAX_EXPOSURE, Reason.MAX_POSITIONS, Reason.DAILY_LOSS, Reason.DRAWDOWN,
    }
)  # fmt: skip
"""What guards the account: the other reasons say that a wish or its market was not fit for a trade."""


def proposal(order: Order, observed: Observed, ledger: Ledger) -> tuple[Proposal, RiskView]:
    """The order, what is known of its market, and the account: all that a risk plugin could be granted to see."""
    row = observed.markets.get(order.market)
    asked = Proposal(
        plugin=order.plugin,
        market=order.market,
        outcome=order.outcome,
        side=order.side,
        shares=order.shares,
        limit_price=order.limit_price,
        venue=row.venue if row else "",
        event=row.event if row else "",
        ends_at=row.ends_at if row else None,
    )
    lots = ledger.holdings()
    view = RiskView(
        now=observed.now,
        equity=observed.equity,
        cash=ledger.balance.cash,
        exposure=ledger.balance.exposure,
        positions=tuple(
            Position(market=lot.market, outcome=lot.outcome, shares=lot.shares, cost=lot.cost) for lot in lots
        ),
    )
    return asked, view


def _told(kind: type[E], source: object, **others: Any) -> E:
    """An event of `kind` with `others`, and else what has the same name in `source`."""
    names = set(kind.__struct_fields__) - others.keys() - {"detail"}
    return kind(**others, **{name: getattr(source, name) for name in names})


# -- observe -------------------------------------------------------------------------------------------------


def observing(ports: Ports) -> None:
    """A cycle begins."""
    ports.outputs.notify(events.ObserveStart(at=ports.clock.now()))


def observed(seen: Observed, sightings: Sequence[Sighting], book: Book, ports: Ports) -> None:
    """What was seen, and where best prices moved.

    Only of markets in which money is at work: a table has thousands of rows that may all move in every cycle, these
    are at most `max_positions`.
    """
    sources = tuple(sighting.source.id for sighting in sightings)
    told = _told(events.ObserveEnd, seen, at=seen.now, sources=sources, markets=len(seen.markets))
    ports.outputs.notify(told)
    before, book.told = book.told, {}
    for market in sorted(book.ledger.markets()):
        row = seen.markets.get(market)
        if row is None:
            prices = before.get(market)
        else:
            prices = row.yes_bid, row.yes_ask, row.no_bid, row.no_ask
            if before.get(market) != prices:
                ports.outputs.notify(_told(events.MarketUpdate, row, at=seen.now, market=market))
        if prices is not None:
            book.told[market] = prices


async def settled(settlements: Sequence[Settlement], before: Observed, ports: Ports) -> None:
    """Each settlement of something that was held, and what became of those positions."""
    for paid in settlements:
        lots = [lot for lot in before.holdings if lot.market == paid.market]
        if lots:
            await ports.outputs.room()
            ports.outputs.notify(_told(events.Settlement, paid))
        for lot in lots:
            ports.outputs.notify(_told(events.PositionUpdate, lot, at=paid.at, shares=0, cost=0))


# -- decide and judge ----------------------------------------------------------------------------------------


def asking(ports: Ports) -> None:
    """The agents are about to be asked."""
    ports.outputs.notify(events.DecideStart(at=ports.clock.now(), agents=ports.agents.asked()))


def answered(answers: Sequence[Answer], ports: Ports) -> None:
    """They have answered, or not in time."""
    who, wishes = tuple(one.plugin.id for one in answers), sum(len(one.decisions) for one in answers)
    ports.outputs.notify(events.DecideEnd(at=ports.clock.now(), answered=who, decisions=wishes))


def decision(decided: Decided, seen: Observed, ports: Ports) -> None:
    names = _names(decided, seen)
    told = _told(events.DecisionMade, decided, **names, at=ports.clock.now(), text=decided.rationale)
    ports.outputs.notify(told)


def verdict(judged: Judged, seen: Observed, ports: Ports) -> None:
    """A verdict, and that a limit was run into where it says so."""
    at, text, names = ports.clock.now(), judged.detail[:TEXT_MOST], _names(judged, seen)
    limit_price = judged.limit_price if judged.order else None
    ports.outputs.notify(_told(events.RiskCheck, judged, **names, at=at, text=text, limit_price=limit_price))
    if judged.reason in BREACHES:
        breach = _told(events.RiskBreach, judged, at=at, text=text, market=names["market"])
        ports.outputs.notify(breach)


def _names(wish: Decided | Judged, seen: Observed) -> dict[str, str]:
    """Which market and outcome it is about, where there are such: an agent may write any text in their place."""
    shown = seen.markets.get(wish.market) is not None
    known = wish.outcome in ("yes", "no")
    return {"market": wish.market if shown else "", "outcome": wish.outcome if known else ""}


def halted(why: str, ports: Ports) -> None:
    """Nothing is traded from here on; no wish of anybody's was the reason."""
    told = events.RiskBreach(
        at=ports.clock.now(),
        plugin="",
        market="",
        verdict="denied",
        reason=Reason.HALTED,
        text=why[:TEXT_MOST],
    )
    ports.outputs.notify(told)


# -- place ---------------------------------------------------------------------------------------------------


def sending(intent: Intent, ports: Ports) -> None:
    """The order goes to the venue now."""
    ports.outputs.notify(_told(events.TradeStart, intent, at=ports.clock.now()))


def filled(trade: Fill, ledger: Ledger, ports: Ports) -> None:
    """A trade that was booked, and what its plugin holds now."""
    ports.outputs.notify(_told(events.Fill, trade))
    lots = {(lot.plugin, lot.outcome): lot for lot in ledger.held(trade.market)}
    lot = lots.get((trade.plugin, trade.outcome))
    shares, cost = (lot.shares, lot.cost) if lot else (0, 0)
    ports.outputs.notify(_told(events.PositionUpdate, trade, shares=shares, cost=cost))


def ended(intent: Intent, end: Done | Void | Doubt, ports: Ports) -> None:
    """What became of an order, or that nobody knows."""
    match end:
        case Done(status="filled" | "partial" | "unfilled"):
            told: events.Event = _told(
                events.TradeEnd, intent, at=end.at, status=end.status, filled=end.filled
            )
        case _:
            status = {Done: "rejected", Void: "void", Doubt: "in_doubt"}[type(end)]
            text = end.detail[:TEXT_MOST]
            told = _told(events.TradeError, intent, at=end.at, status=status, text=text)
    ports.outputs.notify(told)
