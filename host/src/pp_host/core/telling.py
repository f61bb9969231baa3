"""What plugins are told: risk plugins about a proposed order, outputs about what has happened.

Laws: outputs are told afterwards and cannot hold anything up; nothing told here is read back.
"""

from __future__ import annotations

from collections.abc import Sequence

from pp_sdk.types import TEXT_MOST, Event, Position, Proposal, RiskView

from pp_host.core.entries import Decided, Judged
from pp_host.core.ledger import Ledger
from pp_host.model import Fill, Observed, Order, Settlement
from pp_host.ports import Outputs, Ports


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


def turn(observed: Observed, settlements: Sequence[Settlement], outputs: Outputs) -> None:
    rows, equity, cash = len(observed.markets), observed.equity, observed.cash
    fields: dict[str, int | str] = {
        "rows": rows,
        "equity": equity,
        "cash": cash,
        "exposure": observed.exposure,
    }
    outputs.notify(Event(kind="cycle", at=observed.now, text=f"{rows} markets", fields=fields))
    for paid in settlements:
        fields = {
            "market": paid.market,
            "yes_payout": paid.yes_payout,
            "payout": paid.payout,
            "realised": paid.realised,
        }
        outputs.notify(Event(kind="settlement", at=paid.at, text=f"{paid.market} resolved", fields=fields))


def decision(decided: Decided, ports: Ports) -> None:
    text = f"{decided.plugin} wishes to {decided.side} {decided.outcome} at probability {decided.probability}"
    fields: dict[str, int | str] = {"plugin": decided.plugin, "market": decided.market, "side": decided.side}
    ports.outputs.notify(Event(kind="decision", at=ports.clock.now(), text=text, fields=fields))


def verdict(judged: Judged, ports: Ports) -> None:
    text = f"{judged.verdict} {judged.reason}: {judged.detail}" if judged.reason else judged.verdict
    fields: dict[str, int | str] = {
        "plugin": judged.plugin,
        "market": judged.market,
        "verdict": judged.verdict,
        "reason": judged.reason,
        "order": judged.order,
        "shares": judged.shares,
        "limit_price": judged.limit_price,
    }
    ports.outputs.notify(Event(kind="verdict", at=ports.clock.now(), text=text[:TEXT_MOST], fields=fields))


def fills(trades: Sequence[Fill], outputs: Outputs) -> None:
    for trade in trades:
        fields: dict[str, int | str] = {
            "plugin": trade.plugin,
            "order": trade.order,
            "market": trade.market,
            "outcome": trade.outcome,
            "side": trade.side,
            "shares": trade.shares,
            "price": trade.price,
            "amount": trade.amount,
            "fee": trade.fee,
        }
        outputs.notify(Event(kind="fill", at=trade.at, text=f"{trade.side} {trade.outcome}", fields=fields))
