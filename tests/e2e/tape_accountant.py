"""An accountant of played tapes who shares no code with the host.

Everything is worked out anew from the tape's files and from the record's `order.fill` entries: what each trade must
have cost given the price or the book recorded at its time, what there was to be had, the fee, the cash, what is held,
and what each market paid.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple, Self

import pyarrow.parquet as pq

DEPOSIT, TICK, DEPTH, FEE_RATE = (
    Decimal(1000),
    Decimal("0.001"),
    Decimal(100),
    Decimal("0.07"),
)  # as pp init has it
LEVEL = ("ts", "market_id", "outcome", "level", "bid", "bid_size", "ask", "ask_size")
SIDE = {"buy": "ask", "sell": "bid"}


@dataclass(frozen=True)
class Played:
    """A finished run: what it printed, and its entries of the record."""

    folder: Path
    result: dict[str, Any]
    entries: list[dict[str, Any]]

    @classmethod
    def run(cls, place: Any, folder: Path, **options: Any) -> Self:
        """Play a tape's folder in a home, as a run with an account of its own; `options` are those of `place.pp`."""
        done = place.pp("run", "--tape", folder, "--seed", "3", "--json", **options)
        assert done.status == 0, done.stderr
        result = done.json
        return cls(folder, result, [entry for entry in place.entries() if entry["run"] == result["run"]])

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


@dataclass
class Purse:
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


Levels = list[tuple[Decimal, Decimal]]


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
    """The files as an accountant reads them.

    points: of each outcome, dollars by time; books: {"bid", "ask"} -> levels of dollars and shares, by time
    """

    def __init__(self, folder: Path) -> None:
        rows = pq.ParquetFile(folder / "markets.parquet").read().to_pylist()
        self.markets = {row["market_id"]: Market.of(row) for row in rows}
        self.points: dict[tuple[str, str], dict[int, Decimal]] = defaultdict(dict)
        self.books: dict[tuple[str, str], dict[int, dict[str, Levels]]] = defaultdict(dict)
        for at, market, outcome, price in columns(folder / "prices.parquet", (*LEVEL[:3], "price")):
            self.points[market, self.side(market, outcome)][at] = Decimal(repr(price))
        if (folder / "books.parquet").exists():
            for row in columns(folder / "books.parquet", LEVEL):
                self._read_level(*row)
        stated = (self.points, self.books)
        self.times = sorted({at for each in stated for recorded in each.values() for at in recorded})
        self.priced = {market for each in stated for market, _ in each}

    def _read_level(self, at: int, market: str, outcome: str, level: int, *cells: float | None) -> None:
        bid, bid_size, ask, ask_size = (None if cell is None else Decimal(repr(cell)) for cell in cells)
        book = self.books[market, self.side(market, outcome)].setdefault(at, {"bid": [], "ask": []})
        for side, price, size in (("bid", bid, bid_size), ("ask", ask, ask_size)):
            if price is not None and size is not None:
                assert len(book[side]) == level
                book[side].append((price, size))

    def side(self, market: str, outcome: str) -> str:
        return ("yes", "no")[self.markets[market].names.index(outcome)]

    def last(self, market: str, side: str, at: int) -> tuple[int, Decimal | None]:
        """The newest statement at or before `at`: its time, and its price unless it is a book."""
        points, books = (
            max((time for time in each[market, side] if time <= at), default=-1)
            for each in (self.points, self.books)
        )
        return (books, None) if books >= points else (points, self.points[market, side][points])

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


