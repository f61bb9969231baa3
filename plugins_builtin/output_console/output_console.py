"""Prints events, one line each. The host reads this process's output, bounds it, escapes it and shows it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from pp_sdk import (
    MICRO,
    DecideEnd,
    DecideStart,
    DecisionMade,
    Event,
    Fill,
    MarketUpdate,
    Missed,
    ObserveEnd,
    ObserveStart,
    PluginFall,
    PositionUpdate,
    RiskBreach,
    RiskCheck,
    RunEnd,
    RunStart,
    Settlement,
    TradeEnd,
    TradeError,
    TradeStart,
    hookimpl,
)

SPELL = 60.0  # seconds
MOST = (
    100 * 1024
)  # bytes in a spell; the host ends a plugin that writes 256 KiB in a minute, which two spells can touch


class Console:
    """Every event in words; amounts as far as they are told, percentages where they are told in parts of the equity.

    `seconds` is a clock that only goes forward; it paces what is printed. A tape can be faster than anybody reads.
    """

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._begun = seconds()
        self._left = MOST
        self._unshown = 0

    @hookimpl
    def notify(self, event: Event) -> None:
        when = datetime.fromtimestamp(event.at / MICRO, UTC)
        line = f"{when:%Y-%m-%d %H:%M} {event.kind:<15} {words(event)}"
        if self._room_for(line) or isinstance(event, RunEnd):
            if self._unshown:
                self._print(
                    f"... {self._unshown} lines were not shown: more than {MOST // 1024} KiB in a minute"
                )
                self._unshown = 0
            self._print(line)
        else:
            self._unshown += 1

    def _room_for(self, line: str) -> bool:
        now = self._seconds()
        if now - self._begun >= SPELL:
            self._begun, self._left = now, MOST
        return len(line.encode()) < self._left

    def _print(self, line: str) -> None:
        self._left -= len(line.encode()) + 1
        print(line, flush=True)  # noqa: T201  # its whole purpose


def words(event: Event) -> str:
    """One line for people; what is not told is left out."""
    match event:
        case DecisionMade() | RiskCheck() | RiskBreach():
            return _judged(event)
        case TradeStart() | Fill() | TradeEnd() | TradeError():
            return _traded(event)
        case PositionUpdate() | Settlement() | MarketUpdate():
            return _held(event)
    return _run(event)


def _run(
    event: RunStart | RunEnd | ObserveStart | ObserveEnd | DecideStart | DecideEnd | PluginFall | Missed,
) -> str:
    match event:
        case RunStart():
            return f"{event.run}: {event.mode}{' on a tape' if event.tape else ''} with {', '.join(event.plugins)}"
        case RunEnd():
            done = f"{event.run}: {event.cycles} cycles, {event.decisions} decisions, {event.fills} fills"
            return f"{done}{_much(event, event.equity, ', equity ')}"
        case ObserveStart():
            return "the sources are asked"
        case ObserveEnd():
            return (
                f"{event.markets} markets of {_list(event.sources)}{_much(event, event.equity, ', equity ')}"
            )
        case DecideStart():
            return f"asked: {_list(event.agents)}"
        case DecideEnd():
            return f"{event.decisions} decisions of {_list(event.answered)}"
        case PluginFall():
            return f"{event.plugin} fell ({event.ended}), {event.state}{_because(event.text)}"
        case Missed():
            return f"{event.count} events before this were not told"


def _judged(event: DecisionMade | RiskCheck | RiskBreach) -> str:
    match event:
        case DecisionMade():
            wish = f"{event.plugin} wishes to {event.side} {event.outcome} of {event.market}"
            likely = (
                "" if event.probability_ppm is None else f" at probability {_units(event.probability_ppm)}"
            )
            return f"{wish}{likely}{_because(event.text)}"
        case RiskCheck():
            what = f"{event.side}{_much(event, event.shares, ' ')} {event.outcome} of {event.market}"
            return f"{event.verdict}{event.reason and f' by {event.reason}'}: {what}{_because(event.text)}"
        case RiskBreach():
            where = f"{event.plugin} in {event.market}" if event.plugin else "everything"
            return f"{event.reason}: {event.verdict} {where}{_because(event.text)}"


def _traded(event: TradeStart | Fill | TradeEnd | TradeError) -> str:
    what = f"{event.outcome} of {event.market}"
    match event:
        case TradeStart():
            return f"{event.side}{_much(event, event.shares, ' ')} {what} at {_price(event.limit_price)} or better"
        case Fill():
            traded = f"{event.side}{_much(event, event.shares, ' ')} {what} at {_price(event.price)}"
            return f"{traded}{_much(event, event.fee, ', fee ')}"
        case TradeEnd():
            return f"{event.status}: {event.side}{_much(event, event.filled, ' ')} {what}"
        case TradeError():
            return f"{event.status}: {event.side} {what}{_because(event.text)}"


def _held(event: PositionUpdate | Settlement | MarketUpdate) -> str:
    match event:
        case PositionUpdate():
            holds = f"{event.plugin} holds{_much(event, event.shares, ' ')} {event.outcome} of {event.market}"
            return f"{holds}{_much(event, event.cost, ', cost ')}"
        case Settlement():
            paid = f"{event.market} paid {_price(event.yes_payout)} per yes share"
            return f"{paid}{_much(event, event.payout, '; received ')}{_much(event, event.realised, ', profit ')}"
        case MarketUpdate():
            yes, no = (event.yes_bid, event.yes_ask), (event.no_bid, event.no_ask)
            return (
                f"{event.market}: yes {_price(yes[0])}/{_price(yes[1])}, no {_price(no[0])}/{_price(no[1])}"
            )


def _much(event: Event, amount: int | None, before: str) -> str:
    """`before` and the amount, or nothing when it is not told."""
    if amount is None:
        return ""
    return f"{before}{amount / 10_000:.2f}%" if event.detail == "ratio" else f"{before}{_units(amount)}"


def _because(text: str | None) -> str:
    return f": {text}" if text else ""


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "nobody"


def _price(micros: int | None) -> str:
    return "-" if micros is None else _units(micros)


def _units(micros: int) -> str:
    """1_234_500 -> '1.2345'."""
    return f"{micros / MICRO:.4f}".rstrip("0").rstrip(".")


plugin = Console()
