"""What a plugin may be allowed to do, each with its numbers, a plain sentence, and an order of wider and
narrower.

Laws: deny by default. Everything about a capability is computable: sets narrow by inclusion, numbers by <=,
detail by none < ratio < exact; an absent bound is the widest. Money is integer micro-units (1 USD =
1_000_000) here, and exact decimal dollars (`max_order_usd`) in the files that people write.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeVar, get_args

import msgspec
from msgspec import Meta, Struct
from pp_sdk.events import Detail, EventKind
from pp_sdk.types import MICRO

from pp_host.errors import OperatorError, Refused
from pp_host.figures import decimal
from pp_host.limits import LIMITS

# Named in the design of the manifest; refused by name until this host can enforce them.
LATER = frozenset({"market.stream", "history.read", "net.http", "net.ws", "secret.use"})
LATER |= {"llm.use", "plugin.call", "code.native"}
_DETAIL: tuple[str, ...] = get_args(Detail)

EVENT_KINDS: tuple[str, ...] = get_args(EventKind)

Micros = Annotated[int, Meta(ge=1, le=LIMITS.package.money_micros_max)]
Reason = Annotated[str, Meta(min_length=1, max_length=200)]
Names = Annotated[
    tuple[Annotated[str, Meta(pattern=r"\A[a-z0-9][a-z0-9._:-]{0,63}\Z")], ...],
    Meta(min_length=1, max_length=256),
]
MarketIds = Annotated[
    tuple[Annotated[str, Meta(pattern=r"\A[\x21-\x7e]{1,200}\Z")], ...], Meta(min_length=1, max_length=1024)
]

T = TypeVar("T", bound=Struct)


class _Asked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="use"):
    reason: Reason


class MarketRead(_Asked, frozen=True, kw_only=True, tag="market.read"):
    """See snapshots of markets; `venues` None means every venue."""

    venues: Names | None = None

    def sentence(self) -> str:
        return f"Reads markets and prices of {_listed(self.venues, 'every venue')}."


class AccountRead(_Asked, frozen=True, kw_only=True, tag="account.read"):
    """See the account's cash and positions, as shares of the whole or in exact amounts."""

    precision: Literal["ratio", "exact"] = "ratio"

    def sentence(self) -> str:
        how = "exact amounts" if self.precision == "exact" else "shares of the whole, never amounts"
        return f"Sees your cash and positions as {how}."


class DecisionPropose(_Asked, frozen=True, kw_only=True, tag="decision.propose"):
    """Propose trades within a budget that core enforces; None means no bound of its own."""

    markets: Literal["any"] | MarketIds = "any"
    max_order_micros: Micros
    max_day_micros: Micros
    max_exposure_micros: Micros | None = None
    orders_per_minute: Annotated[int, Meta(ge=1, le=LIMITS.package.orders_per_minute_max)] | None = None

    def sentence(self) -> str:
        where = "any market" if self.markets == "any" else f"{len(self.markets)} named markets"
        bounds = [f"{dollars(self.max_order_micros)} an order", f"{dollars(self.max_day_micros)} a day"]
        if self.max_exposure_micros is not None:
            bounds.append(f"{dollars(self.max_exposure_micros)} open at once")
        if self.orders_per_minute is not None:
            bounds.append(f"{self.orders_per_minute} orders a minute")
        return f"Proposes trades on {where}: at most {', '.join(bounds)}."


class RiskAdvise(_Asked, frozen=True, kw_only=True, tag="risk.advise"):
    """Shrink or veto proposed trades."""

    def sentence(self) -> str:
        return "Shrinks or vetoes proposed trades; can never enlarge one."


class Notify(_Asked, frozen=True, kw_only=True, tag="notify"):
    """Be told of events after the fact; `events` None means every kind."""

    events: Annotated[tuple[EventKind, ...], Meta(min_length=1, max_length=len(EVENT_KINDS))] | None = None
    detail: Detail = "none"

    def sentence(self) -> str:
        how = {"none": "without", "ratio": "with shares of the whole for", "exact": "with exact"}[self.detail]
        return f"Is told afterwards of {_listed(self.events, 'every kind of event')}, {how} amounts."


