"""A tape's folder: its two or three files as they lie on the disk, and their digest.

Laws: pyarrow is loaded here at the earliest, and its absence is an operator's error. Every file is read once;
whatever is decoded later comes from these bytes, so that the digest is of what was seen.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from heapq import merge
from importlib.util import find_spec
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pp_host.backtest.book import Statement
from pp_host.backtest.market import Market
from pp_host.backtest.survey import Survey, TapeSurvey
from pp_host.errors import OperatorError

if TYPE_CHECKING:
    from pp_host.backtest.bookfile import BookFile
    from pp_host.backtest.recording import PriceFile

MARKETS, PRICES, BOOKS = "markets.parquet", "prices.parquet", "books.parquet"


class TapeFolder(NamedTuple):
    """markets: all of them, ordered by id; books: None where there is no such file

    digest: what `cat markets.parquet prices.parquet | sha256sum` says, and with books.parquet, where there is one,
    as the third
    """

    path: Path
    markets: tuple[Market, ...]
    prices: PriceFile
    books: BookFile | None
    digest: str

    @classmethod
    def read(cls, folder: Path) -> TapeFolder:
        """Raises OperatorError naming file, column and row; what the files state is checked by `survey`."""
        require_pyarrow()
        from pp_host.backtest.bookfile import BookFile
        from pp_host.backtest.recording import PriceFile, Slots, read_markets

        names = (MARKETS, PRICES, BOOKS) if os.path.lexists(folder / BOOKS) else (MARKETS, PRICES)
        held = {name: _bytes(folder / name) for name in names}
        digest = hashlib.sha256()
        for data in held.values():
            digest.update(data)
        markets = read_markets(folder / MARKETS, held[MARKETS])
        slots = Slots(markets)
        prices = PriceFile(folder / PRICES, held[PRICES], slots)
        books = BookFile(folder / BOOKS, held[BOOKS], slots) if BOOKS in held else None
        return cls(folder, markets, prices, books, digest.hexdigest())

    def survey(self) -> TapeSurvey:
        """Walk prices and books once. Raises OperatorError when one contradicts itself or both are empty."""
        prices = self.prices.survey()
        books = self.books.survey() if self.books else Survey.nothing()
        whole = prices.joined(books) if books.moments else prices
        if not whole.moments:
            raise self.prices.empty()
        return TapeSurvey(whole, books)

    def statements(self) -> Iterator[Statement]:
        """Every point and book in the order of time; at one time the points come first."""
        if self.books is None:
            return self.prices.points()
        return merge(self.prices.points(), self.books.books(), key=itemgetter(0))


def require_pyarrow() -> None:
    """Errors: OperatorError."""
    if find_spec("pyarrow") is None:
        raise OperatorError(
            "playing a tape needs pyarrow, which is not installed",
            hint="set up with `make setup`, which installs pyarrow",
        )


def _bytes(path: Path) -> bytes:
    try:
        with open(path, "rb", opener=_at_once) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise OperatorError(f"{path}: not a regular file")
            return file.read()
    except OSError as error:
        raise OperatorError(
            f"{path}: {error.strerror}",
            hint="--tape names a folder with prices.parquet and markets.parquet",
        ) from error


def _at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)  # opening a fifo must not wait for its writer
