"""Small tapes, written the way the recorded ones are: all thirty market columns, nine price columns; and books."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pp_host.backtest.tape import Tape, TapeSettings
from pp_host.errors import OperatorError

T0 = 1_761_926_400_000  # milliseconds
TEXTS = (
    *(
        "market_id",
        "gamma_market_id",
        "condition_id",
        "event_id",
        "slug",
        "question",
        "description",
        "band_label",
    ),
    *("yes_token_id", "no_token_id", "outcome_0", "outcome_1", "resolution_source"),
)
NUMBERS = (
    *("band_lower", "band_upper", "resolved_yes_price", "volume", "liquidity"),
    *("last_trade_price", "best_bid", "best_ask", "spread"),
)
TIMES = ("start_ts", "nominal_end_ts", "close_ts", "resolved_ts", "n_prices", "first_ts", "last_ts")
MARKET_TYPES = (
    dict.fromkeys(TEXTS, pa.string())
    | dict.fromkeys(NUMBERS, pa.float64())
    | dict.fromkeys(TIMES, pa.int64())
    | {"closed": pa.bool_()}
)
PRICE_TYPES = {
    "ts": pa.int64(), "market_id": pa.string(), "event_id": pa.string(), "question": pa.string(),
    "outcome": pa.string(), "token_id": pa.string(), "price": pa.float64(), "resolved_price": pa.float64(),
    "close_ts": pa.int64(),
}  # fmt: skip
BOOK_TYPES = {
    "ts": pa.int64(), "market_id": pa.string(), "outcome": pa.string(), "level": pa.int64(),
    "bid": pa.float64(), "bid_size": pa.float64(), "ask": pa.float64(), "ask_size": pa.float64(),
}  # fmt: skip
Level = tuple[float | None, float | None]


@dataclass
class Recording:
    """Rows on their way into a tape's folder; a test bends them before `write`. No rows of books, no file of them."""

    markets: list[dict[str, Any]] = field(default_factory=list)
    prices: list[dict[str, Any]] = field(default_factory=list)
    books: list[dict[str, Any]] = field(default_factory=list)
    market_types: dict[str, pa.DataType] = field(default_factory=lambda: dict(MARKET_TYPES))
    price_types: dict[str, pa.DataType] = field(default_factory=lambda: dict(PRICE_TYPES))
    book_types: dict[str, pa.DataType] = field(default_factory=lambda: dict(BOOK_TYPES))

    def market(self, name: str, **known: Any) -> Recording:
        defaults = {"market_id": name, "event_id": "event", "question": f"{name}?", "outcome_0": "Yes"}
        self.markets.append(dict.fromkeys(MARKET_TYPES) | defaults | {"outcome_1": "No"} | known)
        return self

    def point(self, at: int, market: str, outcome: str, price: float, **known: Any) -> Recording:
        """`at` is milliseconds after T0."""
        row = {"ts": T0 + at, "market_id": market, "outcome": outcome, "price": price}
        self.prices.append(dict.fromkeys(PRICE_TYPES) | row | known)
        return self

    def book(self, at: int, market: str, outcome: str, bids: list[Level], asks: list[Level]) -> Recording:
        """Levels are (dollars, shares), best first."""
        for level in range(max(len(bids), len(asks), 1)):
            bid, ask = (side[level] if level < len(side) else (None, None) for side in (bids, asks))
            row = {"ts": T0 + at, "market_id": market, "outcome": outcome, "level": level}
            self.books.append(row | {"bid": bid[0], "bid_size": bid[1], "ask": ask[0], "ask_size": ask[1]})
        return self

    def write(self, folder: Path, **options: Any) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        files = [("markets", self.markets, self.market_types), ("prices", self.prices, self.price_types)]
        for name, rows, types in files + [("books", self.books, self.book_types)] * bool(self.books):
            arrays = [pa.array([row.get(column) for row in rows], kind) for column, kind in types.items()]
            pq.write_table(pa.table(arrays, names=list(types)), folder / f"{name}.parquet", **options)
        return folder


@pytest.fixture(scope="session")
def settings():
    return TapeSettings(spread_ticks=1, depth=100_000_000, tick=1_000)


@pytest.fixture(scope="session")
def recording():
    """A new, empty Recording each time it is called."""
    return Recording


@pytest.fixture
def tape(tmp_path, settings):
    """Writes a recording and opens it."""
    return lambda recording, **changed: Tape.open(
        recording.write(tmp_path / "tape"), changed.get("settings", settings)
    )


@pytest.fixture(scope="session")
def ms():
    """Milliseconds after the tapes' first moment, as the host's microseconds."""
    return lambda after: (T0 + after) * 1000


@pytest.fixture
def refused(settings):
    """Opens a folder that must be refused; answers (message without the folder, hint)."""

    def attempt(folder):
        with pytest.raises(OperatorError) as caught:
            Tape.open(folder, settings)
        message = str(caught.value)
        assert message.startswith(str(folder))
        assert "\n" not in message
        return message.removeprefix(f"{folder}/"), caught.value.hint

    return attempt
