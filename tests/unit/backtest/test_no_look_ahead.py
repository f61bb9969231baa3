"""The heart of a tape: nothing of the future is in any byte of a table."""

from __future__ import annotations

import tempfile
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pp_host.backtest.tape import Tape, TapeSettings
from pp_sdk.table import OPEN, RESOLVED, MarketRow, MarketTable, build

MICRO = 1_000_000
SETTINGS = TapeSettings(spread_ticks=2, depth=50 * MICRO, tick=2_500)
T0 = 1_761_926_400_000
LAST = 8
AFTERTHOUGHTS = ("volume", "liquidity", "last_trade_price", "best_bid", "best_ask", "spread")

prices = st.one_of(st.integers(0, 2_000).map(lambda step: step / 2_000), st.floats(0, 1))
names = st.sampled_from([("Yes", "No"), ("Up", "Down"), ("No", "Yes")])
times = st.one_of(st.none(), st.integers(-2, LAST + 3).map(lambda at: T0 + at))
payouts = st.sampled_from([None, 0.0, 1.0, 0.5])


@st.composite
def sides_of_books(draw):
    """Bids and asks in dollars and shares, best first, either of them perhaps empty."""
    marks = sorted(draw(st.sets(st.integers(1, 999_999), max_size=5)))
    cut = draw(st.integers(0, len(marks)))
    shares = st.integers(1, 10**9).map(lambda micros: micros / MICRO)
    levels = [(mark / MICRO, draw(shares)) for mark in marks]
    return levels[:cut][::-1], levels[cut:]


@st.composite
def recordings(draw, recording):
    made = recording()
    booked = draw(st.booleans())
    for name in draw(st.permutations(["m1", "m10", "m2", "M3"]))[: draw(st.integers(1, 4))]:
        first, second = draw(names)
        made.market(
            name, outcome_0=first, outcome_1=second, resolved_yes_price=draw(payouts), start_ts=draw(times),
            nominal_end_ts=draw(times), close_ts=draw(times), resolved_ts=draw(times),
        )  # fmt: skip
    for at in range(LAST + 1):
        for market in draw(st.permutations(made.markets)):
            for outcome in (market["outcome_0"], market["outcome_1"]):
                if draw(st.booleans()):
                    made.point(at, market["market_id"], outcome, draw(prices))
                if booked and draw(st.booleans()):
                    made.book(at, market["market_id"], outcome, *draw(sides_of_books()))
    if not made.prices and not made.books:
        made.point(0, made.markets[0]["market_id"], made.markets[0]["outcome_0"], 0.5)
    return made


@pytest.fixture(scope="module")
def played(recording):
    """Checks `body(data, draw_recording, open)` on many recordings."""

    def run(body, examples=50):
        @hypothesis_settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
        @given(st.data())
        def attempt(data):
            body(data, data.draw(recordings(recording)))

        attempt()

    return run


def play(made, moments=None):
    """{moment: block} of one playing; all the tape's own moments and its finale unless told otherwise."""
    with tempfile.TemporaryDirectory() as folder:
        tape = Tape.open(made.write(Path(folder)), SETTINGS)
    if moments is None:
        moments = [*tape.moments(), *([] if tape.finale() is None else [tape.finale()])]
    return {now: bytes(tape.table_at(now).block) for now in moments}


def end_of(made, market):
    if market["resolved_yes_price"] is None:
        return None
    if market["resolved_ts"] is not None:
        return market["resolved_ts"] * 1000
    if market["close_ts"] is not None:
        return market["close_ts"] * 1000
    return max(row["ts"] for row in made.prices + made.books) * 1000


def sides(price):
    """One outcome's levels from its last price, in Decimal dollars from first principles."""
    if price is None:
        return (), ()
    point = Decimal(price).quantize(Decimal("0.000001"))
    tick = Decimal(SETTINGS.tick) / MICRO
    bid = (point / tick).to_integral_value(ROUND_FLOOR) * tick - SETTINGS.spread_ticks * tick
    ask = (point / tick).to_integral_value(ROUND_CEILING) * tick + SETTINGS.spread_ticks * tick
    levels = []
    for price in (bid, ask):
        size = Decimal(SETTINGS.depth) / MICRO / price if tick <= price <= 1 - tick else None
        levels.append(() if size is None else ((int(price * MICRO), int(size * MICRO)),))
    return tuple(levels)


def levels(book, side):
    """One side of the rows of one book."""
    there = [row for row in sorted(book, key=lambda row: row["level"]) if row[side] is not None]
    return tuple(
        (
            int((Decimal(row[side]) * MICRO).to_integral_value()),
            int((Decimal(row[f"{side}_size"]) * MICRO).to_integral_value()),
        )
        for row in there
    )


def quoted(made, market, outcome, until):
    """(time, bids, asks) of the newest statement up to `until`, the book's when there are two; None without any."""
    mine = [
        [
            row
            for row in rows
            if (row["market_id"], row["outcome"]) == (market, outcome) and row["ts"] * 1000 <= until
        ]
        for rows in (made.prices, made.books)
    ]
    newest = max((row["ts"] for rows in mine for row in rows), default=None)
    if newest is None:
        return None
    points, book = ([row for row in rows if row["ts"] == newest] for rows in mine)
    return newest * 1000, *((levels(book, "bid"), levels(book, "ask")) if book else sides(points[0]["price"]))


