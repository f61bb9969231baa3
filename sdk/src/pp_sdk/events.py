"""What happens in a run, told to output plugins afterwards: one frozen type for each kind.

Laws: the tag `kind` names the type, and a field's name means the same thing in every kind. Who may be told a field is
said in its type and nowhere else: its mark is the least detail a grant must hold, `pp_sdk.redaction` follows the marks.
An amount of the account's (money or shares) is told as it is under "exact", in millionths of the account's equity under
"ratio", and is None under "none"; words and figures that somebody chose freely are told under "exact" only.
Prices per share, names and counts are told to everybody; so a name that an agent made up is not among them: where its
wish names no market that is shown, or no outcome, the field is empty.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from pp_sdk.types import Name, Text

Detail = Literal["none", "ratio", "exact"]

_EVERYBODY = Meta(extra={"detail": "none"})
Amount = Annotated[int | None, Meta(extra={"detail": "ratio"})]
Words = Annotated[Text | None, Meta(extra={"detail": "exact"})]
Figure = Annotated[
    int | None, Meta(extra={"detail": "exact"})
]  # its maker knows it: its ratio would tell the equity
Id = Annotated[Name, _EVERYBODY]
Ids = Annotated[tuple[Name, ...], _EVERYBODY]
Price = Annotated[int | None, _EVERYBODY]
Parts = Annotated[int | None, _EVERYBODY]
Count = Annotated[int, _EVERYBODY]
Time = Annotated[int, _EVERYBODY]
Moment = Annotated[int | None, _EVERYBODY]
Side = Annotated[Literal["buy", "sell"], _EVERYBODY]
Verdict = Annotated[Literal["approved", "reduced", "denied"], _EVERYBODY]

Status = Annotated[
    Literal["filled", "partial", "unfilled", "rejected", "void", "in_doubt"], _EVERYBODY
]  # the last three in trade.error

EventKind = Literal[
    "run.start", "observe.start", "observe.end", "market.update", "settlement", "position.update", "decide.start",
    "decide.end", "decision", "risk.check", "risk.breach", "trade.start", "fill", "trade.end", "trade.error", "plugin",
    "run.end",
]  # fmt: skip
"""What an output can ask for; `missed` is told to every output that missed something."""


class _Event(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """at: microseconds UTC, the tape's on a tape. detail: how the amounts in this event are told."""

    at: Time
    detail: Annotated[Detail, _EVERYBODY] = "exact"

    @property
    def kind(self) -> str:
        return str(self.__struct_config__.tag)


class RunStart(_Event, frozen=True, kw_only=True, tag="run.start"):
    """A run begins. mode: paper, dry-run or live; plugins: ids in configured order; tape: its digest, or empty."""

    run: Id
    mode: Id
    plugins: Ids
    tape: Id = ""


class ObserveStart(_Event, frozen=True, kw_only=True, tag="observe.start"):
    """A cycle begins: the sources are about to be asked."""


class ObserveEnd(_Event, frozen=True, kw_only=True, tag="observe.end"):
    """What was seen. sources: ids of those that answered; markets: how many they show."""

    sources: Ids
    markets: Count
    equity: Amount
    cash: Amount
    exposure: Amount


class MarketUpdate(_Event, frozen=True, kw_only=True, tag="market.update"):
    """Other best prices than last told, of a market in which money is at work; None where a side is empty."""

    market: Id
    yes_bid: Price
    yes_ask: Price
    no_bid: Price
    no_ask: Price
    quoted_at: Moment


class Settlement(_Event, frozen=True, kw_only=True, tag="settlement"):
    """A market in which something was held has ended and paid. realised: payout less cost, before fees."""

    market: Id
    yes_payout: Price
    yes_shares: Amount
    no_shares: Amount
    payout: Amount
    cost: Amount
    realised: Amount


class PositionUpdate(_Event, frozen=True, kw_only=True, tag="position.update"):
    """What `plugin` holds of an outcome after a fill or a settlement; 0 shares: nothing any more."""

    plugin: Id
    market: Id
    outcome: Id
    shares: Amount
    cost: Amount


