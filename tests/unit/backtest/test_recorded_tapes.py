"""The recorded tapes themselves, where they are at hand."""

from __future__ import annotations

import os
from bisect import bisect_right
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pp_host.backtest.tape import Tape
from pp_sdk.table import RESOLVED, MarketTable

SHARED = Path(os.environ.get("PP_SHARED", Path(__file__).parents[4] / "shared")) / "data/tapes"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "markets", "steps", "outcomes"),
    [("btc_bands", 441, 70_320, 441), ("geopolitics", 27, 12_865, 9)],
)
def test_a_recorded_tape_plays_whole_and_shows_each_recorded_outcome_once(
    name, markets, steps, outcomes, settings
):
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip("the recorded tapes are not here")
    tape = Tape.open(folder, settings)
    assert (tape.markets, tape.steps, tape.outcomes) == (markets, steps, outcomes)
    moments = [*tape.moments(), *filter(None, [tape.finale()])]
    assert moments == sorted(set(moments))
    shown = []
    for index, now in enumerate(moments):
        table = tape.table_at(now)
        if RESOLVED in table.column("status"):
            shown += [(row.id, row.yes_payout, now) for row in table if row.status == RESOLVED]
        if index % 97 == 0:
            MarketTable.decode(table.block)
    rows = pq.read_table(folder / "markets.parquet").to_pylist()
    recorded = {row["market_id"]: row for row in rows if row["resolved_yes_price"] is not None}
    assert sorted((market, payout) for market, payout, _ in shown) == sorted(
        (market, round(row["resolved_yes_price"] * 1_000_000)) for market, row in recorded.items()
    )
    for market, _, now in shown:
        end = (recorded[market]["resolved_ts"] or recorded[market]["close_ts"]) * 1000
        assert now == moments[bisect_right(moments, end)]
