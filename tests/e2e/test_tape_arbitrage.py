"""agent-arbitrage on a recorded tape, against a reader of the file who shares no code with agent or host.

Quotes are made anew from prices.parquet as docs/CONFIG.md says ([tape]: rounded outward to the tick, one tick further,
no side outside [tick, 1 - tick]); sets are summed as fractions of a dollar; what the agent told must be the same.
"""

from __future__ import annotations

import math
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from itertools import groupby, islice
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
import pytest

SHARED = Path(os.environ.get("PP_SHARED", Path(__file__).parents[3] / "shared")) / "data/tapes/btc_bands"
AGENT = "dev.probablyprofit.agent-arbitrage"
STEPS, WHOLE = 2000, 70_320
SETTINGS = f"""[risk]
min_price = 0.001
[plugins."{AGENT}"]
budget = {{order_usd = 50, day_usd = 2000, exposure_usd = 500, orders_per_minute = 60}}
config = {{margin_micros = 0, accept_missing_winner = true, lowest_price_micros = 1000, summary_every = EVERY}}
"""
TICK, RATE = Fraction(1, 1000), Fraction(7, 100)  # as pp init has them
LOWEST, HIGHEST, SPREAD, AGE = Fraction(1, 1000), Fraction(99, 100), Fraction(15, 100), 120_000
IMPLAUSIBLE = 200_000

pytestmark = pytest.mark.xdist_group("arbitrage tape")

Points = dict[str, dict[str, tuple[int, Fraction]]]  # by market and outcome: milliseconds, dollars


class Sold(NamedTuple):
    """A set that could be had at a moment: kind, market or event, and its profit in micro-USD."""

    kind: str
    name: str
    profit: int


# -- the reader ----------------------------------------------------------------------------------------------


def moments(steps: int) -> Iterator[tuple[int, Points]]:
    """The first `steps` times (milliseconds), each with the newest point of every market's sides up to then."""
    columns = ("ts", "market_id", "outcome", "price")
    prices = pq.ParquetFile(SHARED / "prices.parquet").read(list(columns))
    rows = zip(*(prices[name].to_pylist() for name in columns), strict=True)
    newest: Points = defaultdict(dict)
    for now, points in islice(groupby(rows, key=lambda row: row[0]), steps):
        for at, market, outcome, price in points:
            newest[market][outcome] = at, Fraction(round(Fraction(price) * 10**6), 10**6)
        yield now, newest


@cache
def cost(point: Fraction) -> Fraction | None:
    """Dollars for a share at the ask around a recorded price, fee included; None where it is no leg."""
    ask, bid = (math.ceil(point / TICK) + 1) * TICK, (math.floor(point / TICK) - 1) * TICK
    if not LOWEST <= ask <= min(HIGHEST, 1 - TICK) or ask - (bid if bid >= TICK else 0) > SPREAD:
        return None
    return ask + RATE * ask * (1 - ask)


def costs(points: dict[str, tuple[int, Fraction]], end: int, now: int):
    """What YES and NO of a market cost at `now`; its announced end is no time to buy any more."""
    if now >= end or now - min(at for at, _ in points.values()) > AGE:
        return None, None
    return tuple(cost(points[outcome][1]) if outcome in points else None for outcome in ("Yes", "No"))


def sets(event: str, quoted: dict[str, tuple[Fraction | None, Fraction | None]]) -> Iterator[Sold]:
    for market, (yes, no) in quoted.items():
        if yes is not None and no is not None:
            yield Sold("pair", market, math.floor((1 - yes - no) * 10**6))
    nos = [no for _, no in quoted.values() if no is not None and no < 1]
    if len(nos) > 1:
        yield Sold("no", event, math.floor((len(nos) - 1 - sum(nos)) * 10**6))
    yeses = [yes for yes, _ in quoted.values() if yes is not None]
    if len(yeses) == len(quoted) > 1:
        yield Sold("yes", event, math.floor((1 - sum(yeses)) * 10**6))


def sold(steps: int) -> Iterator[list[Sold]]:
    """For each moment the sets that leave a profit. A market is shown from its first point to the step that resolves it."""
    rows = pq.ParquetFile(SHARED / "markets.parquet").read().to_pylist()
    before = 0
    for now, newest in moments(steps):
        events: dict[str, dict[str, Any]] = defaultdict(dict)
        for row in rows:
            name, end = row["market_id"], min(row["nominal_end_ts"], row["resolved_ts"] + 1)
            if before <= row["resolved_ts"] and name in newest:
                events[row["event_id"]][name] = costs(newest[name], end, now)
        found = [one for event, quoted in events.items() for one in sets(event, quoted)]
        yield [one for one in found if one.profit >= 1]
        before = now