class DecideStart(_Event, frozen=True, kw_only=True, tag="decide.start"):
    """The agents are about to be asked."""

    agents: Ids


class DecideEnd(_Event, frozen=True, kw_only=True, tag="decide.end"):
    """Those who answered in time, and how many decisions they made; each is told, judged and placed next."""

    answered: Ids
    decisions: Count


class DecisionMade(_Event, frozen=True, kw_only=True, tag="decision"):
    """A wish to trade, and why, in the agent's words. Parts per million; None is no number in 0..1."""

    plugin: Id
    market: Id
    outcome: Id
    side: Side
    probability_ppm: Parts
    confidence_ppm: Parts
    limit_price: Price
    max_spend: Figure
    text: Words


class RiskCheck(_Event, frozen=True, kw_only=True, tag="risk.check"):
    """A verdict on a decision; when a risk plugin changed it, another one follows. Denied: no order, 0 shares.

    reason: the limit that denied or cut deepest, empty when approved; text: its figures.
    """

    plugin: Id
    market: Id
    outcome: Id
    side: Side
    verdict: Verdict
    reason: Id
    order: Id
    shares: Amount
    limit_price: Price
    text: Words


class RiskBreach(_Event, frozen=True, kw_only=True, tag="risk.breach"):
    """A limit of the account's or a plugin's budget, a risk plugin or a halt stood in the way; reason: which.

    plugin, market: whose wish it stopped or cut, in what; empty when trading as a whole was halted.
    """

    plugin: Id
    market: Id
    verdict: Verdict
    reason: Id
    text: Words


class TradeStart(_Event, frozen=True, kw_only=True, tag="trade.start"):
    """The order goes to the venue now. reserve: its worst cost, fee included; 0 for a sale."""

    order: Id
    plugin: Id
    market: Id
    outcome: Id
    side: Side
    shares: Amount
    limit_price: Price
    reserve: Amount


class Fill(_Event, frozen=True, kw_only=True, tag="fill"):
    """One trade. The fee is on top of the amount when buying and out of it when selling."""

    order: Id
    trade: Id
    plugin: Id
    market: Id
    outcome: Id
    side: Side
    shares: Amount
    price: Price
    amount: Amount
    fee: Amount


class TradeEnd(_Event, frozen=True, kw_only=True, tag="trade.end"):
    """The order has ended at the venue: `filled` of its `shares` were traded."""

    order: Id
    plugin: Id
    market: Id
    outcome: Id
    side: Side
    status: Status
    shares: Amount
    filled: Amount


class TradeError(_Event, frozen=True, kw_only=True, tag="trade.error"):
    """The order came to nothing: rejected by the venue, or void and never sent; in_doubt: nobody knows yet."""

    order: Id
    plugin: Id
    market: Id
    outcome: Id
    side: Side
    status: Status
    text: Words


class PluginFall(_Event, frozen=True, kw_only=True, tag="plugin"):
    """A plugin's process ended without being asked to. state: what follows; ended: how it ended."""

    plugin: Id
    state: Annotated[Literal["backoff", "quarantined"], _EVERYBODY]
    ended: Id
    text: Words


class RunEnd(_Event, frozen=True, kw_only=True, tag="run.end"):
    """The last thing an output is told, and the run's totals."""

    run: Id
    cycles: Count
    decisions: Count
    orders: Count
    fills: Count
    equity: Amount
    cash: Amount


class Missed(_Event, frozen=True, kw_only=True, tag="missed"):
    """So many events were not told at this point: the output was too slow, or gave no good answer to the call."""

    count: Count


Event = (
    RunStart | ObserveStart | ObserveEnd | MarketUpdate | Settlement | PositionUpdate | DecideStart | DecideEnd
    | DecisionMade | RiskCheck | RiskBreach | TradeStart | Fill | TradeEnd | TradeError | PluginFall | RunEnd | Missed
)  # fmt: skip
