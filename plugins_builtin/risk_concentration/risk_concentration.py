"""Not everything on one card: bounds how much of the equity one outcome, one market and one event may hold.

Laws: money is at work at cost; a proposed order counts as bought whole at its limit, fees left out, as in positions.
Amounts are micro-USD, bounds parts per million of the equity, what is left is rounded down. What is not known counts
as the worst it could be.
"""

from __future__ import annotations

from collections.abc import Iterator

from pp_sdk import MICRO, Advice, Keep, Position, Proposal, RiskView, Shrink, Veto, hookimpl


class ConcentrationRisk:
    """Remembers the event of every market that is held or was asked about last: positions do not tell theirs."""

    def __init__(self) -> None:
        self.configure({})

    @hookimpl
    def configure(self, config: dict[str, int | str]) -> None:
        self._outcome = int(config.get("outcome_ppm", 75_000))
        self._market = int(config.get("market_ppm", 100_000))
        self._event = int(config.get("event_ppm", 200_000))
        self._counts_unknown = config.get("unknown_event", "count") == "count"
        self._events: dict[str, str] = {}

    @hookimpl
    def advise(self, proposal: Proposal, view: RiskView) -> Advice:
        self._remember(proposal, view)
        if proposal.side != "buy":
            return Keep()
        if view.equity <= 0:
            return Veto(
                reason="there is no equity, or account.read is not granted: nothing can be bounded by it"
            )
        left, what = min(self._rooms(proposal, view))
        shares = max(left, 0) * MICRO // proposal.limit_price
        if shares >= proposal.shares:
            return Keep()
        return Shrink(shares=shares, reason=what) if shares else Veto(reason=what)

    def _remember(self, proposal: Proposal, view: RiskView) -> None:
        held = {position.market for position in view.positions}
        self._events = {market: event for market, event in self._events.items() if market in held}
        told = proposal.venue or proposal.event or proposal.ends_at is not None
        if told:  # else it is not among the venues granted
            self._events[proposal.market] = proposal.event

    def _rooms(self, proposal: Proposal, view: RiskView) -> Iterator[tuple[int, str]]:
        """What each bound leaves, micro-USD, and the bound in words."""
        market = [held for held in view.positions if held.market == proposal.market]
        outcome = [held for held in market if held.outcome == proposal.outcome]
        yield _room(outcome, self._outcome, view.equity, f"{proposal.outcome} of {proposal.market}")
        yield _room(market, self._market, view.equity, f"market {proposal.market}")
        if proposal.event:
            event = [held for held in view.positions if self._counts(held.market, proposal.event)]
            yield _room(event, self._event, view.equity, f"event {proposal.event}")

    def _counts(self, market: str, event: str) -> bool:
        """Whether a position in `market` counts towards `event`."""
        known = self._events.get(market)
        return self._counts_unknown if known is None else known == event


def _room(positions: list[Position], ppm: int, equity: int, name: str) -> tuple[int, str]:
    at_work = sum(held.cost for held in positions)
    most = equity * ppm // MICRO
    words = f"{name} holds {_usd(at_work)} of at most {_usd(most)} ({ppm / 10_000:g} % of the equity of {_usd(equity)})"
    return most - at_work, words


def _usd(micros: int) -> str:
    """12_340_000 -> '12.34 USD'."""
    whole, cents = divmod(micros // 10_000, 100)
    return f"{whole:,}.{cents:02} USD"


plugin = ConcentrationRisk()
