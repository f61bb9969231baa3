"""`pp run --tape` on recorded books against the accountant of tapes: two agents want more than there is.

The tape mixes books and points; its books are small, several levels deep, and stand for some steps each. Both agents
write down the books they see, and buy and sell whatever is on offer.
"""

from __future__ import annotations

import json
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tests.e2e.tape_accountant import Played, Tape, audit

SECOND = 1_000
T0 = 1_761_926_400_000
STEPS = 60
AGENTS = ("test.greedy-a", "test.greedy-b")
MANIFEST = """schema: probablyprofit/plugin/v1
id: NAME
version: 1.0.0
kind: agent
title: Greedy
summary: Buys everything, and sells it all at every fifth step.
license: MIT
authors: [{name: Tester}]
api: {sdk: ">=1,<2", python: ">=3.11"}
entry: {module: greedy, object: plugin, runtime: python}
hooks: [decide]
capabilities:
  - {use: market.read, reason: "sees what there is"}
  - {use: account.read, precision: exact, reason: "sells what it holds"}
  - {use: decision.propose, markets: any, max_order_usd: 50, max_day_usd: 100000, max_exposure_usd: 5000, orders_per_minute: 600, reason: "wants it all"}
"""
CODE = """
import json
from pp_sdk import MICRO, Decision, hookimpl, log

class Greedy:
    def __init__(self):
        self.steps = 0

    @hookimpl
    def decide(self, observation):
        self.steps += 1
        seen = {
            row.id: [row.quoted_at, *(row.book(outcome, side) for outcome in ("yes", "no") for side in ("bid", "ask"))]
            for row in observation.markets if row.status == 0
        }
        log.info(json.dumps([observation.now, seen]))
        held = [(each.market, each.outcome) for each in observation.account.positions]
        if self.steps % 5 == 0:
            return [wish(market, outcome, "sell", 0.5) for market, outcome in held]
        return [wish(row.id, outcome, "buy", 0.97) for row in observation.markets for outcome in ("yes", "no")]

def wish(market, outcome, side, probability):
    return Decision(market=market, outcome=outcome, side=side, probability=probability, confidence=0.5, rationale="more")

plugin = Greedy()
"""
SETTINGS = """[risk]
max_daily_loss_usd = 1000
max_drawdown = 1
max_exposure_usd = 900
max_market_usd = 900
[sizing]
method = "fixed"
fixed_usd = 3
""" + "".join(
    f'[plugins."{name}"]\n'
    "budget = {order_usd = 50, day_usd = 100000, exposure_usd = 5000, orders_per_minute = 600}\n"
    for name in AGENTS
)

pytestmark = pytest.mark.xdist_group("book tape")


# -- the tape ------------------------------------------------------------------------------------------------


def book_tape(folder: Path, until: int = STEPS) -> Path:
    """Steps ten seconds apart. `a` has both books, `b` that of YES and points of NO, `c` changes between the two."""
    books: list[dict[str, Any]] = []
    prices: list[dict[str, Any]] = []
    for at in range(until):
        yes = Decimal(40 + (0, 1, 3, 2, -1, -2)[at % 6]) / 100
        if at % 3 == 0:
            books += book(at, "a", "Up", yes, 3, at)
        if at % 3 == 1:  # so that the older of the two is recorded anew while the newer one still stands
            books += book(at, "a", "Down", 1 - yes, 2, at)
        if at % 4 == 0:
            books += book(at, "b", "Yes", yes, 1, at)
        prices.append(point(at, "b", "No", 1 - yes))
        if at % 6 == 1:
            books += book(at, "c", "Yes", yes, 2, at)
        if at % 6 in (1, 4):
            prices.append(point(at, "c", "Yes", yes))
    folder.mkdir(parents=True)
    write(folder / "markets.parquet", MARKETS, MARKET_TYPES)
    write(folder / "prices.parquet", prices, POINT_TYPES)
    write(folder / "books.parquet", books, BOOK_TYPES)
    return folder


def book(at: int, market: str, outcome: str, middle: Decimal, levels: int, salt: int) -> list[dict[str, Any]]:
    """Levels a cent apart of a few shares each; now and then nobody bids."""
    rows = []
    for level in range(levels):
        row = {"ts": T0 + at * 10 * SECOND, "market_id": market, "outcome": outcome, "level": level}
        size = Decimal(3 + (7 * salt + 5 * level) % 11) + Decimal("0.123457") * level
        apart = Decimal(level + 1) / 100
        bid = (None, None) if salt % 7 == 3 else (float(middle - apart), float(size))
        rows.append(
            row
            | {"bid": bid[0], "bid_size": bid[1], "ask": float(middle + apart), "ask_size": float(size + 1)}
        )
    return rows


def point(at: int, market: str, outcome: str, price: Decimal) -> dict[str, Any]:
    return {"ts": T0 + at * 10 * SECOND, "market_id": market, "outcome": outcome, "price": float(price)}


def write(path: Path, rows: list[dict[str, Any]], types: dict[str, pa.DataType]) -> None:
    arrays = [pa.array([row.get(name) for row in rows], kind) for name, kind in types.items()]
    pq.write_table(pa.table(arrays, names=list(types)), path)


