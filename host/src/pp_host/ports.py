"""What the core asks of the world. Every implementation is elsewhere; the core names only these.

Laws: an awaited port call has its own deadline inside the implementation and returns what came in time; it
never raises for a plugin's fault. Implementations record their own calls and hand back the entry's number, so
that every entry of the core can name its cause.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct
from pp_sdk.events import Event
from pp_sdk.table import MarketTable
from pp_sdk.types import Advice, Decision, Proposal, RiskView, SnapshotRequest

from pp_host.model import Fill, Observed, Order, PluginRef, Sighting


class Clock(Protocol):
    def now(self) -> int:
        """Microseconds UTC."""

    async def wait_until(self, moment: int) -> None:
        """Return once `now() >= moment`."""


class Record(Protocol):
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
        """Add an entry; its number comes back at once. RecordError: nothing new may happen."""

    async def durable(self, seq: int) -> None:
        """Return once entry `seq` would survive a power cut."""


class Sources(Protocol):
    async def snapshot(self, request: SnapshotRequest) -> Sequence[Sighting]:
        """What each source shows, in configured order; late and broken ones are absent."""


class Picked(Struct, frozen=True, kw_only=True):
    """A strategy's choice, best first, in parts per million, and the entry of the call that asked for it; None when
    no good answer came."""

    plugin: PluginRef
    call: int
    scores: dict[str, int] | None


class Strategy(Protocol):
    async def select(self, observed: Observed) -> Picked:
        """Which of the markets may be bought. A strategy sees what its grant lets it see of the markets, and no
        more."""


class Answer(Struct, frozen=True, kw_only=True):
    """One agent's decisions and the entry of the call that asked for them."""

    plugin: PluginRef
    call: int
    decisions: tuple[Decision, ...]


class Agents(Protocol):
    def asked(self) -> tuple[str, ...]:
        """Ids of those that `decide` reaches now, in configured order."""

    async def decide(self, observed: Observed) -> Sequence[Answer]:
        """All agents at once, answers in configured order; each sees what its grant lets it see, and of that what
        was selected or it holds."""


class Opinion(Struct, frozen=True, kw_only=True):
    """One risk plugin's advice; None when it stayed silent, crashed or was late, which vetoes."""

    plugin: PluginRef
    call: int
    advice: Advice | None


class Advisers(Protocol):
    async def advise(self, proposal: Proposal, view: RiskView, *, cause: int) -> Sequence[Opinion]:
        """All risk plugins at once, in configured order."""


class Outputs(Protocol):
    def notify(self, event: Event) -> None:
        """Queue `event` for every output; never waits."""

    async def room(self) -> None:
        """Where time is not real, return once every output has room for what one wish may bring, or has had its
        chance; where it is, return at once."""


class Venue(Protocol):
    def show(self, markets: MarketTable, now: int) -> None:
        """What the cycle is looking at. A venue that keeps its own book ignores it."""

    async def submit(self, order: Order) -> Sequence[Fill]:
        """Place an immediate-or-cancel order and return its trades. Idempotent by order id.

        Raises InDoubt when the outcome is unknown, VenueError when the venue refused for certain.
        """

    async def lookup(self, order_id: str) -> Sequence[Fill] | None:
        """The trades of an order the venue knows, or None when it has never seen it."""

    async def forbid(self, order_id: str) -> bool:
        """Make sure an order never seen will be refused if it arrives late; False when that cannot be
        promised."""


class KillSwitch(Protocol):
    def latched(self) -> str | None:
        """Why trading is halted from outside, or None. Read before every send; unreadable counts as
        halted."""


class Ports(Struct, frozen=True, kw_only=True):
    """Everything a cycle touches. `strategy` None: the run has none."""

    clock: Clock
    record: Record
    sources: Sources
    strategy: Strategy | None = None
    agents: Agents
    advisers: Advisers
    outputs: Outputs
    venue: Venue
    kill: KillSwitch