class StorageKv(_Asked, frozen=True, kw_only=True, tag="storage.kv"):
    """Keep values under keys, all of them together at most `mb`."""

    mb: Annotated[int, Meta(ge=1, le=LIMITS.keep.values_mb_max)]

    def sentence(self) -> str:
        return f"Keeps up to {self.mb} MB of data of its own on this machine, from run to run."


class StorageAppend(_Asked, frozen=True, kw_only=True, tag="storage.append"):
    """Add lines of text to files, all of them together at most `mb`."""

    mb: Annotated[int, Meta(ge=1, le=LIMITS.keep.lines_mb_max)]

    def sentence(self) -> str:
        return f"Writes up to {self.mb} MB of lines to files in a folder of its own on this machine."


Capability = MarketRead | AccountRead | DecisionPropose | RiskAdvise | Notify | StorageKv | StorageAppend


def use(capability: Capability) -> str:
    """The capability's name, such as `market.read`."""
    return str(capability.__struct_config__.tag)


OFFERED = frozenset(str(kind.__struct_config__.tag) for kind in get_args(Capability))


def narrow(asked: T, wish: Mapping[str, Any], name: str) -> T:
    """`asked` with the values of `wish` in place of its own, none of them wider.

    Errors: Refused names the number that is wider, OperatorError a value of the wrong kind.
    """
    try:
        wished = msgspec.convert({**msgspec.to_builtins(asked), **wish}, type(asked))
    except msgspec.ValidationError as error:
        raise OperatorError(f"{name}: {error}") from None
    for key in wish.keys() - {"use"}:
        ours, theirs = getattr(wished, key), getattr(asked, key)
        if not _within(ours, theirs):
            what = f"{_shown(key, ours)} is wider than the {_shown(key, theirs)} asked for"
            key = key.replace("_micros", "_usd")
            raise Refused(f"{name}: {key}: {what}", hint="a grant may only narrow what plugin.yaml asks for")
    return wished


def _within(wish: object, asked: object) -> bool:
    if wish == asked or asked in (None, "any"):
        return True
    if isinstance(wish, tuple) and isinstance(asked, tuple):
        return set(wish) <= set(asked)
    if isinstance(wish, int | float) and isinstance(asked, int | float):
        return wish <= asked
    return wish in _DETAIL and asked in _DETAIL and _DETAIL.index(wish) < _DETAIL.index(asked)


def micros(value: object) -> int:
    """Dollars as people write them (50, 50.25) in micro-units, exactly. Errors: ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("expected dollars, such as 50 or 50.25")
    exact = Decimal(value)
    if not 0 < exact <= LIMITS.package.money_micros_max // MICRO:
        raise ValueError(f"expected more than 0 and at most {dollars(LIMITS.package.money_micros_max)}")
    exponent = exact.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -6:
        raise ValueError("expected at most six decimals")
    return int(exact.scaleb(6))  # exact: at most 10 + 6 digits, far below Decimal's 28


def in_micros(asked: Mapping[str, Any]) -> dict[str, Any]:
    """A capability as people write it, each `*_usd` as `*_micros`. Errors: ValueError `key: what`."""
    converted: dict[str, Any] = {}
    for key, value in asked.items():
        if key.endswith("_micros"):
            raise ValueError(f"{key}: unknown key; amounts are written in dollars, as *_usd")
        if not key.endswith("_usd"):
            converted[key] = value
            continue
        try:
            converted[key.removesuffix("_usd") + "_micros"] = micros(value)
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from None
    return converted


def dollars(amount: int) -> str:
    """Micro-units as exact dollars: 50_250_000 -> '$50.25', 1 -> '$0.000001'."""
    return f"${decimal(amount)}"


def _listed(names: tuple[str, ...] | None, everything: str) -> str:
    return everything if names is None else ", ".join(names)


def _shown(key: str, value: object) -> str:
    if value is None or isinstance(value, tuple):
        return ", ".join(value) if value else "unbounded"
    return dollars(value) if key.endswith("_micros") and isinstance(value, int) else str(value)
