"""What one cell of a tape may hold, and what it becomes inside.

Laws: times become microseconds UTC, prices become micro-USD, both integers and exact; null and NaN are the
same unknown. What cannot be is an OperatorError; the reader adds file, column and row to it. Texts are
strangers': bounded here as the market table bounds them, and never shown raw in an error.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal

from pp_sdk.table import TEXT_COLUMNS
from pp_sdk.table.layout import MOST_LEVELS

from pp_host.errors import OperatorError
from pp_host.model import MICRO

MILLISECOND = 1000
MOST_SHARES = 10**9  # of one level; up to some four times that a double tells every micro-share
LAST_MILLISECOND = 253_402_300_799_999  # the year 9999; microseconds or nanoseconds lie far behind it
MOST_BYTES = {column.name: column.most for column in TEXT_COLUMNS}

TIME_HINT = "times are milliseconds since 1970 UTC"
PRICE_HINT = "prices are dollars per share, from 0 to 1"
QUOTE_HINT = "a book's prices are dollars per share, above 0 and below 1; null is nobody there"
SIZE_HINT = "sizes are shares, above 0 and at most a thousand million; null is nobody there"
LEVEL_HINT = f"levels count from 0, the best, to {MOST_LEVELS - 1}"


def shown(value: object) -> str:
    """A stranger's value, fit for one line on a terminal."""
    spelled = ascii(value)
    return spelled if len(spelled) <= 80 else spelled[:77] + "..."


def name(value: str | None) -> str:
    """A text that identifies something: present and short."""
    if not value:
        raise OperatorError("empty", hint="every row names its market and outcome")
    return _bounded(value, MOST_BYTES["id"])


def text(column: str) -> Callable[[str | None], str]:
    """Texts as the market table's `column` holds them; unknown becomes empty."""
    most = MOST_BYTES[column]
    return lambda value: _bounded(value or "", most)


def moment(value: float | None) -> int:
    """Milliseconds to microseconds."""
    if value is None:
        raise OperatorError("no time", hint=TIME_HINT)
    if not 0 <= value <= LAST_MILLISECOND or value != int(value):
        raise OperatorError(f"{value} is not a time", hint=TIME_HINT)
    return int(value) * MILLISECOND


def moment_or_none(value: float | None) -> int | None:
    return None if value is None or math.isnan(value) else moment(value)


def price(value: float | None) -> int:
    """Dollars to the nearest micro-USD, of the float's own value: 28 digits of it, where six count."""
    if value is None:
        raise OperatorError("no price", hint=PRICE_HINT)
    if not 0 <= value <= 1:
        raise OperatorError(f"{value} is not a price", hint=PRICE_HINT)
    return round(Decimal(value) * MICRO)


def price_or_none(value: float | None) -> int | None:
    return None if value is None or math.isnan(value) else price(value)


def quoted_price(value: float | None) -> int:
    """Of a book: dollars to the nearest micro-USD, 0 where nobody is."""
    if value is None or math.isnan(value):
        return 0
    micros = price(value) if 0 < value < 1 else 0
    if not 0 < micros < MICRO:
        raise OperatorError(f"{value} is not a price of a book", hint=QUOTE_HINT)
    return micros


def size(value: float | None) -> int:
    """Of a book: shares to the nearest micro-share, 0 where nobody is."""
    if value is None or math.isnan(value):
        return 0
    micros = 0
    if 0 < value <= MOST_SHARES:
        units, parts = value.as_integer_ratio()  # exact as Decimal, and faster: sizes rarely repeat
        micros = (2 * units * MICRO + parts) // (2 * parts)
    if not micros:
        raise OperatorError(f"{value} is not a size", hint=SIZE_HINT)
    return micros


def level(value: int | None) -> int:
    """The place of a row in its book."""
    if value is None or not 0 <= value < MOST_LEVELS:
        raise OperatorError(f"{value} is not a level", hint=LEVEL_HINT)
    return value


def _bounded(value: str, most: int) -> str:
    if len(value.encode()) > most:
        raise OperatorError(f"longer than {most} bytes: {shown(value)}", hint="shorten it")
    return value
