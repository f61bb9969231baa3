"""The mapping file of an import: which columns of a stranger's files hold what a tape needs.

Laws: strict. An unknown key, a wrong type, a missing or a contradictory choice is one OperatorError with file and key.
docs/TAPES.md shows every key.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from pp_host import disk
from pp_host.errors import OperatorError
from pp_host.limits import LIMITS

Unit = Literal["s", "ms", "us", "iso8601"]
Scale = Literal["dollars", "cents"]

HINT = "docs/TAPES.md shows a mapping file with every key"
BOOK = ("bid", "ask", "bid_size", "ask_size")
FORMS = {"column"}, {"value"}, {"yes", "no"}, {"bid", "ask"}, {*BOOK}, {*BOOK, "level"}
FACTS = (
    *("event_id", "question", "outcome_0", "outcome_1"),
    *("start_ts", "nominal_end_ts", "close_ts", "resolved_ts", "resolved_yes_price"),
)


class TextFrom(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A cell of each row, or one value for all of them."""

    column: str | None = None
    value: str | None = None


class TimeFrom(TextFrom, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """round_up: a time between two milliseconds becomes the later one; without it it is refused."""

    unit: Unit
    round_up: bool = False


class OutcomeFrom(TextFrom, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """yes, no: how the cells spell the two sides, where they do not name them."""

    yes: str | None = None
    no: str | None = None


class PriceFrom(TextFrom, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of: column or value; `yes` and `no`, the columns of both outcomes; `bid` and `ask`, of which the middle is
    kept; these two with their sizes in shares, which is a book, and with `level` for a book of several rows.
    """

    scale: Scale
    yes: str | None = None
    no: str | None = None
    bid: str | None = None
    ask: str | None = None
    bid_size: str | None = None
    ask_size: str | None = None
    level: str | None = None


class FactsFrom(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Columns of what is known of a market, named as in markets.parquet.

    file: a file of its own with a row a market, whose ids are in its column `market_id`; else each price's row
    unit, scale: of the four times, and of what YES paid
    """

    file: str | None = None
    market_id: str | None = None
    unit: Unit | None = None
    scale: Scale | None = None
    event_id: str | None = None
    question: str | None = None
    outcome_0: str | None = None
    outcome_1: str | None = None
    start_ts: str | None = None
    nominal_end_ts: str | None = None
    close_ts: str | None = None
    resolved_ts: str | None = None
    resolved_yes_price: str | None = None

    def columns(self) -> dict[str, str]:
        """Fact -> column, of those that are known."""
        named = {fact: getattr(self, fact) for fact in FACTS}
        return {fact: column for fact, column in named.items() if column is not None}


class ImportMap(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole mapping file. delimiter: between the cells of a CSV file."""

    delimiter: str = ","
    time: TimeFrom
    market: TextFrom
    price: PriceFrom
    outcome: OutcomeFrom | None = None
    facts: FactsFrom | None = None


def read_map(path: Path) -> ImportMap:
    """Errors: OperatorError."""
    try:
        tree = tomllib.loads(disk.read(path, LIMITS.package.config_bytes).decode())
        found = msgspec.convert(tree, ImportMap)
    except OSError as error:
        raise OperatorError(f"{path}: {error.strerror}", hint="--map names the mapping file") from None
    except msgspec.ValidationError as error:
        what, _, key = str(error).partition(" - at `$.")
        place = f"key {key.removesuffix('`')}: " if key else ""
        raise OperatorError(f"{path}: {place}{what}", hint=HINT) from None
    except (ValueError, RecursionError) as error:
        raise OperatorError(f"{path}: not valid TOML: {error}", hint=HINT) from None
    for key, what in _contradictions(found):
        raise OperatorError(f"{path}: key {key}: {what}", hint=HINT)
    return found


def _contradictions(found: ImportMap) -> Iterator[tuple[str, str]]:
    """(key, what is wrong) of what the types cannot tell."""
    if len(found.delimiter) != 1 or found.delimiter in '"\r\n':
        yield "delimiter", "one character, and neither a quote nor the end of a line"
    for key, source in (("time", found.time), ("market", found.market), ("outcome", found.outcome)):
        if source is not None and (source.column is None) is (source.value is None):
            yield key, "name either column or value"
    yield from _of_price(found)
    if found.outcome is not None and (found.outcome.yes is None) is not (found.outcome.no is None):
        yield "outcome", "yes and no go together"
    if found.outcome is not None and found.outcome.yes is not None and found.outcome.yes == found.outcome.no:
        yield "outcome", "yes and no are spelled alike"
    if found.facts is not None:
        yield from _of_facts(found.facts)


def _of_price(found: ImportMap) -> Iterator[tuple[str, str]]:
    price = found.price
    given = {key for form in FORMS for key in form if getattr(price, key) is not None}
    if given not in FORMS:
        yield (
            "price",
            "name one of: column, value, yes and no, bid and ask, bid and ask with bid_size and ask_size",
        )
    if "yes" in given and found.outcome is not None:
        yield "outcome", "price.yes and price.no tell it already"
    if "yes" not in given and found.outcome is None:
        yield "outcome", "missing; only price.yes and price.no do without"


def _of_facts(facts: FactsFrom) -> Iterator[tuple[str, str]]:
    named = facts.columns()
    if (facts.file is None) is not (facts.market_id is None):
        yield "facts", "file and market_id go together"
    if facts.file is None and not named:
        yield "facts", "names no column"
    if any(fact.endswith("_ts") for fact in named) is (facts.unit is None):
        yield "facts.unit", "goes with columns of times, and they with it"
    if ("resolved_yes_price" in named) is (facts.scale is None):
        yield "facts.scale", "goes with resolved_yes_price, and that with it"
