"""Which markets may be bought in this cycle: the strategy's choice, written down before anybody decides on it.

Laws: a run without a strategy bars nothing. With one, what it did not select cannot be bought; what is held can be sold
all the same. A strategy that gives no good answer changes nothing: its last selection of this run stands, and before
its first one nothing may be bought. Silence must not open what the strategy kept shut, and a plugin that dies must not
take the others' work from them.
"""

from __future__ import annotations

import hashlib

import msgspec
from msgspec.structs import replace

from pp_host.core.book import Book
from pp_host.core.entries import Selected
from pp_host.limits import LIMITS
from pp_host.model import Observed, Selection
from pp_host.ports import Picked, Ports, Record


async def select(observed: Observed, ports: Ports, book: Book) -> Observed:
    """The moment with what was selected in it."""
    if ports.strategy is None:
        return observed
    picked = await ports.strategy.select(observed)
    book.selection = _write(picked, book, ports.record)
    return replace(observed, selection=book.selection)


def _write(picked: Picked, book: Book, record: Record) -> Selection:
    last = book.selection.scores if book.selection else None
    scores = (last or {}) if picked.scores is None else picked.scores
    ids = tuple(scores)
    selected = Selected(
        account=book.ledger.account,
        markets=len(ids),
        digest=hashlib.sha256(msgspec.json.encode(list(scores.items()))).hexdigest(),
        ids=() if last is not None and ids == tuple(last) else ids[: LIMITS.record.listed_markets],
        stale=picked.scores is None,
    )
    seq = record.append("selection", selected, cause=picked.call, plugin=picked.plugin)
    return Selection(scores=scores, seq=seq)
