"""Times and prices as strangers write them: text becomes an integer, exactly, or is refused.

Laws: no float. Every text is a decimal number of bounded length or an ISO 8601 time with its offset. Empty text and
NaN are null.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_HALF_EVEN, Context, Decimal

from pp_sdk.table.layout import MOST_LEVELS

from pp_host.backtest.cells import LAST_MILLISECOND, LEVEL_HINT, MOST_SHARES, shown
from pp_host.backtest.importmap import Scale, Unit
from pp_host.errors import OperatorError
from pp_host.model import MICRO

EXACT = Context(prec=300)  # more digits than any number that is let in, or a sum of two, can have
NUMBER = re.compile(r"[+-]?[0-9]{1,20}(\.[0-9]{0,25})?([eE][+-]?[0-9]{1,2})?", re.ASCII)
ISO8601 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2}(?::[0-9]{2})?)(\.[0-9]{1,12})?(Z|[+-][0-9]{2}:?[0-9]{2})?",
    re.ASCII,
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECONDS = {"s": 3, "ms": 0, "us": -3}  # powers of ten
DOLLARS = {"dollars": 0, "cents": -2}
ROUND_HINT = "a tape counts milliseconds; round_up = true takes the next one, so that nothing shows early"


def is_null(text: str | None) -> bool:
    return text is None or text == "" or text in {"nan", "NaN"}


def time_reader(unit: Unit, *, round_up: bool) -> Callable[[str | None], int]:
    """Text -> milliseconds since 1970 UTC. Raises OperatorError without a place."""

    def read(text: str | None) -> int:
        if text is None or is_null(text):
            raise OperatorError("no time", hint="every row has its time")
        exact = (
            _iso_milliseconds(text) if unit == "iso8601" else _number(text).scaleb(MILLISECONDS[unit], EXACT)
        )
        whole = exact.to_integral_value(ROUND_CEILING, EXACT)
        if not 0 <= whole <= LAST_MILLISECOND:
            raise OperatorError(f"{shown(text)} is not a time", hint=f"is it really in {unit}?")
        if whole != exact and not round_up:
            raise OperatorError(f"{shown(text)} is between two milliseconds", hint=ROUND_HINT)
        return int(whole)

    return read


def price_reader(scale: Scale) -> Callable[[str | None], Decimal | None]:
    """Text -> dollars per share, exact, None for null. Raises OperatorError without a place."""

    def read(text: str | None) -> Decimal | None:
        if text is None or is_null(text):
            return None
        exact = _number(text).scaleb(DOLLARS[scale], EXACT)
        if not 0 <= exact <= 1:
            most = "from 0 to 1" if scale == "dollars" else "from 0 to 100"
            raise OperatorError(f"{shown(text)} is not a price", hint=f"prices in {scale} are {most}")
        return exact

    return read


def quote_reader(scale: Scale) -> Callable[[str | None], int]:
    """Text -> micro-USD per share of a book, exact, 0 for null and 0. Raises OperatorError without a place."""
    read = price_reader(scale)

    def quoted(text: str | None) -> int:
        exact = read(text) or Decimal(0)
        whole = micros(exact)
        if exact != Decimal(whole).scaleb(-6):
            raise OperatorError(
                f"{shown(text)} has digits below a micro-dollar", hint="no venue quotes such a price"
            )
        return whole

    return quoted


def shares(text: str | None) -> tuple[int | None, bool]:
    """Text -> micro-shares of a book, rounded down, and whether digits were lost; None for null."""
    if text is None or is_null(text):
        return None, False
    exact = _number(text)
    if not 0 <= exact <= MOST_SHARES:
        raise OperatorError(
            f"{shown(text)} is not a size", hint="sizes are shares, from 0 to a thousand million"
        )
    whole = int(EXACT.multiply(exact, Decimal(MICRO)).to_integral_value(ROUND_DOWN, EXACT))
    return whole, exact != Decimal(whole).scaleb(-6)


def level(text: str | None) -> int:
    """Text -> the place of a row in its book. Raises OperatorError without a place."""
    exact = Decimal(-1) if text is None or is_null(text) else _number(text)
    if exact not in range(MOST_LEVELS):
        raise OperatorError(f"{shown(text)} is not a level", hint=LEVEL_HINT)
    return int(exact)


def micros(dollars: Decimal) -> int:
    """The nearest micro-USD, of two the even one."""
    return int(EXACT.multiply(dollars, Decimal(MICRO)).to_integral_value(ROUND_HALF_EVEN, EXACT))


def middle(bid: Decimal, ask: Decimal) -> Decimal:
    return EXACT.divide(EXACT.add(bid, ask), Decimal(2))


def _number(text: str) -> Decimal:
    if not NUMBER.fullmatch(text):
        raise OperatorError(
            f"{shown(text)} is not a number", hint="digits, at most one point, no thousands mark"
        )
    return Decimal(text)


def _iso_milliseconds(text: str) -> Decimal:
    matched = ISO8601.fullmatch(text)
    if matched is None:
        raise OperatorError(f"{shown(text)} is not an ISO 8601 time", hint="such as 2026-02-10T14:00:11Z")
    day, clock, fraction, offset = matched.groups()
    if offset is None:
        raise OperatorError(f"{shown(text)} has no offset", hint="add Z or an offset such as +01:00")
    try:
        whole = datetime.fromisoformat(f"{day}T{clock}{offset}") - EPOCH
    except (ValueError, OverflowError):
        raise OperatorError(f"{shown(text)} is not an ISO 8601 time", hint="there is no such date") from None
    seconds = Decimal(whole // timedelta(seconds=1))
    return EXACT.add(seconds, Decimal(fraction or 0)).scaleb(3, EXACT)
