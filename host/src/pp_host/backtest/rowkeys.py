"""When a row of a stranger's file speaks, and of which outcome, as the mapping file says where that is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from pp_host.backtest import cells
from pp_host.backtest.catalogue import Catalogue, Described
from pp_host.backtest.figures import time_reader
from pp_host.backtest.foreign import Rows
from pp_host.backtest.importmap import ImportMap, OutcomeFrom, TextFrom
from pp_host.errors import OperatorError

T = TypeVar("T")

Side = str | int  # an outcome's name, or 0 for YES and 1 for NO


class Key(NamedTuple):
    """time: milliseconds UTC"""

    time: int
    market: Described
    name: str


class RowKeys:
    """The keys of rows by one mapping file; `path` is that file, for its errors."""

    def __init__(self, mapping: ImportMap, path: Path, catalogue: Catalogue) -> None:
        self._map = mapping
        self._path = path
        self._catalogue = catalogue
        self._time = time_reader(mapping.time.unit, round_up=mapping.time.round_up)
        self._side = _side_reader(mapping.outcome)

    @property
    def columns(self) -> list[str | None]:
        """What has to be read of a file for them; None where the mapping file has a value."""
        outcome = self._map.outcome.column if self._map.outcome else None
        return [self._map.time.column, self._map.market.column, outcome, *self._catalogue.columns]

    def read(self, rows: Rows) -> list[Key]:
        """Time and market of each row. Raises OperatorError."""
        times = self.cells(rows, "time", self._map.time, self._time)
        names = self.cells(rows, "market", self._map.market, cells.name)
        self._catalogue.hear(rows, names)
        known = self.cells(rows, "market", self._map.market, lambda name: self._catalogue.market(name or ""))
        return list(map(Key, times, known, names))

    def sides(self, rows: Rows) -> Sequence[Side]:
        """The outcome of each row, as its cell spells it. Raises OperatorError."""
        assert self._map.outcome is not None  # the mapping file was refused without one
        return self.cells(rows, "outcome", self._map.outcome, self._side)

    def slot(self, rows: Rows, row: int, key: Key, side: Side) -> int:
        """2 x the market's index, plus 1 for NO. Raises OperatorError for an outcome that the market has not."""
        which = side if isinstance(side, int) else key.market.sides.get(side)
        if which is None:
            raise self._unknown(rows, row, key, str(side))
        return 2 * key.market.index + which

    def cells(
        self, rows: Rows, key: str, source: TextFrom, convert: Callable[[str | None], T]
    ) -> Sequence[T]:
        """A column's cells, or the mapping file's own value for every row."""
        if source.column is not None:
            return rows.read(source.column, convert)
        try:
            return [convert(source.value)] * rows.count
        except OperatorError as bad:
            raise OperatorError(f"{self._path}: key {key}.value: {bad}", hint=bad.hint) from None

    def _unknown(self, rows: Rows, row: int, key: Key, side: str) -> OperatorError:
        what = f"market {cells.shown(key.name)} has no outcome {cells.shown(side)}"
        known = ", ".join(map(cells.shown, key.market.sides))
        hint = f"its outcomes are {known}; outcome.yes and outcome.no name others"
        column = self._map.outcome.column if self._map.outcome else None
        if column is None:
            return OperatorError(f"{self._path}: key outcome.value: {what}", hint=hint)
        return rows.fault(column, row, what, hint=hint)


def _side_reader(outcome: OutcomeFrom | None) -> Callable[[str | None], Side]:
    """Cells to sides where the mapping file spells them, else to names."""
    if outcome is None or outcome.yes is None or outcome.no is None:
        return cells.name
    spelled = {outcome.yes: 0, outcome.no: 1}

    def read(text: str | None) -> Side:
        if text not in spelled:
            hint = f"outcome.yes is {cells.shown(outcome.yes)}, outcome.no is {cells.shown(outcome.no)}"
            raise OperatorError(f"{cells.shown(text)} is neither outcome", hint=hint)
        return spelled[text]

    return read
