"""`pp run --tape` against an accountant who shares no code with the host.

Everything is worked out anew from the two files and from the record's `order.fill` entries: what each trade must
have cost given the price recorded at its time, the fee, the cash, what is held, and what each market paid.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

SHARED = Path(os.environ.get("PP_SHARED", Path(__file__).parents[3] / "shared")) / "data/tapes/btc_bands"
MINUTE = 60_000
DAY = 1440 * MINUTE
T0 = 1_761_926_400_000
DEPOSIT, TICK, DEPTH, FEE_RATE = (
    Decimal(1000),
    Decimal("0.001"),
    Decimal(100),
    Decimal("0.07"),
)  # as pp init has it

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


@dataclass(frozen=True)
class Played:
    """A finished run: what it printed, and its entries of the record."""

    folder: Path
    result: dict[str, Any]
    entries: list[dict[str, Any]]

    def subjects(self, event: str) -> list[dict[str, Any]]:
        return [entry["subject"] for entry in self.entries if entry["event"] == event]

    def actions(self, until: int) -> list[tuple[Any, ...]]:
        """Every decision, verdict and fill up to `until` (milliseconds), without what names the run."""
        actions, now = [], 0
        for entry in self.entries:
            subject = entry["subject"]
            if entry["event"] == "observation":
                now = subject["now"]
            elif entry["event"] in ("decision", "verdict", "order.fill") and now <= until * 1000:
                named = {"account", "order", "trade", "snapshot"}
                actions.append(
                    (now, entry["event"], *sorted((k, v) for k, v in subject.items() if k not in named))
                )
        return actions


@pytest.fixture(scope="module")
def play(new_home):
    """Plays a folder in one home; every run has an account of its own."""
    place = new_home()

    def run(folder: Path) -> Played:
        done = place.pp("run", "--tape", folder, "--seed", "3", "--json")
        assert done.status == 0, done.stderr
        result = done.json
        return Played(folder, result, [e for e in place.entries() if e["run"] == result["run"]])

    return run


@pytest.fixture(scope="module")
def small(play, tmp_path_factory):
    return play(small_tape().write(tmp_path_factory.mktemp("tape") / "small"))


# -- the accountant ------------------------------------------------------------------------------------------


@dataclass
class Books:
    """Dollars and shares as exact fractions; lots are [shares, cost] by (plugin, market, outcome)."""

    cash: Fraction = field(default_factory=lambda: Fraction(DEPOSIT))
    fees: Fraction = Fraction(0)
    realised: Fraction = Fraction(0)
    lots: dict[tuple[str, str, str], list[Fraction]] = field(
        default_factory=lambda: defaultdict(lambda: [Fraction(0)] * 2)
    )

    def fill(self, fill: dict[str, Any]) -> None:
        shares, amount = micro(fill["shares"]), micro(fill["amount"])
        self.fees += micro(fill["fee"])
        self.cash -= micro(fill["fee"])
        lot = self.lots[fill["plugin"], fill["market"], fill["outcome"]]
        if fill["side"] == "buy":
            self.cash -= amount
            lot[:] = lot[0] + shares, lot[1] + amount
        else:
            assert lot[0] >= shares > 0
            cost = Fraction(
                int(lot[1] * shares / lot[0] * 10**6), 10**6
            )  # in proportion, down to the micro-unit
            self.cash += amount
            self.realised += amount - cost
            lot[:] = lot[0] - shares, lot[1] - cost

    def settle(self, market: str, yes: Fraction) -> Fraction:
        """Pay a market out; what it brought."""
        brought = Fraction(0)
        for outcome, each in (("yes", yes), ("no", 1 - yes)):
            mine = [
                lot for (_, where, which), lot in self.lots.items() if (where, which) == (market, outcome)
            ]
            paid = Fraction(int(sum(lot[0] for lot in mine) * each * 10**6), 10**6)
            self.realised += paid - sum(lot[1] for lot in mine)
            brought += paid
            for lot in mine:
                lot[:] = Fraction(0), Fraction(0)
        self.cash += brought
        return brought


def micro(units: int) -> Fraction:
    assert type(units) is int
    return Fraction(units, 10**6)


@dataclass(frozen=True)
class Market:
    """What the accountant reads of a market. `end` is in milliseconds."""

    names: tuple[str, str]
    outcome: Fraction | None
    end: float

    @classmethod
    def of(cls, row: dict[str, Any]) -> Market:
        outcome = row["resolved_yes_price"]
        known = [at for at in (row["resolved_ts"], row["close_ts"]) if at is not None]
        return cls(
            (row["outcome_0"], row["outcome_1"]),
            None if outcome is None else Fraction(str(outcome)),
            known[0] if known else float("inf"),
        )


class Tape:
    """The two files as an accountant reads them."""

    def __init__(self, folder: Path) -> None:
        rows = pq.ParquetFile(folder / "markets.parquet").read().to_pylist()
        self.markets = {row["market_id"]: Market.of(row) for row in rows}
        self.points: dict[tuple[str, str], dict[int, Decimal]] = defaultdict(dict)
        columns = ("ts", "market_id", "outcome", "price")
        prices = pq.ParquetFile(folder / "prices.parquet").read(list(columns))
        for at, market, outcome, price in zip(*(prices[name].to_pylist() for name in columns), strict=True):
            side = ("yes", "no")[self.markets[market].names.index(outcome)]
            self.points[market, side][at] = Decimal(repr(price))
        self.times = sorted({at for points in self.points.values() for at in points})
        self.priced = {market for market, _ in self.points}

    def last(self, market: str, side: str, at: int) -> tuple[int, Decimal]:
        """The newest point at or before `at`: its time and its price."""
        return max((time, price) for time, price in self.points[market, side].items() if time <= at)

    def settled_at(self, market: str) -> int | None:
        """Microseconds of the step that must settle the market; None when nothing may."""
        known = self.markets[market]
        if known.outcome is None or market not in self.priced:
            return None
        later = [at for at in self.times if at > known.end]
        return later[0] * 1000 if later else self.finale()

    def finale(self) -> int:
        """One microsecond after the last end that outlives the last step."""
        ends = [
            known.end
            for name, known in self.markets.items()
            if name in self.priced and known.outcome is not None
        ]
        return int(max(self.times[-1], *(end for end in ends if end != float("inf")))) * 1000 + 1


def check_fill(fill: dict[str, Any], tape: Tape) -> None:
    """A trade happened at the quote around the last recorded price, in a live market, and cost what it must."""
    at, remainder = divmod(fill["at"], 1000)
    assert remainder == 0
    market = tape.markets[fill["market"]]
    assert market.outcome is None or at <= market.end
    _, recorded = tape.last(fill["market"], fill["outcome"], at)
    steps = recorded / TICK
    if fill["side"] == "buy":
        price = (steps.to_integral_value(ROUND_CEILING) + 1) * TICK
    else:
        price = (steps.to_integral_value(ROUND_FLOOR) - 1) * TICK
    shares = Decimal(fill["shares"]) / 10**6
    amount = (shares * price).quantize(
        Decimal("0.000001"), ROUND_CEILING if fill["side"] == "buy" else ROUND_FLOOR
    )
    fee = (shares * FEE_RATE * price * (1 - price)).quantize(Decimal("0.00001"), ROUND_CEILING)
    assert Decimal(fill["price"]) == price * 10**6
    assert Decimal(fill["amount"]) == amount * 10**6
    assert Decimal(fill["fee"]) == fee * 10**6


def check_depth(fills: list[dict[str, Any]]) -> None:
    """No moment sold or bought more of one outcome than a side of the book held."""
    taken: dict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    for fill in fills:
        key = fill["at"], fill["market"], fill["outcome"], fill["side"], fill["price"]
        taken[key] += Decimal(fill["shares"]) / 10**6
        assert taken[key] * fill["price"] / 10**6 <= DEPTH


def events(played: Played) -> Iterator[tuple[str, dict[str, Any]]]:
    for entry in played.entries:
        if entry["event"] in ("order.fill", "settlement"):
            yield entry["event"], entry["subject"]


def audit(played: Played) -> Books:
    """Refuses (AssertionError) unless every figure the run told follows from the files and the fills."""
    tape, books, result = Tape(played.folder), Books(), played.result
    check_depth(played.subjects("order.fill"))
    settled: dict[str, int] = {}
    for event, subject in events(played):
        if event == "order.fill":
            assert subject["market"] not in settled
            check_fill(subject, tape)
            books.fill(subject)
        else:
            yes = tape.markets[subject["market"]].outcome
            assert yes is not None
            assert micro(subject["yes_payout"]) == yes
            assert micro(subject["payout"]) == books.settle(subject["market"], yes)
            assert settled.setdefault(subject["market"], subject["at"]) == subject["at"]
    assert len(settled) == len(played.subjects("settlement"))
    due = {market: tape.settled_at(market) for market in tape.priced}
    assert settled == {market: at for market, at in due.items() if at is not None}
    assert result["markets"] == len(tape.priced)
    assert result["steps"] == len(tape.times)
    assert (result["settled"], result["unsettled"]) == (len(settled), len(tape.priced) - len(settled))
    assert result["fills"] == len(played.subjects("order.fill"))
    held = sum(lot[1] for lot in books.lots.values())
    told = {name: micro(result[name]) for name in ("cash", "fees", "positions_cost", "realised", "reserved")}
    assert told == {
        "cash": books.cash, "fees": books.fees, "positions_cost": held, "realised": books.realised, "reserved": 0,
    }  # fmt: skip
    assert books.cash + held + books.fees - books.realised == DEPOSIT
    assert result["record"]["verified"] is True
    return books


# -- the tests -----------------------------------------------------------------------------------------------


@SMALL
def test_a_small_tape_adds_up_to_the_micro_unit(small):
    books = audit(small)
    fills, settlements = small.subjects("order.fill"), small.subjects("settlement")
    assert {fill["side"] for fill in fills} == {"buy", "sell"}
    assert {fill["outcome"] for fill in fills} == {"yes", "no"}
    assert {paid["market"] for paid in settlements} == {"wins", "loses", "half", "late", "timeless"}
    assert any(paid["payout"] > 0 for paid in settlements)
    assert any(paid["payout"] == 0 < paid["cost"] for paid in settlements)
    assert [market for (_, market, _), lot in books.lots.items() if lot[0]] == ["unknown"]


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
