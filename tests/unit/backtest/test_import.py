"""Strangers' files become a tape exactly, or one line says why not and nothing is left behind."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pp_host.backtest import foreign, pile, tapewriter
from pp_host.backtest.figures import price_reader, time_reader
from pp_host.backtest.importmap import (
    FactsFrom,
    ImportMap,
    OutcomeFrom,
    PriceFrom,
    TextFrom,
    TimeFrom,
    read_map,
)
from pp_host.backtest.intake import import_tape
from pp_host.backtest.tape import Tape
from pp_host.errors import OperatorError
from pp_sdk.table import MarketTable

T0 = 1_761_926_400_000
MAP = """
[time]
column = "ts"
unit = "ms"
[market]
column = "market"
[outcome]
column = "side"
[price]
column = "price"
scale = "dollars"
"""
BOTH = """
[time]
column = "ts"
unit = "s"
[market]
value = "m"
[price]
yes = "up"
no = "down"
scale = "cents"
"""
FACTS = """
[facts]
file = "markets.csv"
market_id = "id"
unit = "s"
scale = "cents"
event_id = "event"
question = "title"
outcome_0 = "first"
outcome_1 = "second"
start_ts = "opened"
nominal_end_ts = "ends"
close_ts = "closed"
resolved_ts = "resolved"
resolved_yes_price = "paid"
"""
GOOD = "ts,market,side,price\n1761926400000,a,Yes,0.25\n1761926400000,a,No,0.75\n1761926401000,a,Yes,0.3\n"
MARKETS = "id,event,title,first,second,opened,ends,closed,resolved,paid\n"


@pytest.fixture
def place(tmp_path):
    """Files to import, and what an import of them made or refused."""
    return Place(tmp_path)


class Place:
    def __init__(self, root):
        self.root = root
        self.write("map.toml", MAP)
        self.write("in.csv", GOOD)

    def write(self, name, content):
        path = self.root / name
        path.write_bytes(content) if isinstance(content, bytes) else path.write_text(content)
        return path

    def make(self, *names):
        files = [self.root / name for name in names or ("in.csv",)]
        return import_tape(files, self.root / "map.toml", self.root / "out", lambda path, rows: None)

    def rows(self, name="prices"):
        return pq.read_table(self.root / "out" / f"{name}.parquet").to_pylist()

    def refused(self, *names):
        """(message without the folder, hint); nothing has been left."""
        before = sorted(self.root.iterdir())
        with pytest.raises(OperatorError) as caught:
            self.make(*names)
        assert sorted(self.root.iterdir()) == before
        message = str(caught.value)
        assert "\n" not in message
        assert caught.value.hint
        return message.replace(f"{self.root}/", ""), caught.value.hint


def point(at, price, market="a", outcome="Yes"):
    return {"ts": T0 + at, "market_id": market, "outcome": outcome, "price": price}


# -- what is made --------------------------------------------------------------------------------------------


def test_a_csv_file_becomes_a_tape(place, settings):
    told = place.make()
    assert place.rows() == [point(0, 0.25), point(0, 0.75, outcome="No"), point(1_000, 0.3)]
    nothing = dict.fromkeys(column for column in tapewriter.MARKETS.names if column != "market_id")
    assert place.rows("markets") == [{"market_id": "a"} | nothing]
    tape = Tape.open(place.root / "out", settings)
    assert (told.markets, told.priced, told.outcomes, told.points, told.steps) == (1, 1, 0, 3, 2)
    assert (told.first, told.last, told.digest) == (T0 * 1_000, (T0 + 1_000) * 1_000, tape.digest)
    (counted,) = told.files
    assert (counted.rows, counted.points, counted.dropped, counted.rounded) == (3, 3, 0, 0)


def test_the_columns_are_those_that_a_tape_plays_with_their_types(place):
    place.make()
    types = {
        name: dict(zip(schema.names, map(str, schema.types), strict=True))
        for name in ("prices", "markets")
        for schema in [pq.read_schema(place.root / "out" / f"{name}.parquet")]
    }
    assert types["prices"] == {"ts": "int64", "market_id": "string", "outcome": "string", "price": "double"}
    texts = dict.fromkeys(("market_id", "event_id", "question", "outcome_0", "outcome_1"), "string")
    times = dict.fromkeys(("start_ts", "nominal_end_ts", "close_ts", "resolved_ts"), "int64")
    assert types["markets"] == texts | times | {"resolved_yes_price": "double"}


ticks = st.dictionaries(
    st.tuples(st.integers(0, 10**9), st.sampled_from(["a", "b", 'ü,\n"']), st.sampled_from(["Yes", "No"])),
    st.integers(0, 1_000_000),
    min_size=1,
    max_size=30,
)


@hypothesis_settings(max_examples=60, deadline=None)
@given(ticks, st.randoms(use_true_random=False), st.sampled_from(["s", "ms", "us", "iso8601"]), st.booleans())
def test_any_exact_ticks_come_back_equal(drawn, random, unit, cents):
    rows = [
        (spell_time(at, unit), market, outcome, spell_price(price, cents))
        for (at, market, outcome), price in drawn.items()
    ]
    random.shuffle(rows)
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder))
        place.write(
            "map.toml", MAP.replace('"ms"', f'"{unit}"').replace("dollars", "cents" if cents else "dollars")
        )
        with (place.root / "in.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("ts", "market", "side", "price"), *rows])
        told = place.make()
        read = place.rows()
    assert told.points == len(drawn)
    assert [
        (row["ts"], row["market_id"], row["outcome"], Decimal(repr(row["price"])) * 10**6) for row in read
    ] == [
        (T0 + at, market, outcome, price)
        for (at, market, outcome), price in sorted(
            drawn.items(), key=lambda item: (item[0][0], item[0][1], item[0][2] == "No")
        )
    ]


def spell_time(at, unit):
    if unit == "iso8601":
        zone = timezone(timedelta(minutes=at % 1_600 - 800))
        return (
            (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=T0 + at)).astimezone(zone).isoformat()
        )
    return str(Decimal(T0 + at) * {"s": Decimal("0.001"), "ms": 1, "us": 1_000}[unit])


def spell_price(micros, cents):
    return str(Decimal(micros) / (10_000 if cents else 1_000_000))


def test_both_outcomes_of_a_row_are_read_each_where_it_is_not_null(place):
    place.write("map.toml", BOTH)
    place.write("in.csv", "down,up,ts\n70,31.5,1761926400\n,31,1761926401\nNaN,,1761926402\n")
    told = place.make()
    assert place.rows() == [point(0, 0.315, "m"), point(0, 0.7, "m", "No"), point(1_000, 0.31, "m")]
    (counted,) = told.files
    assert (counted.rows, counted.points, counted.dropped) == (3, 3, 3)


def test_of_a_bid_and_an_ask_the_middle_is_kept(place):
    place.write("map.toml", MAP.replace('column = "price"', 'bid = "b"\nask = "a"'))
    place.write("in.csv", "ts,market,side,b,a\n1,m,Yes,0.30,0.31\n2,m,Yes,,0.31\n3,m,Yes,0.000001,0.000002\n")
    told = place.make()
    assert [row["price"] for row in place.rows()] == [0.305, 0.000002]
    assert (told.files[0].dropped, told.files[0].rounded) == (1, 1)


def test_digits_below_a_micro_dollar_are_rounded_to_even_and_counted(place):
    place.write("in.csv", "ts,market,side,price\n1,m,Yes,0.1234565\n2,m,Yes,0.1234575\n3,m,Yes,1.0000000\n")
    assert place.make().files[0].rounded == 2
    assert [row["price"] for row in place.rows()] == [0.123456, 0.123458, 1.0]


def test_sides_may_be_spelled_in_any_way(place):
    place.write("map.toml", MAP.replace('column = "side"', 'column = "side"\nyes = "1"\nno = "0"'))
    place.write("in.csv", "ts,market,side,price\n1,m,1,0.2\n1,m,0,0.8\n")
    place.make()
    assert [(row["outcome"], row["price"]) for row in place.rows()] == [("Yes", 0.2), ("No", 0.8)]


def test_facts_come_from_a_file_of_markets(place):
    place.write("map.toml", MAP + FACTS)
    place.write("markets.csv", MARKETS + "b,,,,,,,,,\na,e,q?,Up,Down,1,2.5,3,4.0001,100\n")
    place.write("in.csv", "ts,market,side,price\n1,a,Up,0.2\n1,a,No,0.8\n")
    told = place.make()
    assert (told.markets, told.priced, told.outcomes) == (2, 1, 1)
    assert place.rows("markets")[0] == {
        "market_id": "a", "event_id": "e", "question": "q?", "outcome_0": "Up", "outcome_1": "Down",
        "start_ts": 1_000, "nominal_end_ts": 2_500, "close_ts": 3_000, "resolved_ts": 4_001, "resolved_yes_price": 1.0,
    }  # fmt: skip
    assert [row["outcome"] for row in place.rows()] == ["Up", "Down"]


def test_facts_come_from_the_rows_of_prices(place):
    place.write("map.toml", MAP + '[facts]\nevent_id = "event"\noutcome_0 = "first"\noutcome_1 = "second"\n')
    place.write(
        "in.csv",
        "ts,market,side,price,event,first,second\n1,a,Yes,0.2,,No,Yes\n2,a,No,0.8,e,No,Yes\n3,a,No,0.8,,,\n",
    )
    place.make()
    (market,) = place.rows("markets")
    assert (market["event_id"], market["outcome_0"], market["outcome_1"]) == ("e", "No", "Yes")
    assert [row["outcome"] for row in place.rows()] == ["Yes", "No", "No"]


@pytest.mark.parametrize("kind", [pa.float64(), pa.string(), pa.decimal128(7, 6), pa.large_string()])
@pytest.mark.parametrize("at", [pa.int64(), pa.timestamp("ms", "UTC"), pa.timestamp("ns", "Europe/Berlin")])
def test_a_parquet_file_becomes_the_same_tape(place, kind, at):
    place.make()
    expected = place.rows()
    (place.root / "out").rename(place.root / "first")
    if pa.types.is_timestamp(at):
        place.write("map.toml", MAP.replace('"ms"', '"iso8601"'))
    times = pa.array([T0, T0, T0 + 1_000], pa.timestamp("ms")).cast(pa.int64())
    table = {
        "ts": times.cast(pa.timestamp("ms", "UTC")).cast(at) if pa.types.is_timestamp(at) else times,
        "market": pa.array(["a"] * 3).dictionary_encode(),
        "side": ["Yes", "No", "Yes"],
        "price": pa.array([0.25, 0.75, 0.3]).cast(pa.decimal128(7, 6)).cast(kind),
        "other": [[1], None, None],
    }
    pq.write_table(pa.table(table), place.root / "in.parquet")
    place.make("in.parquet")
    assert place.rows() == expected


def test_the_same_rows_in_any_files_and_order_give_the_same_bytes(place, monkeypatch):
    monkeypatch.setattr(foreign, "BATCH_ROWS", 2)
    monkeypatch.setattr(pile, "SLICE_ROWS", 3)
    lines = [
        f"{T0 + at},{m},{s},0.{at}{i}" for at in range(5) for i, m in enumerate("cab") for s in ("Yes", "No")
    ]
    digests = []
    for order in (lines, lines[::-1], sorted(lines, key=lambda line: line[::-1])):
        for name, part in (("in.csv", order[:7]), ("more.csv", order[7:])):
            place.write(name, "\n".join(["ts,market,side,price", *part, ""]))
        digests.append(place.make("in.csv", "more.csv").digest)
        (place.root / "out").rename(place.root / f"out{len(digests)}")
    assert len(set(digests)) == 1


def test_progress_is_told_file_by_file(place, monkeypatch):
    monkeypatch.setattr(foreign, "BATCH_ROWS", 2)
    seen = []
    import_tape(
        [place.root / "in.csv"], place.root / "map.toml", place.root / "out",
        lambda path, rows: seen.append((path.name, rows)),
    )  # fmt: skip
    assert seen == [("in.csv", 2), ("in.csv", 3)]


BOOK = MAP.replace('column = "price"', 'bid = "b"\nask = "a"\nbid_size = "bs"\nask_size = "as"')
LEVELS = BOOK.replace('bid = "b"', 'level = "l"\nbid = "b"')


def level(at, bid, bid_size, ask, ask_size, number=0, outcome="Yes"):
    return {
        "ts": at, "market_id": "m", "outcome": outcome, "level": number,
        "bid": bid, "bid_size": bid_size, "ask": ask, "ask_size": ask_size,
    }  # fmt: skip


def test_a_bid_and_an_ask_with_their_sizes_are_a_book(place, settings):
    place.write("map.toml", BOOK)
    place.write(
        "in.csv",
        "ts,market,side,b,bs,a,as\n2,m,No,,,0.7,1\n1,m,Yes,0.3,10.25,0.31,0.1234567\n"
        "2,m,Yes,,0,0,0\n3,m,Yes,0.3,0,1,0.00\n4,m,Yes,0.3,1,NaN,NaN\n",
    )
    told = place.make()
    assert place.rows() == []
    assert place.rows("books") == [
        level(1, 0.3, 10.25, 0.31, 0.123456),
        level(2, None, None, None, None),
        level(2, None, None, 0.7, 1.0, outcome="No"),
        level(3, None, None, None, None),
        level(4, 0.3, 1.0, None, None),
    ]
    (counted,) = told.files
    assert (told.books, told.points, told.steps, told.priced) == (5, 0, 4, 1)
    assert (counted.rows, counted.points, counted.books, counted.dropped, counted.rounded) == (5, 0, 5, 0, 1)
    row = Tape.open(place.root / "out", settings).table_at(1_000)[0]
    assert row.quote("yes") == (300_000, 10_250_000, 310_000, 123_456)


def test_a_book_of_several_rows_has_a_level_in_each(place, monkeypatch):
    monkeypatch.setattr(pile, "SLICE_ROWS", 2)
    place.write("map.toml", LEVELS.replace("dollars", "cents"))
    lines = [
        "1,m,Yes,1,29,5,,",
        "1,m,Yes,0,30,1,31,2",
        "2,m,Yes,0,30,1,31,2",
        "1,m,Yes,2,28,9,,0",
        "1,m,Yes,3,,,,",
    ]
    place.write("in.csv", "\n".join(["ts,market,side,l,b,bs,a,as", *lines]))
    told = place.make()
    assert place.rows("books") == [
        level(1, 0.3, 1.0, 0.31, 2.0),
        level(1, 0.29, 5.0, None, None, 1),
        level(1, 0.28, 9.0, None, None, 2),
        level(2, 0.3, 1.0, 0.31, 2.0),
    ]
    assert (told.books, told.files[0].dropped) == (2, 1)


def test_the_columns_of_a_book_have_the_manual_s_types(place):
    place.write("map.toml", BOOK)
    place.write("in.csv", "ts,market,side,b,bs,a,as\n1,m,Yes,0.3,1,0.31,1\n")
    place.make()
    schema = pq.read_schema(place.root / "out" / "books.parquet")
    assert dict(zip(schema.names, map(str, schema.types), strict=True)) == {
        "ts": "int64", "market_id": "string", "outcome": "string", "level": "int64",
        "bid": "double", "bid_size": "double", "ask": "double", "ask_size": "double",
    }  # fmt: skip


offers = st.tuples(st.integers(1, 999_999), st.integers(1, 10**15))
ladders = st.tuples(st.lists(offers, max_size=20, unique_by=lambda offer: offer[0]), st.integers(0, 20))


@hypothesis_settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.tuples(st.integers(0, 5), st.sampled_from(["Yes", "No"])), ladders, min_size=1),
    st.randoms(use_true_random=False),
)
def test_any_book_comes_back_to_the_micro_unit(settings, drawn, random):
    """Through a file in any order and the tape to the table."""
    rows, expected = [], {}
    for (at, outcome), (offered, cut) in drawn.items():
        marks = sorted(offered)
        bids, asks = marks[:cut][::-1], marks[cut:]
        expected[at, outcome] = tuple(bids), tuple(asks)
        for place_of in range(max(len(bids), len(asks), 1)):
            sides = [side[place_of] if place_of < len(side) else None for side in (bids, asks)]
            cells = [str(Decimal(x).scaleb(-6)) if side else "" for side in sides for x in side or (0, 0)]
            rows.append((at, "m", outcome, place_of, *cells))
    random.shuffle(rows)
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder))
        place.write("map.toml", LEVELS)
        with (place.root / "in.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("ts", "market", "side", "l", "b", "bs", "a", "as"), *rows])
        assert place.make().books == len(drawn)
        tape = Tape.open(place.root / "out", settings)
    for now in tape.moments():
        (row,) = tape.table_at(now)
        MarketTable.decode(row.table.block)
        for outcome in ("Yes", "No"):
            if (now // 1_000, outcome) in expected:
                side = outcome.lower()
                assert (row.book(side, "bid"), row.book(side, "ask")) == expected[now // 1_000, outcome]


# -- what is refused -----------------------------------------------------------------------------------------

HINT = "docs/TAPES.md shows a mapping file with every key"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("[time]", "[time"), "map.toml: not valid TOML: "),
        (("[time]", "[times]"), "map.toml: Object contains unknown field `times`"),
        (('unit = "ms"', ""), "map.toml: key time: Object missing required field `unit`"),
        (('unit = "ms"', 'unit = "min"'), "map.toml: key time.unit: Invalid enum value 'min'"),
        (('unit = "ms"', "unit = 3"), "map.toml: key time.unit: Expected `str`, got `int`"),
        (('unit = "ms"', 'unit = "ms"\nzone = "UTC"'), "map.toml: key time: Object contains unknown field `zone`"),
        (('unit = "ms"', 'unit = "ms"\nround_up = 1'), "map.toml: key time.round_up: Expected `bool`, got `int`"),
        (('column = "ts"', ""), "map.toml: key time: name either column or value"),
        (('column = "ts"', 'column = "ts"\nvalue = "1"'), "map.toml: key time: name either column or value"),
        (('column = "ts"', 'column = "ts"\ncolumn = "t"'), "map.toml: not valid TOML: "),
        (('column = "ts"', 'value = "x"'), "map.toml: key time.value: 'x' is not a number"),
        (('[market]\ncolumn = "market"', ""), "map.toml: Object missing required field `market`"),
        (('column = "market"', 'value = ""'), "map.toml: key market.value: empty"),
        (('[outcome]\ncolumn = "side"', ""), "map.toml: key outcome: missing; only price.yes and price.no do without"),
        (('column = "side"', 'column = "side"\nyes = "1"'), "map.toml: key outcome: yes and no go together"),
        (
            ('column = "side"', 'column = "side"\nyes = "1"\nno = "1"'),
            "map.toml: key outcome: yes and no are spelled alike",
        ),
        (('column = "side"', 'value = "Up"'), "map.toml: key outcome.value: market 'a' has no outcome 'Up'"),
        (('scale = "dollars"', ""), "map.toml: key price: Object missing required field `scale`"),
        (('scale = "dollars"', 'scale = "euro"'), "map.toml: key price.scale: Invalid enum value 'euro'"),
        (('column = "price"', ""), "map.toml: key price: name one of: column, value, yes and no, bid and ask, bid and ask with bid_size and ask_size"),
        (('column = "price"', 'yes = "price"'), "map.toml: key price: name one of: column, value, yes and no, bid and ask, bid and ask with bid_size and ask_size"),
        (('column = "price"', 'bid = "b"\nno = "n"'), "map.toml: key price: name one of: column, value, yes and no, bid and ask, bid and ask with bid_size and ask_size"),
        (('column = "price"', 'yes = "y"\nno = "n"'), "map.toml: key outcome: price.yes and price.no tell it already"),
        (('column = "price"', 'value = "2"'), "map.toml: key price.value: '2' is not a price"),
        (("\n[time]", 'delimiter = ";;"\n[time]'), "map.toml: key delimiter: one character, and neither a quote nor the end of a line"),
        (("\n[time]", "[facts]\n[time]"), "map.toml: key facts: names no column"),
        (("\n[time]", '[facts]\nfile = "m.csv"\n[time]'), "map.toml: key facts: file and market_id go together"),
        (("\n[time]", '[facts]\nstart_ts = "s"\n[time]'), "map.toml: key facts.unit: goes with columns of times, and they with it"),
        (("\n[time]", '[facts]\nevent_id = "e"\nunit = "s"\n[time]'), "map.toml: key facts.unit: goes with columns of times, and they with it"),
        (("\n[time]", '[facts]\nresolved_yes_price = "p"\n[time]'), "map.toml: key facts.scale: goes with resolved_yes_price, and that with it"),
        (("\n[time]", '[facts]\nvolume = "v"\n[time]'), "map.toml: key facts: Object contains unknown field `volume`"),
    ],
)  # fmt: skip
def test_a_mapping_that_cannot_be_is_named_by_its_key(place, change, told):
    place.write("map.toml", MAP.replace(*change))
    message, hint = place.refused()
    assert message.startswith(told)
    if "value: " not in told:
        assert hint == HINT
        assert "not valid" in told or message == told


def test_a_mapping_that_is_not_there_or_not_text_is_refused(place):
    place.write("map.toml", b"\xff")
    assert place.refused()[0].startswith("map.toml: not valid TOML: ")
    (place.root / "map.toml").unlink()
    assert place.refused() == ("map.toml: No such file or directory", "--map names the mapping file")


@pytest.mark.parametrize(
    ("line", "told", "hint"),
    [
        ("x,a,Yes,0.3", "column ts, row 2: 'x' is not a number", "digits, at most one point, no thousands mark"),
        (",a,Yes,0.3", "column ts, row 2: no time", "every row has its time"),
        ("-1,a,Yes,0.3", "column ts, row 2: '-1' is not a time", "is it really in ms?"),
        ("1761926400000000,a,Yes,0.3", "column ts, row 2: '1761926400000000' is not a time", "is it really in ms?"),
        ("1.5,a,Yes,0.3", "column ts, row 2: '1.5' is between two milliseconds",
         "a tape counts milliseconds; round_up = true takes the next one, so that nothing shows early"),
        ("1761926400000,,Yes,0.3", "column market, row 2: empty", "every row names its market and outcome"),
        (f"5,{'x' * 256},Yes,0.3", f"column market, row 2: longer than 255 bytes: '{'x' * 76}...", "shorten it"),
        ("5,a,,0.3", "column side, row 2: empty", "every row names its market and outcome"),
        ("5,a,Up,0.3", "column side, row 2: market 'a' has no outcome 'Up'",
         "its outcomes are 'Yes', 'No'; outcome.yes and outcome.no name others"),
        ("5,a,Yes,1.000001", "column price, row 2: '1.000001' is not a price", "prices in dollars are from 0 to 1"),
        ("5,a,Yes,-0.1", "column price, row 2: '-0.1' is not a price", "prices in dollars are from 0 to 1"),
        ("5,a,Yes,inf", "column price, row 2: 'inf' is not a number", "digits, at most one point, no thousands mark"),
        ("5,a,Yes,1_0", "column price, row 2: '1_0' is not a number", "digits, at most one point, no thousands mark"),
        ("5,a,Yes,٣", "column price, row 2: '\\u0663' is not a number", "digits, at most one point, no thousands mark"),
        ("5,a,Yes,\x1b[2J", "column price, row 2: '\\x1b[2J' is not a number", "digits, at most one point, no thousands mark"),
        ("5,a,Yes,1e999", "column price, row 2: '1e999' is not a number", "digits, at most one point, no thousands mark"),
        ("5,a,Yes,1e99", "column price, row 2: '1e99' is not a price", "prices in dollars are from 0 to 1"),
        ("5,a,Yes", "row 2: 3 cells, the header has 4", "is the delimiter right, and its quotes?"),
        ("5,a,Yes,0.3,", "row 2: 5 cells, the header has 4", "is the delimiter right, and its quotes?"),
        ('5,a,"Yes,0.3', "near row 2: unexpected end of data", "save it as CSV in UTF-8"),
        ("1761926400000,a,No,0.75", "row 2: a second price of one outcome at one time; the first is row 1 of in.csv",
         "keep one price per time, market and outcome"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("batch_rows", [1, 2, 4_096])
def test_a_row_that_cannot_be_is_named(place, line, told, hint, batch_rows, monkeypatch):
    monkeypatch.setattr(foreign, "BATCH_ROWS", batch_rows)
    lines = GOOD.splitlines()
    lines[3] = line
    place.write("in.csv", "\n".join([lines[0], "", *lines[1:]]))
    assert place.refused() == (f"in.csv: {told}", hint)


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("ts,market,side,cost", "in.csv: column price: missing"),
        ("ts,market,price,price", "in.csv: column side: missing"),
        ("ts,ts,market,side,price", "in.csv: column ts: appears twice"),
    ],
)
def test_a_column_that_is_not_there_once_is_named(place, header, told):
    place.write("in.csv", header + "\n")
    assert place.refused() == (told, f"its columns are {header.replace(',', ', ')}")


def test_a_file_without_a_header_is_refused(place):
    place.write("in.csv", "")
    assert place.refused() == ("in.csv: column ts: missing", "its columns are ")


@pytest.mark.parametrize("rows", ["", "5,a,Yes,\n"])
def test_a_tape_without_a_price_is_refused(place, rows):
    place.write("in.csv", "ts,market,side,price\n" + rows)
    assert place.refused() == ("map.toml: no price in any file", "a tape needs at least one price")


def test_a_file_that_is_not_text_or_not_there_or_of_another_kind_is_refused(place):
    place.write("in.csv", GOOD.encode() + b"\xff,\n")
    assert place.refused() == ("in.csv: near row 0: not UTF-8 text", "save it as CSV in UTF-8")
    assert place.refused("no.csv") == ("no.csv: No such file or directory", "FILE is a .csv or .parquet file")
    assert place.refused("no.parquet")[0] == "no.parquet: No such file or directory"
    assert place.refused("map.toml") == (
        "map.toml: neither .csv nor .parquet",
        "the name tells how it is read",
    )
    place.write("bent.parquet", b"PAR1" + bytes(99) + b"PAR1")
    assert place.refused("bent.parquet")[0].startswith("bent.parquet: not readable as parquet: ")
    pq.write_table(
        pa.table({"ts": [[1]], "market": ["a"], "side": ["Yes"], "price": [0.5]}), place.root / "in.parquet"
    )
    assert place.refused("in.parquet") == (
        "in.parquet: column ts: holds list<element: int64>", "a column holds texts, numbers or times",
    )  # fmt: skip


def test_text_that_is_not_utf8_in_a_parquet_file_is_refused(place):
    broken = pa.array([b"\xff\xfe"], pa.binary()).view(pa.string())
    table = pa.table({"ts": [T0], "market": broken, "side": ["Yes"], "price": [0.25]})
    pq.write_table(table, place.root / "in.parquet")
    message, hint = place.refused("in.parquet")
    assert message.startswith("in.parquet: column market, near row 0: Invalid")
    assert hint == "FILE is a .csv or .parquet file"
    data = (place.root / "in.parquet").read_bytes()
    place.write("in.parquet", data.replace(b"market", b"mark\xff\xfe"))
    assert place.refused("in.parquet")[0].startswith(
        "in.parquet: not readable as parquet: 'utf-8' codec can't"
    )


def test_a_flipped_byte_of_a_file_is_refused_or_harmless(place):
    """A flip may pass as other data, but never as another kind of error, and it leaves nothing half made."""
    table = pa.table({"ts": [T0, T0 + 1], "market": ["a", "b"], "side": ["Yes", "No"], "price": [0.25, 0.75]})
    pq.write_table(table, place.root / "in.parquet")
    told = 0
    for name in ("in.parquet", "in.csv", "map.toml"):
        clean = (place.root / name).read_bytes()
        before = sorted(place.root.iterdir())
        for position in range(0, len(clean), 7):
            place.write(name, clean[:position] + bytes([clean[position] ^ 0x55]) + clean[position + 1 :])
            try:
                place.make("in.csv" if name == "in.csv" else "in.parquet")
                shutil.rmtree(place.root / "out")
            except OperatorError:
                told += 1
            assert sorted(place.root.iterdir()) == before
        place.write(name, clean)
    assert told > 50


def test_a_second_price_is_found_across_files(place, monkeypatch):
    monkeypatch.setattr(pile, "SLICE_ROWS", 1)
    place.write("more.csv", GOOD)
    message, _ = place.refused("in.csv", "more.csv")
    assert message == (
        "more.csv: row 0: a second price of one outcome at one time; the first is row 0 of in.csv"
    )


def test_one_outcome_under_two_names_is_still_one_outcome(place):
    place.write("map.toml", MAP + FACTS)
    place.write("markets.csv", MARKETS + "a,,,Up,Down,,,,,\n")
    place.write("in.csv", "ts,market,side,price\n1,a,Up,0.2\n1,a,Yes,0.2\n")
    assert place.refused()[0].startswith("in.csv: row 1: a second price of one outcome at one time")


@pytest.mark.parametrize(
    ("markets", "told"),
    [
        ("b,,,,,,,,,\n", "in.csv: column market, row 0: 'a' is not in facts.file"),
        ("a,,,,,,,,,\na,,,,,,,,,\n", "markets.csv: column id, row 1: 'a' appears twice"),
        (",,,,,,,,,\n", "markets.csv: column id, row 0: empty"),
        ("a,,,Up,Up,,,,,\n", "markets.csv: column second, row 0: both outcomes are called 'Up'"),
        ("a,,,,,soon,,,,\n", "markets.csv: column opened, row 0: 'soon' is not a number"),
        ("a,,,,,,,,,101\n", "markets.csv: column paid, row 0: '101' is not a price"),
        (f"a,,{'q' * 2_001},,,,,,,\n", "markets.csv: column title, row 0: longer than 2000 bytes: 'qqq"),
        (None, "markets.csv: No such file or directory"),
    ],
)
def test_a_market_that_cannot_be_is_named(place, markets, told):
    place.write("map.toml", MAP + FACTS)
    if markets is not None:
        place.write("markets.csv", MARKETS + markets)
    assert place.refused()[0].startswith(told)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (
            ("1,a,Yes,0.2,e,Yes", "2,a,Yes,0.2,f,Yes"),
            "column event, row 1: 'f', and 'e' before for the same market",
        ),
        (
            ("1,a,Yes,0.2,e,", "2,a,Yes,0.2,e,Up"),
            "column first, row 1: 'Up', and None before for the same market",
        ),
    ],
)
def test_rows_that_describe_a_market_differently_are_refused(place, rows, told):
    place.write("map.toml", MAP + '[facts]\nevent_id = "event"\noutcome_0 = "first"\n')
    place.write("in.csv", "\n".join(["ts,market,side,price,event,first", *rows]))
    assert place.refused() == (f"in.csv: {told}", "every row of a market says the same of it")


def test_a_bid_above_its_ask_is_refused(place):
    place.write("map.toml", MAP.replace('column = "price"', 'bid = "b"\nask = "a"'))
    place.write("in.csv", "ts,market,side,b,a\n1,m,Yes,0.32,0.31\n")
    assert place.refused()[0] == "in.csv: column b, row 0: 0.32 above the ask 0.31"


SIDES = "a side has both, or is null in both where nobody is there"
QUOTED = "a book's prices are dollars per share, above 0 and below 1; null is nobody there"
ROWS = "the levels of a book are rows one after the other, from 0"


@pytest.mark.parametrize(
    ("line", "told", "hint"),
    [
        ("0,0.31,1,0.31,1", "column b, row 1: crossed: bid 310000 micro-USD, ask 310000", "a book's best bid is below its best ask"),
        ("0,0.32,1,0.31,1", "column b, row 1: crossed: bid 320000 micro-USD, ask 310000", "a book's best bid is below its best ask"),
        ("0,0.3,,0.31,1", "column bs, row 1: a price without a size", SIDES),
        ("0,0.3,1,,1", "column a, row 1: a size without a price", SIDES),
        ("0,0.3,1,0,1", "column a, row 1: a size without a price", SIDES),
        ("0,0.3,1,1,1", "column a, row 1: 1 dollar is not a price of a book", QUOTED),
        ("0,1.1,1,,", "column b, row 1: '1.1' is not a price", "prices in dollars are from 0 to 1"),
        ("0,-0.1,1,,", "column b, row 1: '-0.1' is not a price", "prices in dollars are from 0 to 1"),
        ("0,0.3000001,1,,", "column b, row 1: '0.3000001' has digits below a micro-dollar", "no venue quotes such a price"),
        ("0,0.3,-1,,", "column bs, row 1: '-1' is not a size", "sizes are shares, from 0 to a thousand million"),
        ("0,0.3,1000000000.1,,", "column bs, row 1: '1000000000.1' is not a size", "sizes are shares, from 0 to a thousand million"),
        ("0,0.3,many,,", "column bs, row 1: 'many' is not a number", "digits, at most one point, no thousands mark"),
        ("20,0.3,1,,", "column l, row 1: '20' is not a level", "levels count from 0, the best, to 19"),
        ("-1,0.3,1,,", "column l, row 1: '-1' is not a level", "levels count from 0, the best, to 19"),
        (",0.3,1,,", "column l, row 1: '' is not a level", "levels count from 0, the best, to 19"),
        ("0.5,0.3,1,,", "column l, row 1: '0.5' is not a level", "levels count from 0, the best, to 19"),
        ("1,0.3,1,,", "column l, row 1: level 1 does not follow level 0 of its book", ROWS),
    ],
)  # fmt: skip
def test_a_book_that_cannot_be_is_named_by_its_row(place, line, told, hint):
    place.write("map.toml", LEVELS)
    place.write("in.csv", f"ts,market,side,l,b,bs,a,as\n5,m,Yes,0,0.3,1,0.31,1\n1,m,Yes,{line}\n")
    assert place.refused() == (f"in.csv: {told}", hint)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["0,0.3,1,0.31,1"], "more.csv: row 0: a second book of one outcome at one time; the first is row 0 of in.csv"),
        (["1,0.3,1,,"], "more.csv: column b, row 0: 300000 micro-USD is not below 300000, the level before it"),
        (["1,,,0.31,1"], "more.csv: column a, row 0: 310000 micro-USD is not above 310000, the level before it"),
        (["2,0.2,1,,"], "more.csv: column l, row 0: level 2 does not follow level 1 of its book"),
        (["1,0.2,1,,", "1,0.1,1,,"], "more.csv: column l, row 1: level 1 does not follow level 0 of its book"),
        (["1,0.2,1,,", "2,,,0.4,1"], "more.csv: column a, row 1: 400000 micro-USD is not above nobody, the level before it"),
    ],
)  # fmt: skip
def test_rows_that_make_no_book_together_are_named(place, lines, told):
    place.write("map.toml", LEVELS)
    header = "ts,market,side,l,b,bs,a,as"
    place.write("in.csv", f"{header}\n5,m,Yes,0,0.3,1,0.31,1\n")
    place.write("more.csv", "\n".join([header, *(f"5,m,Yes,{line}" for line in lines)]))
    assert place.refused("in.csv", "more.csv")[0] == told


@pytest.mark.parametrize(
    "form",
    [
        'bid_size = "bs"', 'bid = "b"\nbid_size = "bs"', 'bid = "b"\nask = "a"\nbid_size = "bs"',
        'bid = "b"\nask = "a"\nlevel = "l"', 'column = "p"\nask_size = "as"', 'level = "l"',
    ],
)  # fmt: skip
def test_half_a_book_is_no_form_of_a_price(place, form):
    place.write("map.toml", MAP.replace('column = "price"', form))
    assert place.refused() == (
        "map.toml: key price: name one of: column, value, yes and no, bid and ask, bid and ask with bid_size and ask_size",
        HINT,
    )


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch, lambda out: out.symlink_to("nowhere")])
def test_what_exists_is_not_written_over(place, make):
    make(place.root / "out")
    assert place.refused() == (
        "out: exists", "name a folder that does not exist yet, inside one that you can write to",
    )  # fmt: skip


def test_a_folder_that_is_not_there_is_not_made(place):
    with pytest.raises(OperatorError, match="cannot be made: No such file or directory"):
        import_tape([place.root / "in.csv"], place.root / "map.toml", place.root / "no" / "out", print)
    assert not (place.root / "no").exists()


def test_what_tape_open_refuses_is_not_kept(place, monkeypatch):
    def refuse(folder, settings):
        assert (folder / "prices.parquet").stat().st_size
        raise OperatorError("no", hint="never")

    monkeypatch.setattr(Tape, "open", refuse)
    assert place.refused() == ("no", "never")


def test_an_interruption_leaves_nothing(place):
    def interrupt(path, rows):
        raise KeyboardInterrupt

    before = sorted(place.root.iterdir())
    with pytest.raises(KeyboardInterrupt):
        import_tape([place.root / "in.csv"], place.root / "map.toml", place.root / "out", interrupt)
    assert sorted(place.root.iterdir()) == before


def test_a_second_import_to_the_same_place_is_refused_while_the_first_one_runs(place):
    told = []

    def meanwhile(path, rows):
        with pytest.raises(OperatorError) as caught:
            place.make()
        told.append(str(caught.value))

    import_tape([place.root / "in.csv"], place.root / "map.toml", place.root / "out", meanwhile)
    assert told == [f"{place.root}/out: another import is writing it"]
    assert len(place.rows()) == 3


def test_what_a_killed_import_left_is_cleared_and_nothing_else(place):
    (place.root / ".out.import").mkdir()
    left = place.write(".out.import/prices.parquet", "half")
    mine = place.write(".out.import/mine.txt", "mine")
    assert place.refused() == (".out.import: holds mine.txt, which no import wrote", "move that folder away")
    assert (left.read_text(), mine.read_text()) == ("half", "mine")
    mine.unlink()
    place.make()
    assert len(place.rows()) == 3
    assert not (place.root / ".out.import").exists()


def test_an_import_that_is_killed_at_any_step_leaves_nothing_or_the_whole_tape(place):
    folder = place.root / "killed"
    folder.mkdir()
    script = Path(__file__).with_name("killed_imports.py")
    done = subprocess.run(
        [sys.executable, script, place.root / "in.csv", place.root / "map.toml", folder, "8"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    steps = [json.loads(line) for line in done.stdout.splitlines()]
    # the draft's folder, what may have been left in it of three files, its two files, the renaming; then nothing is left to change
    assert [step["finished"] for step in steps] == [False] * 7 + [True]
    assert [step["found"] for step in steps] == [[]] * 7 + [["tape"]]
    assert [step["all"] for step in steps] == [["tape"]] * 8


def test_the_mapping_file_of_the_manual_is_read_and_has_every_key(place):
    text = (Path(__file__).parents[3] / "docs" / "TAPES.md").read_text(encoding="utf-8")
    block = text.split("```toml\n")[1].split("```")[0]
    read_map(place.write("map.toml", block))
    tables = {
        "time": TimeFrom,
        "market": TextFrom,
        "outcome": OutcomeFrom,
        "facts": FactsFrom,
        "price": PriceFrom,
    }
    assert set(ImportMap.__struct_fields__) == {"delimiter", *tables}
    forms = text.split("A price comes in one of four forms")[1].split("\n\n")[1]
    for part, shape in tables.items():
        told = block.split(f"[{part}]")[1].split("\n[")[0] + (forms if part == "price" else "")
        assert [key for key in shape.__struct_fields__ if f"{key} = " not in told] == []


# -- figures -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-02-10 14:00:11.25+0100", 1_770_728_411_250),
        ("2026-02-10T14:00-00:30", 1_770_733_800_000),
        ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
    ],
)
def test_an_iso_time_is_read_exactly(text, milliseconds):
    assert time_reader("iso8601", round_up=False)(text) == milliseconds


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("2026-02-10T14:00:11", "has no offset"),
        ("2026-02-10", "is not an ISO 8601 time"),
        ("2026-02-30T14:00:11Z", "is not an ISO 8601 time"),
        ("2026-02-10T14:00:60Z", "is not an ISO 8601 time"),
        ("2026-02-10T14:00:11.0001Z", "is between two milliseconds"),
        ("1969-12-31T23:59:59Z", "is not a time"),
        ("0001-01-01T00:00:00+23:00", "is not a"),
        ("1761926400000", "is not an ISO 8601 time"),
    ],
)
def test_an_iso_time_that_cannot_be_is_refused(text, told):
    with pytest.raises(OperatorError, match=f"^'{text}' {told}".replace("+", r"\+")):
        time_reader("iso8601", round_up=False)(text)


@pytest.mark.parametrize(
    ("unit", "text"), [("us", "1001"), ("s", "1.0001"), ("iso8601", "1970-01-01T00:00:01.0001Z")]
)
def test_a_time_between_milliseconds_may_become_the_later_one(unit, text):
    assert time_reader(unit, round_up=True)(text) == {"us": 2}.get(unit, 1_001)


@given(st.decimals(0, 1, places=20))
def test_a_price_is_read_without_loss(price):
    assert price_reader("dollars")(format(price, "f")) == price
    assert price_reader("cents")(format(price * 100, "f")) == price
