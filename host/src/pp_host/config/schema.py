"""Every setting of pp.toml: its type, bounds, default and one line of documentation.

Laws: this is the only list of settings; the reader, docs/CONFIG.md and the file `pp init` writes follow
from it. An attribute's suffix states its unit and its spelling in the file: `max_order_micros` (micro-USD)
is written `max_order_usd = 50`, `max_drawdown_ppm` (parts per million) `max_drawdown = 0.25`. Every
section can be left out. What guards money fails closed: a plugin without a budget may place nothing, and
no budget widens a grant.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field
from pp_sdk.types import MICRO

from pp_host.errors import OperatorError

USD_MOST = 1_000_000_000 * MICRO  # stays exact in every JSON reader (below 2**53)


def spelling(attribute: str) -> str:
    """The key in pp.toml of an attribute: 'cash_micros' -> 'cash_usd', 'fee_rate_ppm' -> 'fee_rate'."""
    if attribute.endswith("_micros"):
        return attribute.removesuffix("_micros") + "_usd"
    return attribute.removesuffix("_ppm")


def usd(description: str) -> Meta:
    return Meta(ge=0, le=USD_MOST, description=description)


def share(description: str) -> Meta:
    return Meta(ge=0, le=MICRO, description=description)


def seconds(description: str, *, most: int) -> Meta:
    return Meta(gt=0, le=most, description=description)


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename=spelling):
    """One table of pp.toml."""


class Host(Section, frozen=True):
    """The loop."""

    cycle_seconds: Annotated[
        float, seconds("Time from the start of one cycle to the start of the next.", most=86_400)
    ] = 60
    mode: Annotated[
        Literal["paper", "dry-run"],
        Meta(description="paper fills orders on a simulated venue; dry-run judges and places nothing."),
    ] = "paper"
    min_level: Annotated[
        Literal["L3", "L2", "L1"],
        Meta(
            description="The weakest walls that plugins may run behind: L3 is the strongest, L2 lacks namespaces, L1"
            " Landlock too. A run takes the strongest that stand, and is refused where these do not."
        ),
    ] = "L2"


class Account(Section, frozen=True):
    """The paper account."""

    cash_micros: Annotated[int, usd("What the paper account starts with.")] = 1000 * MICRO


class Budget(Section, frozen=True):
    """How much money one plugin's decisions may use, and never more than its grant allows; 0 is nothing."""

    order_micros: Annotated[int, usd("The most one order may cost, fee included.")] = 0
    day_micros: Annotated[int, usd("The most its orders may cost in one UTC day.")] = 0
    exposure_micros: Annotated[int, usd("The most its open positions may have cost.")] = 0
    orders_per_minute: Annotated[
        int, Meta(ge=0, le=600, description="How many orders it may place a minute.")
    ] = 0


class Plugin(Section, frozen=True):
    """One installed plugin, by its id in quotes."""

    enabled: Annotated[bool, Meta(description="Whether `pp run` starts it when no set is named.")] = True
    config: Annotated[
        dict[str, Any], Meta(description="Its own settings, checked against the schema in its package.")
    ] = field(default_factory=dict)
    brief: Annotated[
        str,
        Meta(
            max_length=64,
            description="Of a strategy: which brief of its package agents are given; the only one need not be named.",
        ),
    ] = ""
    budget: Budget = Budget()


class PluginSet(Section, frozen=True):
    """Plugins that `pp run --set NAME` starts together, in this order."""

    plugins: Annotated[tuple[str, ...], Meta(description="Ids of plugins listed above.")] = ()


