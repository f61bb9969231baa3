"""One recorded market, and when its outcome became known."""

from __future__ import annotations

from msgspec import Struct

NEVER = 2**62  # microseconds; behind every moment of a tape


class Market(Struct, frozen=True):
    """One row of markets.parquet. Times are microseconds UTC; None is unknown.

    ends_at:    the end as announced beforehand
    yes_payout: micro-USD per YES share, None when no outcome is recorded
    """

    id: str
    event: str
    question: str
    yes_name: str
    no_name: str
    opened_at: int | None
    ends_at: int | None
    closed_at: int | None
    resolved_at: int | None
    yes_payout: int | None

    @property
    def venue(self) -> str:
        """Whose history these files hold."""
        return "polymarket"

    def end(self, last_step: int) -> int:
        """The outcome is known at every moment after this one: the recorded time, else the tape's last step.

        NEVER when no outcome is recorded.
        """
        if self.yes_payout is None:
            return NEVER
        for moment in (self.resolved_at, self.closed_at):
            if moment is not None:
                return moment
        return last_step


def side_names(first: str | None, second: str | None) -> tuple[str, str]:
    """Name YES and NO: the first outcome is YES unless the two are called No and Yes in that order."""
    yes, no = first or "Yes", second or "No"
    return (no, yes) if (yes, no) == ("No", "Yes") else (yes, no)


def sides(yes_name: str, no_name: str) -> dict[str, int]:
    """Which side an outcome's name means, 0 for YES. Recorders also write Yes and No where there are other names."""
    return {"Yes": 0, "No": 1} | {yes_name: 0, no_name: 1}
