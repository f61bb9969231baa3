"""What a tape states of one outcome: a price point, or an order book as it was recorded.

Laws: a book holds levels best first, strictly, its bids below its asks; an empty side is nobody there. Prices are
micro-USD per share, sizes micro-shares.
"""

from __future__ import annotations

from typing import NamedTuple

Levels = tuple[tuple[int, int], ...]  # (price, size)


class Book(NamedTuple):
    """One outcome's recorded book."""

    bids: Levels
    asks: Levels

    @property
    def spread(self) -> int | None:
        """Between the best of both sides; None unless both have somebody."""
        return self.asks[0][0] - self.bids[0][0] if self.bids and self.asks else None


Statement = tuple[int, int, int | Book]  # microseconds UTC, slot, the point in micro-USD or the book