class Risk(Section, frozen=True):
    """Limits that no plugin can loosen. Orders beyond them are reduced or denied."""

    max_order_micros: Annotated[int, usd("The most one order may cost, fee included.")] = 50 * MICRO
    max_exposure_micros: Annotated[int, usd("The most all open positions may have cost together.")] = (
        500 * MICRO
    )
    max_market_micros: Annotated[int, usd("The most open positions in one market may have cost.")] = (
        100 * MICRO
    )
    max_positions: Annotated[
        int, Meta(ge=0, le=100_000, description="In how many markets money may be at work at once.")
    ] = 50
    max_daily_loss_micros: Annotated[int, usd("A loss since 00:00 UTC that stops new positions.")] = (
        100 * MICRO
    )
    max_drawdown_ppm: Annotated[
        int, share("A fall from the highest equity, as a fraction, that stops new positions.")
    ] = 250_000
    max_snapshot_age_seconds: Annotated[
        float, seconds("How old a market's data may be when an order relies on it.", most=86_400)
    ] = 120
    max_spread_ppm: Annotated[
        int, share("The widest gap between ask and bid, in dollars, that may be traded.")
    ] = 150_000
    min_price_ppm: Annotated[int, share("The lowest price in dollars at which a position may be opened.")] = (
        10_000
    )
    max_price_ppm: Annotated[
        int, share("The highest price in dollars at which a position may be opened.")
    ] = 990_000


class Sizing(Section, frozen=True):
    """How large an order is before the limits cut it."""

    method: Annotated[
        Literal["kelly", "fixed"],
        Meta(description="kelly sizes by the edge after fee and spread; fixed spends fixed_usd."),
    ] = "kelly"
    fraction_ppm: Annotated[int, share("The part of the full Kelly stake to take.")] = 250_000
    fixed_micros: Annotated[int, usd("What one order costs under fixed.")] = 10 * MICRO


class Deadlines(Section, frozen=True):
    """How long one cycle waits for plugins; who is late is left out of it."""

    snapshot_seconds: Annotated[float, seconds("For all sources together.", most=60)] = 10
    select_seconds: Annotated[
        float, seconds("For the strategy: when it is late its last selection stands.", most=60)
    ] = 10
    decide_seconds: Annotated[float, seconds("For all agents together.", most=120)] = 30
    advise_seconds: Annotated[
        float,
        seconds(
            "For each answer of a risk plugin, and for all of a cycle in equal shares for each agent: who is late,"
            " or not asked any more, vetoes.",
            most=20,
        ),
    ] = 5


class Tape(Section, frozen=True):
    """How recorded price points become an order book under `pp run --tape`."""

    spread_ticks: Annotated[
        int, Meta(ge=1, le=1000, description="Ticks added on each side of a recorded price.")
    ] = 1
    depth_micros: Annotated[
        int, Meta(gt=0, le=USD_MOST, description="What each side of the book can take.")
    ] = 100 * MICRO
    tick_ppm: Annotated[
        int, Meta(ge=1, le=500_000, description="The price step in dollars; must divide one dollar.")
    ] = 1_000


class Paper(Section, frozen=True):
    """The simulated venue."""

    fee_rate_ppm: Annotated[int, share("The taker's fee rate for markets whose source states none.")] = 70_000


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole pp.toml."""

    host: Host = Host()
    account: Account = Account()
    plugins: dict[str, Plugin] = field(default_factory=dict)
    sets: dict[str, PluginSet] = field(default_factory=dict)
    risk: Risk = Risk()
    sizing: Sizing = Sizing()
    deadlines: Deadlines = Deadlines()
    tape: Tape = Tape()
    paper: Paper = Paper()

    def enabled(self) -> tuple[str, ...]:
        """Ids that `pp run` starts when no set is named, in the file's order."""
        return tuple(name for name, plugin in self.plugins.items() if plugin.enabled)

    def set_named(self, name: str) -> tuple[str, ...]:
        """Ids of the set `name`, in its order; OperatorError when there is no such set."""
        if name in self.sets:
            return self.sets[name].plugins
        raise OperatorError(
            f"pp.toml: sets.{name}: there is no such set",
            hint=meant(name, self.sets) or "add it, or leave out --set",
        )


def meant(word: str, known: Any) -> str:
    """A hint that names the nearest known word, or else all of them when they are few."""
    near = get_close_matches(word, list(known), n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]}?"
    return f"known: {', '.join(sorted(known))}" if 0 < len(known) <= 12 else ""