def expected(made, now, earlier):
    """The table at `now` from all rows, when the tape was asked at the moments `earlier` before."""
    rows = []
    for market in sorted(made.markets, key=lambda market: market["market_id"]):
        points = [row for row in made.prices + made.books if row["market_id"] == market["market_id"]]
        points = [row for row in points if row["ts"] * 1000 <= now]
        end = end_of(made, market)
        told = end is not None and any(
            end < before and min(row["ts"] for row in points) * 1000 < before for before in earlier if points
        )
        if not points or told:
            continue
        first = min(row["ts"] for row in points) * 1000
        ended = end is not None and end < now and first < now
        yes, no = market["outcome_0"], market["outcome_1"]
        if yes == "No":
            yes, no = no, yes
        until = now if end is None else min(now, end)
        stated = [quoted(made, market["market_id"], outcome, until) for outcome in (yes, no)]
        at = [each[0] for each in stated if each]
        (yes_bids, yes_asks), (no_bids, no_asks) = (
            each[1:] if each and not ended else ((), ()) for each in stated
        )
        start = market["start_ts"]
        rows.append(
            MarketRow(
                id=market["market_id"], event="event", question=f"{market['market_id']}?",
                yes_name=yes, no_name=no, venue="polymarket",
                status=RESOLVED if ended else OPEN, tick=SETTINGS.tick,
                yes_bids=yes_bids, yes_asks=yes_asks, no_bids=no_bids, no_asks=no_asks,
                quoted_at=min(at, default=None),
                opened_at=start * 1000 if start is not None and start * 1000 <= now else None,
                ends_at=None if market["nominal_end_ts"] is None else market["nominal_end_ts"] * 1000,
                yes_payout=round(market["resolved_yes_price"] * MICRO) if ended else None,
            )
        )  # fmt: skip
    return bytes(build(rows).block)


def test_every_table_is_what_the_rows_up_to_its_time_say(played):
    def body(data, made):
        asked = data.draw(st.lists(st.integers(-1_000, (LAST + 5) * 1_000), unique=True, max_size=20))
        moments = sorted(T0 * 1_000 + after for after in asked)
        for moments_asked in (moments, None):
            shown = play(made, moments_asked)
            for index, (now, block) in enumerate(shown.items()):
                assert block == expected(made, now, list(shown)[:index])
                assert bytes(MarketTable.decode(block).block) == block

    played(body, 80)


def test_a_tape_cut_at_any_time_plays_the_same_tables_up_to_the_cut(played, recording):
    def body(data, made):
        whole = play(made)
        until = data.draw(st.sampled_from(sorted({row["ts"] for row in made.prices + made.books})))
        kept = ([row for row in rows if row["ts"] <= until] for rows in (made.prices, made.books))
        cut = recording(made.markets, *kept)
        short = {now: block for now, block in play(cut).items() if now <= until * 1000}
        assert short == {now: block for now, block in whole.items() if now <= until * 1000}

    played(body)


def test_two_futures_with_one_past_look_the_same_until_they_part(played, recording):
    """Everything that becomes known after T differs: later prices, outcomes, ends, and every final figure."""

    def body(data, made):
        now = data.draw(st.integers(0, LAST))
        other = recording([dict(market) for market in made.markets], list(made.prices))
        for market in other.markets:
            end = end_of(made, market)
            if end is None or end >= (T0 + now) * 1000:
                market["resolved_yes_price"] = data.draw(payouts)
                market["resolved_ts"] = T0 + data.draw(st.integers(now, LAST + 3))
                market["close_ts"] = data.draw(times)
            if market["start_ts"] is not None and market["start_ts"] > T0 + now:
                market["start_ts"] += data.draw(st.integers(0, 9))
            market.update({name: data.draw(prices) for name in AFTERTHOUGHTS})
            market.update(closed=True, n_prices=9, first_ts=1, last_ts=T0 + LAST, resolution_source="told")
        other.prices = [row for row in made.prices if row["ts"] <= T0 + now]
        other.prices += [
            row | {"price": data.draw(prices)}
            for row in made.prices
            if row["ts"] > T0 + now and data.draw(st.booleans())
        ]
        other.books = [row for row in made.books if row["ts"] <= T0 + now]
        for row in made.books:
            if row["ts"] > T0 + now and row["level"] == 0 and data.draw(st.booleans()):
                other.book(row["ts"] - T0, row["market_id"], row["outcome"], *data.draw(sides_of_books()))
        stated = other.prices + other.books
        if not stated:
            return
        moments = sorted({row["ts"] * 1000 for row in stated if row["ts"] <= T0 + now})
        assert play(other, moments) == play(made, moments)

    played(body, 80)


def test_a_planted_column_from_the_future_changes_no_byte(recording, ms):
    made = recording()
    for index, name in enumerate(("a", "b", "c")):
        made.market(name, resolved_yes_price=float(index == 1), resolved_ts=ms(6 + index) // 1000)
    for at in range(9):
        for name in ("a", "b", "c"):
            made.point(at, name, "Yes", 0.3 + at / 100).point(at, name, "No", 0.7 - at / 100)
    clean = play(made)
    for market in made.markets:
        market.update(dict.fromkeys(AFTERTHOUGHTS, market["resolved_yes_price"]))
        market.update(closed=True, close_ts=ms(1) // 1000, last_ts=ms(2) // 1000, first_ts=1, n_prices=18,
                      resolution_source="future", description="Yes won", future_price=0.99)  # fmt: skip
    for row in made.prices:
        row.update(
            resolved_price=1.0, future_price=0.99, close_ts=ms(1) // 1000, question="Yes won", event_id="won"
        )
    made.market_types["future_price"] = made.price_types["future_price"] = pa.float64()
    assert play(made) == clean


def test_the_order_of_the_files_rows_changes_no_byte(recording):
    made = recording()
    for name in ("a", "b", "c", "d"):
        made.market(name)
        made.point(0, name, "Yes", 0.3)
        made.point(0, name, "No", 0.7)
    clean = play(made)
    made.markets.reverse()
    made.prices.reverse()
    assert play(made) == clean
