"""A report as data: everything that the page and the pictures show, and nothing that they have to work out.

Laws: frozen; integers of micro-USD, micro-shares, parts per million and microseconds UTC, as everywhere. `seq` is the
record's entry that a row stands for. Texts are strangers' and unescaped: whoever shows them escapes them.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from pp_host.app.report.curve import Curve

State = Literal["finished", "running", "interrupted"]


class StrategyPart(Struct, frozen=True, kw_only=True):
    """Who selected what may be bought. `brief` names the text that agents were given and `brief_digest` is its sha256;
    both are empty of a strategy without one."""

    id: str
    brief: str
    brief_digest: str


class Header(Struct, frozen=True, kw_only=True):
    """`started` and `ended` are the machine's time as the record spells it; `ended` is empty while it has not.

    first, last: the session's clock at the first and the last observation, null before that. `cycles` is null of a run
    that has not ended. `tape` and `config` are digests, `tape` empty without one; `halted` is why it was halted, if so;
    `strategy` is null of a run that has none.
    """

    run: str
    account: str
    mode: str
    state: State
    started: str
    ended: str
    first: int | None
    last: int | None
    cycles: int | None
    observations: int
    seed: int
    tape: str
    config: str
    version: str
    halted: str
    strategy: StrategyPart | None


class Proof(Struct, frozen=True, kw_only=True):
    """The record as it was verified for this report: `read` of its `size` entries went into it. `note` is the signed
    checkpoint over all of them, which `pp audit verify --checkpoint` takes."""

    size: int
    root: str
    checkpoints: int
    vkey: str
    note: str
    read: int


class Money(Struct, frozen=True, kw_only=True):
    """As `pp run` reports them. `profit` is equity_end - equity_start = realised - fees of this run + `revalued`.

    realised, fees: of this run; `revalued` is by how much what open positions are worth beyond their cost has changed.
    """

    equity_start: int
    equity_end: int
    profit: int
    cash: int
    reserved: int
    positions_cost: int
    unrealised: int
    revalued: int
    realised: int
    fees: int
    bought: int
    sold: int
    paid: int
    drawdown: int
    drawdown_ppm: int
    drawdown_at: int | None


class Counts(Struct, frozen=True, kw_only=True):
    """`settled` markets paid out, of which `settled_held` with something held of them, of which `settled_won` brought
    more in this run than they cost, fees included."""

    decisions: int
    approved: int
    reduced: int
    denied: int
    unjudged: int
    orders: int
    fills: int
    markets: int
    settled: int
    settled_held: int
    settled_won: int


class Taking(Struct, frozen=True, kw_only=True):
    """What trading brought, by whom or where: `profit` is realised - fees, without what is still held."""

    name: str
    trades: int
    bought: int
    sold: int
    paid: int
    realised: int
    fees: int
    profit: int


class PluginPart(Struct, frozen=True, kw_only=True):
    """One plugin in the run. `spent` is what its purchases cost, fees of all its trades included."""

    id: str
    version: str
    digest: str
    grant: str
    starts: int
    calls: int
    failures: int
    falls: int
    spent: int
    quarantined: bool


class ReasonCount(Struct, frozen=True, kw_only=True):
    """How often a plugin's wishes met this verdict and reason, and the last time."""

    plugin: str
    verdict: str
    reason: str
    decisions: int
    seq: int
    at: int
    market: str
    detail: str
    rationale: str


class Trade(Struct, frozen=True, kw_only=True):
    """One fill; `realised` of a sale only, before fees."""

    seq: int
    at: int
    order: str
    plugin: str
    market: str
    outcome: str
    side: str
    shares: int
    price: int
    amount: int
    fee: int
    realised: int | None


class Payout(Struct, frozen=True, kw_only=True):
    """A market that ended while something was held of it."""

    seq: int
    at: int
    market: str
    yes_payout: int
    yes_shares: int
    no_shares: int
    payout: int
    cost: int
    realised: int


class Trouble(Struct, frozen=True, kw_only=True):
    """Something that went wrong; `ts` as the record spells it."""

    seq: int
    ts: str
    event: str
    plugin: str
    text: str


class Curves(Struct, frozen=True, kw_only=True):
    """Micro-USD over the session's clock; `drawdown` is equity less its highest so far, so never above 0."""

    equity: Curve
    drawdown: Curve
    exposure: Curve
    cash: Curve


class Link(Struct, frozen=True, kw_only=True):
    """One entry on the way to a trade."""

    seq: int
    ts: str
    event: str
    who: str
    digest: str
    verdict: str
    rule: str
    subject: dict[str, Any]


class Report(Struct, frozen=True, kw_only=True):
    """`trades` are the newest, oldest of them first; winners and losers are markets; `troubles` the newest of
    `troubled`."""

    header: Header
    proof: Proof
    money: Money
    counts: Counts
    plugins: tuple[PluginPart, ...]
    reasons: tuple[ReasonCount, ...]
    agents: tuple[Taking, ...]
    winners: tuple[Taking, ...]
    losers: tuple[Taking, ...]
    other_markets: int
    other_profit: int
    trades: tuple[Trade, ...]
    payouts: tuple[Payout, ...]
    troubles: tuple[Trouble, ...]
    troubled: int
    curves: Curves
