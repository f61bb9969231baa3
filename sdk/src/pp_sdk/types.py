"""What a plugin and the host say to each other about markets and money.

Laws: every type is frozen. Money and shares are integer micro-units (1 USD = 1 share = 1_000_000), prices are
micro-USD per share, times are microseconds since 1970 UTC. A probability is the one float: it is a claim, not
money, and the host turns it into parts per million at its door. No type here can hold a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta, Struct

from pp_sdk.table import MarketTable

MICRO = 1_000_000

Name = Annotated[str, Meta(max_length=255)]
TEXT_MOST = 2000  # characters
Text = Annotated[str, Meta(max_length=TEXT_MOST)]
Micros = Annotated[int, Meta(ge=-(2**62), le=2**62)]

YES = "yes"
NO = "no"


class Decision(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A wish to trade. The host sizes it, judges it against every limit, and may refuse it.

    market:       id from the observation
    outcome:      "yes" or "no"
    side:         "buy" opens, "sell" closes what this plugin's earlier decisions bought
    probability:  the plugin's own probability that `outcome` comes true, 0..1 exclusive
    confidence:   how sure the plugin is of that probability, 0..1
    limit_price:  micro-USD per share: the worst price accepted; None takes the book's within the risk limits
    max_spend:    micro-USD the host may not exceed for this decision, fee included
    rationale:    one paragraph for the record
    """

    market: Name
    outcome: Name
    side: Literal["buy", "sell"]
    probability: float
    confidence: float = 1.0
    limit_price: Micros | None = None
    max_spend: Micros | None = None
    rationale: Text = ""


class Position(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What this plugin's decisions hold: shares and cost in micro-units, cost without fees."""

    market: Name
    outcome: Name
    shares: int
    cost: int


class Account(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the grant lets a plugin see. Under "ratio" equity is 1_000_000 and all else is relative to it."""

    precision: Literal["ratio", "exact"]
    equity: int
    cash: int
    positions: tuple[Position, ...] = ()


BRIEF_MOST = 10_000  # characters


class Brief(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the operator wants traded, in words. It came with the strategy's package, was shown when that was
    installed, and is the operator's word; what markets say of themselves is not. `digest`: sha256 of its UTF-8, hex.
    """

    name: Name
    text: Annotated[str, Meta(max_length=BRIEF_MOST)]
    digest: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


class Observation(Struct, frozen=True, kw_only=True):
    """One moment as an agent or a strategy sees it.

    account: None without the capability account.read, and always for a strategy
    brief:   the run's; None when it has no strategy
    scores:  the markets that the strategy selected, 0..1 each; what else an agent sees it may only sell. None when
             the run has no strategy, and for the strategy itself.
    """

    now: int
    markets: MarketTable
    account: Account | None = None
    brief: Brief | None = None
    scores: Mapping[str, float] | None = None


class Choice(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One market that a strategy selected. `score` is in parts per million, the whole of it without a hook `score`."""

    market: Name
    score: Annotated[int, Meta(ge=0, le=MICRO)]


class SnapshotRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Asks a source for its markets at `now`. `held` names markets whose row must come even when closed."""

    now: int
    held: tuple[Name, ...] = ()


class Proposal(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An order the core would place, shown to risk plugins.

    venue, event, ends_at: what the market's source says of it, as far as market.read is granted; otherwise, and where
    the source says nothing, empty and None. ends_at is the end as announced, microseconds UTC.
    """

    plugin: Name
    market: Name
    outcome: Name
    side: Literal["buy", "sell"]
    shares: int
    limit_price: int
    venue: Name = ""
    event: Name = ""
    ends_at: int | None = None


class RiskView(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The account as a risk plugin sees it when asked, micro-units, as far as account.read is granted: exact, relative
    to an equity of 1_000_000, or zeros and no positions.
    """

    now: int
    equity: int
    cash: int
    exposure: int
    positions: tuple[Position, ...] = ()


class Keep(Struct, frozen=True, tag="keep", forbid_unknown_fields=True):
    """The proposal may stand."""


class Shrink(Struct, frozen=True, tag="shrink", kw_only=True, forbid_unknown_fields=True):
    """At most `shares` (micro-shares); a number above the proposal's changes nothing."""

    shares: Annotated[int, Meta(ge=0, le=2**62)]
    reason: Text


class Veto(Struct, frozen=True, tag="veto", kw_only=True, forbid_unknown_fields=True):
    """Not at all."""

    reason: Text


Advice = Keep | Shrink | Veto