def columns(path: Path, names: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    table = pq.ParquetFile(path).read(list(names))
    return zip(*(table[name].to_pylist() for name in names), strict=True)


class Desk:
    """What there was to be had, and how much of it has been taken."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._taken: dict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
        self.at_books = self.exhausted = 0

    def check(self, fill: dict[str, Any]) -> None:
        """A trade happened in a live market at a price on offer, took no more than was left, and cost what it must."""
        at, remainder = divmod(fill["at"], 1000)
        assert remainder == 0
        market = self._tape.markets[fill["market"]]
        assert market.outcome is None or at <= market.end
        stated, point = self._tape.last(fill["market"], fill["outcome"], at)
        price, shares = Decimal(fill["price"]) / 10**6, Decimal(fill["shares"]) / 10**6
        place = fill["market"], fill["outcome"], fill["side"]
        if point is None:
            levels = self._tape.books[place[:2]][stated][SIDE[fill["side"]]]
            self._take_level(levels, (stated, *place), price, shares)
        else:
            self._take_point(point, (at, *place), fill["side"], price, shares)
        check_cost(fill, price, shares)

    def _take_level(self, levels: Levels, key: tuple[Any, ...], price: Decimal, shares: Decimal) -> None:
        """Best first, each level once for as long as its book stands."""
        assert price in [each for each, _ in levels]
        for each, size in levels:
            if each == price:
                self._taken[*key, each] += shares
                assert self._taken[*key, each] <= size
                self.at_books += 1
                self.exhausted += self._taken[*key, each] == size
                return
            assert size - self._taken[*key, each] < Decimal("0.000001")

    def _take_point(
        self, point: Decimal, key: tuple[Any, ...], side: str, price: Decimal, shares: Decimal
    ) -> None:
        """One tick outside of the point, and no moment gave more of one outcome than a side held."""
        steps = point / TICK
        if side == "buy":
            assert price == (steps.to_integral_value(ROUND_CEILING) + 1) * TICK
        else:
            assert price == (steps.to_integral_value(ROUND_FLOOR) - 1) * TICK
        self._taken[*key, price] += shares
        assert self._taken[*key, price] * price <= DEPTH


def check_cost(fill: dict[str, Any], price: Decimal, shares: Decimal) -> None:
    rounding = ROUND_CEILING if fill["side"] == "buy" else ROUND_FLOOR
    amount = (shares * price).quantize(Decimal("0.000001"), rounding)
    fee = (shares * FEE_RATE * price * (1 - price)).quantize(Decimal("0.00001"), ROUND_CEILING)
    assert Decimal(fill["amount"]) == amount * 10**6
    assert Decimal(fill["fee"]) == fee * 10**6


def events(played: Played) -> Iterator[tuple[str, dict[str, Any]]]:
    for entry in played.entries:
        if entry["event"] in ("order.fill", "settlement"):
            yield entry["event"], entry["subject"]


class Audited(NamedTuple):
    purse: Purse
    desk: Desk


def audit(played: Played) -> Audited:
    """Refuses (AssertionError) unless every figure the run told follows from the files and the fills."""
    tape, purse, result = Tape(played.folder), Purse(), played.result
    desk = Desk(tape)
    settled: dict[str, int] = {}
    for event, subject in events(played):
        if event == "order.fill":
            assert subject["market"] not in settled
            desk.check(subject)
            purse.fill(subject)
        else:
            yes = tape.markets[subject["market"]].outcome
            assert yes is not None
            assert micro(subject["yes_payout"]) == yes
            assert micro(subject["payout"]) == purse.settle(subject["market"], yes)
            assert settled.setdefault(subject["market"], subject["at"]) == subject["at"]
    assert len(settled) == len(played.subjects("settlement"))
    due = {market: tape.settled_at(market) for market in tape.priced}
    assert settled == {market: at for market, at in due.items() if at is not None}
    assert result["markets"] == len(tape.priced)
    assert result["steps"] == len(tape.times)
    assert (result["settled"], result["unsettled"]) == (len(settled), len(tape.priced) - len(settled))
    assert result["fills"] == len(played.subjects("order.fill"))
    held = sum(lot[1] for lot in purse.lots.values())
    told = {name: micro(result[name]) for name in ("cash", "fees", "positions_cost", "realised", "reserved")}
    assert told == {
        "cash": purse.cash, "fees": purse.fees, "positions_cost": held, "realised": purse.realised, "reserved": 0,
    }  # fmt: skip
    assert purse.cash + held + purse.fees - purse.realised == DEPOSIT
    assert result["record"]["verified"] is True
    return Audited(purse, desk)
