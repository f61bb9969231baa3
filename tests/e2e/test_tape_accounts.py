"""`pp run --tape` against an accountant who shares no code with the host: tapes of price points."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tests.e2e.tape_accountant import Played, audit

SHARED = Path(os.environ.get("PP_SHARED", Path(__file__).parents[3] / "shared")) / "data/tapes/btc_bands"
MINUTE = 60_000
DAY = 1440 * MINUTE
T0 = 1_761_926_400_000

SMALL = pytest.mark.xdist_group("small tape")  # one worker plays each tape once
RECORDED = pytest.mark.xdist_group("recorded tape")


# -- tapes ---------------------------------------------------------------------------------------------------


@dataclass
class Recording:
    """The rows of a small tape; times are minutes after T0."""

    markets: list[dict[str, Any]] = field(default_factory=list)
    prices: list[dict[str, Any]] = field(default_factory=list)

    def market(
        self, name: str, outcome: float | None, resolved: int | None, names: tuple[str, str] = ("Yes", "No")
    ):
        row = dict.fromkeys(("close_ts", "event_id"))
        row |= {"market_id": name, "question": f"Will {name}?", "outcome_0": names[0], "outcome_1": names[1]}
        row |= {"start_ts": T0 - DAY, "nominal_end_ts": T0 + DAY, "resolved_yes_price": outcome}
        row["resolved_ts"] = None if resolved is None else T0 + resolved * MINUTE + 30_000
        self.markets.append(row)

    def write(self, folder: Path, **planted: float) -> Path:
        """`planted` columns hold one value in every row of both files."""
        folder.mkdir(parents=True)
        texts = dict.fromkeys(("market_id", "event_id", "question", "outcome_0", "outcome_1"), pa.string())
        times = dict.fromkeys(("start_ts", "nominal_end_ts", "close_ts", "resolved_ts"), pa.int64())
        extra = dict.fromkeys(planted, pa.float64())
        market_types = texts | times | {"resolved_yes_price": pa.float64()} | extra
        price_types = {
            "ts": pa.int64(),
            "market_id": pa.string(),
            "outcome": pa.string(),
            "price": pa.float64(),
        }
        for name, rows, types in (
            ("markets", self.markets, market_types),
            ("prices", self.prices, price_types | extra),
        ):
            whole = [row | planted for row in rows]
            arrays = [pa.array([row[column] for row in whole], kind) for column, kind in types.items()]
            pq.write_table(pa.table(arrays, names=list(types)), folder / f"{name}.parquet")
        return folder


def small_tape(minutes: int = 100) -> Recording:
    """Prices that fall away from their average now and then, some for good shortly before an end."""
    made = Recording()
    made.market("wins", 1.0, 60)
    made.market("loses", 0.0, 60)
    made.market("half", 0.5, 70)
    made.market("late", 1.0, 500)
    made.market("timeless", 0.0, None, ("Up", "Down"))
    made.market("unknown", None, 40)
    made.market("unpriced", 1.0, 10)
    for at in range(minutes):
        for index, market in enumerate(made.markets[:-1]):
            wave = (0, 1, 3, 2, 1, 0, 0, -1, -9, -8, -6, -4, -2)[(at + 3 * index) % 13]
            yes = Decimal(40 + 5 * index + wave) / 100 + (Decimal("0.0005") if at % 4 == 0 else 0)
            made.prices.append(point(at, market, "outcome_0", yes))
            if at % 3:
                made.prices.append(point(at, market, "outcome_1", 1 - yes))
    return made


def point(at: int, market: dict[str, Any], outcome: str, price: Decimal) -> dict[str, Any]:
    row = {"ts": T0 + at * MINUTE, "market_id": market["market_id"], "outcome": market[outcome]}
    return row | {"price": float(price)}


def cut(folder: Path, until: int, into: Path) -> Path:
    """The same tape without the prices after `until` (milliseconds)."""
    into.mkdir(parents=True)
    prices = pq.ParquetFile(folder / "prices.parquet").read()
    pq.write_table(prices.filter(pc.less_equal(prices["ts"], until)), into / "prices.parquet")
    (into / "markets.parquet").write_bytes((folder / "markets.parquet").read_bytes())
    return into


# -- playing -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def play(new_home):
    """Plays a folder in one home; every run has an account of its own."""
    place = new_home()

    return partial(Played.run, place)


@pytest.fixture(scope="module")
def small(play, tmp_path_factory):
    return play(small_tape().write(tmp_path_factory.mktemp("tape") / "small"))


# -- the tests -----------------------------------------------------------------------------------------------


@SMALL
def test_a_small_tape_adds_up_to_the_micro_unit(small):
    purse = audit(small).purse
    fills, settlements = small.subjects("order.fill"), small.subjects("settlement")
    assert {fill["side"] for fill in fills} == {"buy", "sell"}
    assert {fill["outcome"] for fill in fills} == {"yes", "no"}
    assert {paid["market"] for paid in settlements} == {"wins", "loses", "half", "late", "timeless"}
    assert any(paid["payout"] > 0 for paid in settlements)
    assert any(paid["payout"] == 0 < paid["cost"] for paid in settlements)
    assert [market for (_, market, _), lot in purse.lots.items() if lot[0]] == ["unknown"]


@SMALL
def test_the_accountant_notices_a_micro_unit(small):
    for name in (
        "cash",
        "fees",
        "positions_cost",
        "realised",
        "settled",
        "unsettled",
        "markets",
        "steps",
        "fills",
    ):
        wrong = Played(small.folder, small.result | {name: small.result[name] + 1}, small.entries)
        with pytest.raises(AssertionError):
            audit(wrong)


@SMALL
@pytest.mark.parametrize("name", ["price", "amount", "fee", "shares"])
def test_the_accountant_notices_a_wrong_fill(small, name):
    entries = [entry | {"subject": dict(entry["subject"])} for entry in small.entries]
    next(entry for entry in entries if entry["event"] == "order.fill")["subject"][name] += 10
    with pytest.raises(AssertionError):
        audit(Played(small.folder, small.result, entries))


@SMALL
def test_a_tape_cut_short_gives_the_same_decisions_up_to_the_cut(small, play, tmp_path):
    for minute in (30, 64):
        until = T0 + minute * MINUTE
        short = play(cut(small.folder, until, tmp_path / str(minute)))
        audit(short)
        assert short.result["steps"] == minute + 1
        assert short.actions(until) == small.actions(until) != []


@SMALL
def test_a_planted_column_from_the_future_changes_no_decision(small, play, tmp_path):
    future = {
        "best_bid": 0.99,
        "last_trade_price": 1.0,
        "resolved_price": 1.0,
        "future_price": 1.0,
        "volume": 9e9,
    }
    planted = play(small_tape().write(tmp_path / "planted", **future))
    audit(planted)
    assert planted.result["actions_digest"] == small.result["actions_digest"]
    assert planted.result["tape_digest"] != small.result["tape_digest"]


@pytest.fixture(scope="module")
def three_days(play, tmp_path_factory):
    """The first days of the Bitcoin bands: three events, one after the other."""
    if not SHARED.is_dir():
        pytest.skip("the recorded tapes are not here")
    return play(cut(SHARED, T0 + 3 * DAY, tmp_path_factory.mktemp("tape") / "btc"))


@RECORDED
@pytest.mark.slow
def test_recorded_days_add_up_to_the_micro_unit(three_days):
    audit(three_days)
    assert three_days.result["unsettled"] == 0
    assert len(three_days.subjects("order.fill")) > 100


@RECORDED
@pytest.mark.slow
def test_recorded_days_cut_short_give_the_same_decisions(three_days, play, tmp_path):
    until = T0 + DAY // 2
    short = play(cut(three_days.folder, until, tmp_path / "short"))
    audit(short)
    assert short.actions(until) == three_days.actions(until) != []


@RECORDED
@pytest.mark.soak
@pytest.mark.parametrize(
    ("name", "markets", "steps", "settled"), [("btc_bands", 441, 70_320, 441), ("geopolitics", 27, 12_865, 9)]
)
def test_a_whole_recorded_tape_adds_up_to_the_micro_unit(play, name, markets, steps, settled):
    folder = SHARED.with_name(name)
    if not folder.is_dir():
        pytest.skip("the recorded tapes are not here")
    played = play(folder)
    audit(played)
    result = played.result
    assert (result["markets"], result["steps"], result["settled"], result["unsettled"]) == (
        markets, steps, settled, markets - settled,
    )  # fmt: skip
