"""What an import knows of markets: from a file of their own, from the prices' rows, or their ids only.

Laws: a market is described once. Two rows that say different things of one market are refused, null says nothing.
Times are milliseconds UTC, prices micro-USD.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pp_host.backtest import cells
from pp_host.backtest.figures import is_null, micros, price_reader, time_reader
from pp_host.backtest.foreign import Rows, read_rows
from pp_host.backtest.importmap import FactsFrom, Scale, Unit
from pp_host.backtest.market import side_names, sides
from pp_host.errors import OperatorError

BOUNDED = {"event_id": "event", "question": "question", "outcome_0": "yes_name", "outcome_1": "no_name"}
NAMES = ("outcome_0", "outcome_1")

Fact = str | int | None


class Described:
    """One market: `index` in the order of its first mention, `facts` by column of markets.parquet."""

    __slots__ = ("facts", "heard", "index", "sides")

    def __init__(self, index: int) -> None:
        self.index = index
        self.facts: dict[str, Fact] = {}
        self.heard: tuple[Fact, ...] = ()
        self.sides = sides("Yes", "No")


class Catalogue:
    """The markets of an import. `columns` are those of the prices' files that describe them."""

    def __init__(self, facts: FactsFrom | None, folder: Path, delimiter: str) -> None:
        self._known: dict[str, Described] = {}
        self._named = facts.columns() if facts else {}
        self._readers = _readers(facts) if facts else {}
        self._closed = facts is not None and facts.file is not None
        self.columns = [] if self._closed else list(self._named.values())
        if facts is not None and facts.file is not None and facts.market_id is not None:
            self._read_file(folder / facts.file, facts.market_id, delimiter)

    def described(self) -> dict[str, Described]:
        return self._known

    def market(self, name: str) -> Described:
        """Errors: OperatorError without a place when a file of markets leaves it out."""
        if name not in self._known:
            if self._closed:
                raise OperatorError(f"{cells.shown(name)} is not in facts.file", hint="add its row there")
            self._known[name] = Described(len(self._known))
        return self._known[name]

    def hear(self, rows: Rows, names: Sequence[str]) -> None:
        """Take in what the rows of prices say of their markets, `names` row by row. Raises OperatorError."""
        if not self.columns:
            return
        told = [rows.read(column, self._readers[fact]) for fact, column in self._named.items()]
        for row, (name, facts) in enumerate(zip(names, zip(*told, strict=True), strict=True)):
            market = self.market(name)
            if market.heard != facts:
                self._describe(rows, row, market, facts)
                market.heard = facts

    def _read_file(self, path: Path, id_column: str, delimiter: str) -> None:
        columns = [id_column, *self._named.values()]
        for rows in read_rows(path, list(dict.fromkeys(columns)), delimiter):
            names = rows.read(id_column, cells.name)
            told = [rows.read(column, self._readers[fact]) for fact, column in self._named.items()]
            facts = zip(*told, strict=True) if told else [()] * len(names)
            for row, (name, known) in enumerate(zip(names, facts, strict=True)):
                if name in self._known:
                    what = f"{cells.shown(name)} appears twice"
                    raise rows.fault(id_column, row, what, hint="keep one row per market")
                market = self._known[name] = Described(len(self._known))
                self._describe(rows, row, market, known)

    def _describe(self, rows: Rows, row: int, market: Described, facts: Sequence[Fact]) -> None:
        for (fact, column), value in zip(self._named.items(), facts, strict=True):
            before = market.facts.get(fact)
            late = bool(market.heard) and fact in NAMES  # its earlier prices were read without these names
            if value not in (None, before) and (before is not None or late):
                what = f"{cells.shown(value)}, and {cells.shown(before)} before for the same market"
                raise rows.fault(column, row, what, hint="every row of a market says the same of it")
            if value is not None:
                market.facts[fact] = value
        yes, no = side_names(_text(market, "outcome_0"), _text(market, "outcome_1"))
        if yes == no:
            column = self._named.get("outcome_1") or self._named["outcome_0"]
            what = f"both outcomes are called {cells.shown(no)}"
            raise rows.fault(column, row, what, hint="name them differently")
        market.sides = sides(yes, no)


def _text(market: Described, fact: str) -> str:
    value = market.facts.get(fact)
    return value if isinstance(value, str) else ""


def _readers(facts: FactsFrom) -> Mapping[str, Callable[[str | None], Fact]]:
    """How each fact's cells become what the tape holds."""
    paid, time = _payout_reader(facts.scale or "dollars"), _time_reader(facts.unit or "ms")
    texts = {fact: _text_reader(column) for fact, column in BOUNDED.items()}
    return {
        fact: texts.get(fact) or (paid if fact == "resolved_yes_price" else time) for fact in facts.columns()
    }


def _text_reader(column: str) -> Callable[[str | None], Fact]:
    bounded = cells.text(column)
    return lambda text: bounded(text) or None


def _payout_reader(scale: Scale) -> Callable[[str | None], Fact]:
    read = price_reader(scale)

    def paid(text: str | None) -> Fact:
        price = read(text)
        return None if price is None else micros(price)

    return paid


def _time_reader(unit: Unit) -> Callable[[str | None], Fact]:
    """Between two milliseconds the later one: nothing becomes known early."""
    read = time_reader(unit, round_up=True)
    return lambda text: None if is_null(text) else read(text)
