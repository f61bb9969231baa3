"""A tape's folder: its two files as they lie on the disk, and their digest.

Laws: pyarrow is loaded here at the earliest, and its absence is an operator's error. Both files are read once;
whatever is decoded later comes from these bytes, so that the digest is of what was seen.
"""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pp_host.backtest.market import Market
from pp_host.errors import OperatorError

if TYPE_CHECKING:
    from pp_host.backtest.recording import PriceFile

MARKETS, PRICES = "markets.parquet", "prices.parquet"


class TapeFolder(NamedTuple):
    """markets: all of them, ordered by id; digest: what `cat markets.parquet prices.parquet | sha256sum` says."""

    path: Path
    markets: tuple[Market, ...]
    prices: PriceFile
    digest: str

    @classmethod
    def read(cls, folder: Path) -> TapeFolder:
        """Raises OperatorError naming file, column and row; the points are checked when they are surveyed."""
        require_pyarrow()
        from pp_host.backtest.recording import PriceFile, read_markets

        markets_path, prices_path = folder / MARKETS, folder / PRICES
        markets_bytes, prices_bytes = _bytes(markets_path), _bytes(prices_path)
        digest = hashlib.sha256(markets_bytes)
        digest.update(prices_bytes)
        markets = read_markets(markets_path, markets_bytes)
        return cls(folder, markets, PriceFile(prices_path, prices_bytes, markets), digest.hexdigest())


def require_pyarrow() -> None:
    """Errors: OperatorError."""
    if find_spec("pyarrow") is None:
        raise OperatorError(
            "playing a tape needs pyarrow, which is not installed",
            hint="set up with `make setup`, which installs pyarrow",
        )


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise OperatorError(
            f"{path}: {error.strerror}",
            hint="--tape names a folder with prices.parquet and markets.parquet",
        ) from error
