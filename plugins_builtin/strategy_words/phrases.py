"""Words and phrases looked for in what a market says of itself: whole words, in any case, in any order."""

from __future__ import annotations

import re

from pp_sdk import Row

REMEMBERED = 10_000  # markets; then all are looked at anew


class Phrases:
    """A list of phrases, joined by commas. What was found in a market is remembered: its texts do not change."""

    def __init__(self, listed: str) -> None:
        phrases = [re.escape(phrase.strip()) for phrase in listed.split(",") if phrase.strip()]
        self._pattern = re.compile(rf"\b(?:{'|'.join(phrases)})\b", re.IGNORECASE) if phrases else None
        self._known: dict[tuple[str, str], bool] = {}

    def found_in(self, market: Row) -> bool:
        """Whether one of them stands in the market's question, event or category."""
        key = market.id, market.question
        if key not in self._known:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[key] = self._search(market)
        return self._known[key]

    def _search(self, market: Row) -> bool:
        if self._pattern is None:
            return False
        texts = (market.question, market.event.replace("-", " "), market.category)
        return any(self._pattern.search(text) for text in texts)