MARKETS = [
    {"market_id": "a", "outcome_0": "Up", "outcome_1": "Down", "resolved_yes_price": 1.0,
     "resolved_ts": T0 + 45 * 10 * SECOND + 1},
    {"market_id": "b", "outcome_0": "Yes", "outcome_1": "No", "resolved_yes_price": 0.0, "resolved_ts": T0 + 10**9},
    {"market_id": "c", "outcome_0": "Yes", "outcome_1": "No"},
]  # fmt: skip
MARKET_TYPES = (
    dict.fromkeys(("market_id", "event_id", "question", "outcome_0", "outcome_1"), pa.string())
    | dict.fromkeys(("start_ts", "nominal_end_ts", "close_ts", "resolved_ts"), pa.int64())
    | {"resolved_yes_price": pa.float64()}
)
KEY_TYPES = {"ts": pa.int64(), "market_id": pa.string(), "outcome": pa.string()}
POINT_TYPES = KEY_TYPES | {"price": pa.float64()}
BOOK_TYPES = (
    KEY_TYPES | {"level": pa.int64()} | dict.fromkeys(("bid", "bid_size", "ask", "ask_size"), pa.float64())
)


# -- playing -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def play(new_home, tmp_path_factory):
    place = new_home()
    for name in AGENTS:
        folder = tmp_path_factory.mktemp("plugin")
        (folder / "plugin.yaml").write_text(MANIFEST.replace("NAME", name))
        (folder / "greedy.py").write_text(CODE)
        place.install(folder)
    place.configure(SETTINGS)

    return partial(Played.run, place)


@pytest.fixture(scope="module")
def played(play, tmp_path_factory):
    return play(book_tape(tmp_path_factory.mktemp("tape") / "books"))


def seen(played: Played, plugin: str) -> dict[int, dict[str, list[Any]]]:
    """What one agent wrote down, by the time of the observation (microseconds)."""
    lines = [
        e["subject"]["message"]
        for e in played.entries
        if (e["event"], e["actor"]["id"]) == ("plugin.log", plugin)
    ]
    return dict(json.loads(line) for line in lines)


# -- the tests -----------------------------------------------------------------------------------------------


def test_a_tape_of_books_adds_up_to_the_micro_unit(played):
    purse, desk = audit(played)
    fills = played.subjects("order.fill")
    assert {fill["plugin"] for fill in fills} == set(AGENTS)
    assert {(fill["market"], fill["side"]) for fill in fills} == {
        (m, s) for m in "abc" for s in ("buy", "sell")
    }
    assert desk.at_books > 100
    assert len(fills) - desk.at_books > 10
    assert desk.exhausted > 30
    assert played.result["settled"] == 2
    assert purse.fees > 0


def test_an_agent_sees_exactly_what_was_recorded(played):
    tape = Tape(played.folder)
    for agent in AGENTS:
        told = seen(played, agent)
        assert sorted(told) == [at * 1000 for at in tape.times]
        for now, rows in told.items():
            assert set(rows) == {m for m in "abc" if shown(tape, m, now // 1000)}
            for market, (quoted_at, *books) in rows.items():
                stated = [tape.last(market, side, now // 1000) for side in ("yes", "no")]
                assert quoted_at == min(at for at, _ in stated if at >= 0) * 1000
                check_books(tape, market, stated, books)


def shown(tape: Tape, market: str, at: int) -> bool:
    return (
        at <= tape.markets[market].end and max(tape.last(market, side, at)[0] for side in ("yes", "no")) >= 0
    )


def check_books(tape, market, stated, books):
    for index, (at, point) in enumerate(stated):
        if at < 0:
            assert books[2 * index : 2 * index + 2] == [[], []]
        elif point is None:
            recorded = tape.books[market, ("yes", "no")[index]][at]
            expected = [
                [[int(p * 10**6), int(s * 10**6)] for p, s in recorded[side]] for side in ("bid", "ask")
            ]
            assert books[2 * index : 2 * index + 2] == expected
        else:
            assert all(len(side) == 1 for side in books[2 * index : 2 * index + 2])


@pytest.mark.parametrize("name", ["price", "amount", "fee", "shares"])
def test_the_accountant_notices_a_wrong_fill(played, name):
    entries = [entry | {"subject": dict(entry["subject"])} for entry in played.entries]
    next(entry for entry in entries if entry["event"] == "order.fill")["subject"][name] += 10
    with pytest.raises(AssertionError):
        audit(Played(played.folder, played.result, entries))


def test_the_accountant_notices_a_size_that_is_a_micro_share_smaller(played, tmp_path):
    """Somewhere a level was taken whole; less of it recorded, and the same fills are impossible."""
    whole = pq.ParquetFile(played.folder / "books.parquet").read()
    smaller = pc.subtract(whole["ask_size"], 0.000001)
    for name in ("markets", "prices"):
        (tmp_path / f"{name}.parquet").write_bytes((played.folder / f"{name}.parquet").read_bytes())
    index = whole.schema.get_field_index("ask_size")
    pq.write_table(whole.set_column(index, "ask_size", smaller), tmp_path / "books.parquet")
    with pytest.raises(AssertionError):
        audit(Played(tmp_path, played.result, played.entries))


def test_a_tape_of_books_cut_short_gives_the_same_decisions_up_to_the_cut(played, play, tmp_path):
    short = play(book_tape(tmp_path / "short", 31))
    audit(short)
    until = T0 + 30 * 10 * SECOND
    assert short.result["steps"] == 31
    assert short.actions(until) == played.actions(until) != []
