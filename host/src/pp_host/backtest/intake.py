"""An import: strangers' files become a tape, or nothing is left behind.

Laws: what is written is opened as `pp run --tape` opens it before it has a name. Only prices that are null and levels
at which nobody is are left out, and they are counted; anything else that does not fit is refused with its file, column
and row.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from pp_host.backtest.bookrows import BookRows
from pp_host.backtest.catalogue import Catalogue, Described, Fact
from pp_host.backtest.draft import draft, drafted_file
from pp_host.backtest.folder import BOOKS, MARKETS, PRICES, require_pyarrow
from pp_host.backtest.foreign import read_rows
from pp_host.backtest.importmap import ImportMap, read_map
from pp_host.backtest.market import side_names
from pp_host.backtest.pricerows import PriceRows
from pp_host.backtest.quotes import TapeSettings
from pp_host.backtest.rowkeys import RowKeys
from pp_host.backtest.tape import Tape
from pp_host.errors import OperatorError
from pp_host.model import MICRO

if TYPE_CHECKING:
    from pp_host.backtest.piles import BookPile, PointPile

PROOF = TapeSettings(
    spread_ticks=0, depth=MICRO, tick=1
)  # to open a tape with; what it quotes is not looked at

Watch = Callable[[Path, int], None]  # the file that is being read, and how many of its rows have been


class FileCount(Struct, frozen=True):
    """What became of one file's rows. A row that carries both outcomes has two prices.

    points:  prices kept, `books` books
    dropped: prices that were null, and levels below the best at which nobody is
    rounded: of the prices and sizes kept, how many had digits below a micro-dollar or micro-share
    """

    file: str
    rows: int
    points: int
    books: int
    dropped: int
    rounded: int


class Imported(Struct, frozen=True, rename={"first": "from", "last": "to"}):
    """The tape that was made; `markets` are rows of markets.parquet, `priced` those with a price or a book."""

    out: str
    digest: str
    markets: int
    priced: int
    outcomes: int
    points: int
    books: int
    steps: int
    first: int
    last: int
    files: list[FileCount]


def import_tape(files: Sequence[Path], map_file: Path, out: Path, watch: Watch) -> Imported:
    """Read `files` as `map_file` says and make the tape `out`. Errors: OperatorError; then nothing is left behind."""
    require_pyarrow()
    mapping = read_map(map_file)
    with draft(out, (MARKETS, PRICES, BOOKS)) as folder:
        intake = _Intake(mapping, map_file)
        counts = [intake.read(path, watch) for path in files]
        intake.write(folder, map_file)
        tape = Tape.open(folder, PROOF)
    moments = list(tape.moments())
    return Imported(
        out=str(out),
        digest=tape.digest,
        markets=intake.markets,
        priced=tape.markets,
        outcomes=tape.outcomes,
        points=sum(count.points for count in counts),
        books=sum(count.books for count in counts),
        steps=tape.steps,
        first=moments[0],
        last=moments[-1],
        files=counts,
    )


class _Intake:
    """Markets and what is stated of them on their way from the files to the tape."""

    def __init__(self, mapping: ImportMap, map_file: Path) -> None:
        self._delimiter = mapping.delimiter
        self._catalogue = Catalogue(mapping.facts, map_file.parent, mapping.delimiter)
        self._pile = _pile(mapping, RowKeys(mapping, map_file, self._catalogue))
        self._starts: list[int] = []  # of each file, the rows of all files before it
        self._files: list[Path] = []
        self._total = 0

    @property
    def markets(self) -> int:
        return len(self._catalogue.described())

    def read(self, path: Path, watch: Watch) -> FileCount:
        """All rows of one file. Raises OperatorError."""
        self._starts.append(self._total)
        self._files.append(path)
        read, counts = 0, [0, 0, 0, 0]
        for rows in read_rows(path, self._pile.columns, self._delimiter):
            counts = list(map(add, counts, self._pile.take(rows, self._total)))
            read += rows.count
            watch(path, read)
        self._total += read
        return FileCount(str(path), read, *counts)

    def write(self, folder: Path, map_file: Path) -> None:
        """All files. Raises OperatorError when rows contradict each other or there are none."""
        from pp_host.backtest.tapewriter import write_markets

        if not len(self._pile):
            noun = self._pile.noun
            raise OperatorError(
                f"{map_file}: no {noun} in any file", hint=f"a tape needs at least one {noun}"
            )
        known = sorted(self._catalogue.described().items())
        names = [name for name, _ in known for _ in range(2)], _outcomes(known)
        with drafted_file(folder / MARKETS) as file:
            write_markets(file, [{"market_id": name, **market.facts} for name, market in known])
        self._pile.write(folder, _ranks(known), names, self._place)

    def _place(self, row: int) -> tuple[Path, int]:
        """The file of a row that was counted through all files, and its number there."""
        index = bisect_right(self._starts, row) - 1
        return self._files[index], row - self._starts[index]


def _pile(mapping: ImportMap, keys: RowKeys) -> BookPile | PointPile:
    """A file has books when its sizes are named."""
    from pp_host.backtest.piles import BookPile, PointPile

    if mapping.price.bid_size is not None:
        return BookPile(BookRows(mapping, keys))
    return PointPile(PriceRows(mapping, keys))


def _ranks(known: Sequence[tuple[str, Described]]) -> list[int]:
    """The place of each slot when markets are ordered by id."""
    ranks = [0] * (2 * len(known))
    for rank, (_, market) in enumerate(known):
        ranks[2 * market.index] = 2 * rank
        ranks[2 * market.index + 1] = 2 * rank + 1
    return ranks


def _outcomes(known: Sequence[tuple[str, Described]]) -> list[str]:
    """What each ranked slot's outcome is called."""
    names: list[str] = []
    for _, market in known:
        names += side_names(_name(market.facts, "outcome_0"), _name(market.facts, "outcome_1"))
    return names


def _name(facts: dict[str, Fact], fact: str) -> str:
    return str(facts.get(fact) or "")
