"""Nothing new shortly before a market ends: prices then jump to 0 or 1, and who knows the outcome first sells to you.

Laws: looks at the announced end and the time of the observation, at no price, no account and no clock of its own. An
end that is not known counts as near unless the operator says otherwise.
"""

from __future__ import annotations

from pp_sdk import MICRO, Advice, Keep, Proposal, RiskView, Veto, hookimpl

MINUTE = 60 * MICRO


class TimeRisk:
    """Remembers nothing."""

    def __init__(self) -> None:
        self.configure({})

    @hookimpl
    def configure(self, config: dict[str, int | str]) -> None:
        self._minutes = int(config.get("minutes", 10))
        self._trusting = config.get("unknown_end", "veto") == "keep"

    @hookimpl
    def advise(self, proposal: Proposal, view: RiskView) -> Advice:
        if proposal.side != "buy":
            return Keep()
        if proposal.ends_at is None:
            return Keep() if self._trusting else Veto(reason=_unknown(proposal.market))
        left = proposal.ends_at - view.now
        if left > self._minutes * MINUTE:
            return Keep()
        when = f"ends in {_span(left)}" if left > 0 else f"ended {_span(-left)} ago"
        return Veto(
            reason=f"{proposal.market} {when}; nothing is bought within {self._minutes} min of the end"
        )


def _unknown(market: str) -> str:
    return (
        f"the end of {market} is not known: its source states none, or market.read is not granted for its venue "
        '(unknown_end = "keep" lets such orders pass)'
    )


def _span(micros: int) -> str:
    """90_000_000 -> '1 min 30 s'."""
    minutes, seconds = divmod(micros // MICRO, 60)
    return f"{minutes} min {seconds} s"


plugin = TimeRisk()