def counted(steps: int) -> dict[str, int]:
    """The figures of a summary, from the file alone."""
    figures: Counter[str] = Counter(observations=steps)
    before: set[tuple[str, str]] = set()
    for found in sold(steps):
        plausible = [one for one in found if one.profit <= IMPLAUSIBLE]
        new = [one.profit for one in plausible if (one.kind, one.name) not in before]
        before = {(one.kind, one.name) for one in plausible}
        figures.update(one.kind for one in plausible)
        figures.update(
            violations=len(plausible), implausible=len(found) - len(plausible), stretches=len(new),
            sum=sum(one.profit for one in plausible), first=sum(new),
        )  # fmt: skip
        figures["best"] = max(figures["best"], *(one.profit for one in plausible), 0)
    return dict(figures)


# -- the run -------------------------------------------------------------------------------------------------

SUMMARY = re.compile(
    r"summary after (?P<observations>\d+) observations: (?P<violations>\d+) violations in (?P<stretches>\d+) "
    r"stretches \(pair (?P<pair>\d+), no (?P<no>\d+), yes (?P<yes>\d+)\), profit per set in micro-USD: "
    r"best (?P<best>\d+), sum (?P<sum>\d+), sum at first sight (?P<first>\d+); implausible (?P<implausible>\d+); "
    r"sets wished (?P<wished>\d+), complete (?P<complete>\d+), broken (?P<broken>\d+), refused (?P<refused>\d+)"
)


def play(new_home: Any, steps: int, every: int) -> Any:
    """A home in which the agent played the first steps; `every` divides them, so that the last is summarised."""
    if not SHARED.is_dir():
        pytest.skip("the recorded tapes are not here")
    home = new_home()
    home.configure(SETTINGS.replace("EVERY", str(every)))
    done = home.pp("run", "--tape", SHARED, "--cycles", steps, "--json")
    assert done.status == 0, done.stderr
    (agent,) = done.json["plugins"]
    assert (done.json["cycles"], agent["calls"], agent["failures"]) == (steps, steps, 0)
    return home


@pytest.fixture(scope="module")
def played(new_home: Any) -> Any:
    return play(new_home, STEPS, 500)


def summary(home: Any) -> dict[str, int]:
    lines = [entry["subject"]["message"] for entry in home.entries("plugin.log")]
    found = SUMMARY.fullmatch([line for line in lines if line.startswith("summary")][-1])
    assert found
    return {name: int(value) for name, value in found.groupdict().items()}


def check(home: Any, steps: int) -> dict[str, int]:
    """Refuses (AssertionError) unless every figure told follows from the file and the fills; what was told."""
    expected, told = counted(steps), summary(home)
    assert {name: told[name] for name in expected} == expected
    assert told["complete"] == told["wished"] > 0 == told["broken"] == told["refused"]
    ends = home.entries("settlement")
    payouts = {entry["subject"]["market"]: entry["subject"]["yes_payout"] for entry in ends}
    bought = bought_sets(home)
    assert len(bought) == told["wished"]
    for why, fills in bought.items():
        assert len({fill["shares"] for fill in fills}) == 1
        settled = {fill["market"] for fill in fills} <= set(payouts)
        if settled and not why.startswith("YES of"):
            assert brought(fills, payouts) >= sum(fill["amount"] + fill["fee"] for fill in fills)
    return told


def brought(fills: list[dict[str, Any]], payouts: dict[str, int]) -> int:
    """What a set paid in the end, micro-USD."""
    yes = {fill["market"]: payouts[fill["market"]] for fill in fills}
    each = [
        yes[fill["market"]] if fill["outcome"] == "yes" else 10**6 - yes[fill["market"]] for fill in fills
    ]
    return fills[0]["shares"] * sum(each) // 10**6


@pytest.mark.slow
def test_what_it_tells_is_what_a_reader_of_the_file_finds_and_its_sets_are_whole(played: Any) -> None:
    told = check(played, STEPS)
    assert told["no"] > 10
    assert told["yes"] > 0


@pytest.mark.slow
def test_the_check_notices_one_micro_unit(played: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    right = counted(STEPS)
    for name in right:
        monkeypatch.setitem(globals(), "counted", lambda _, name=name: right | {name: right[name] + 1})
        with pytest.raises(AssertionError):
            check(played, STEPS)


@pytest.mark.soak
def test_the_whole_tape(new_home: Any) -> None:
    told = check(play(new_home, WHOLE, 879), WHOLE)
    assert min(told["pair"], told["no"], told["yes"], told["implausible"]) > 0


def bought_sets(home: Any) -> dict[str, list[dict[str, Any]]]:
    """The fills of each set, found by cause from fill to decision; a set's legs share their rationale."""
    entries = {entry["seq"]: entry for entry in home.entries()}
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for entry in home.entries("order.fill"):
        cause = entry
        while cause["event"] != "decision":
            cause = entries[cause["cause"]]
        found[cause["subject"]["rationale"]].append(entry["subject"])
    return found
