"""Recorded books: shown as they were, when they hold beside points, and each way in which they can be wrong."""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from itertools import groupby
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pp_host.backtest import columnfile
from pp_host.backtest.tape import Tape
from pp_host.errors import OperatorError
from pp_sdk.table import OPEN, RESOLVED, MarketTable

NAN = float("nan")
T0 = 1_761_926_400_000
BOOK_COLUMNS = ("ts", "market_id", "outcome", "level", "bid", "bid_size", "ask", "ask_size")


@pytest.fixture
def good(recording):
    """Rows 0..2 are a book of three levels, 3 one with a side, 4 an empty one, 5 and 6 one of two levels."""
    made = recording().market("a").market("b", outcome_0="Up", outcome_1="Down").point(0, "a", "Yes", 0.25)
    made.book(0, "a", "Yes", [(0.24, 10.5), (0.23, 7.0), (0.2, 1e6)], [(0.26, 3.0)])
    made.book(0, "b", "Up", [], [(0.999, 0.000001)]).book(1, "a", "No", [], [])
    return made.book(2, "a", "Yes", [(0.25, 1.0)], [(0.251, 2.0), (0.9, 3.0)])


# -- what is shown -------------------------------------------------------------------------------------------


def test_a_book_is_shown_level_by_level_and_nothing_is_put_around_it(good, tape, ms):
    opened = tape(good)
    a, b = opened.table_at(ms(0))
    assert a.book("yes", "bid") == ((240_000, 10_500_000), (230_000, 7_000_000), (200_000, 1_000_000_000_000))
    assert (a.book("yes", "ask"), a.book("no", "bid"), a.book("no", "ask")) == (
        ((260_000, 3_000_000),),
        (),
        (),
    )
    assert (a.quote("yes"), a.quoted_at) == ((240_000, 10_500_000, 260_000, 3_000_000), ms(0))
    assert (b.book("yes", "bid"), b.book("yes", "ask")) == ((), ((999_000, 1),))
    a, b = opened.table_at(ms(2))
    assert a.book("yes", "ask") == ((251_000, 2_000_000), (900_000, 3_000_000))
    assert b.quoted_at == ms(0)


def test_every_table_of_a_tape_with_books_passes_the_checks_for_strangers(good, tape):
    opened = tape(good)
    for now in opened.moments():
        block = opened.table_at(now).block
        assert bytes(MarketTable.decode(block).block) == bytes(block)


def test_the_steps_are_those_of_prices_and_books(good, tape, ms):
    opened = tape(good)
    assert (opened.markets, opened.steps, list(opened.moments())) == (2, 3, [ms(0), ms(1), ms(2)])


def test_the_newest_statement_holds_and_at_one_time_the_book(recording, tape, ms):
    made = recording().market("a")
    made.point(0, "a", "Yes", 0.5).point(1, "a", "Yes", 0.6).point(3, "a", "Yes", 0.7)
    made.book(1, "a", "Yes", [(0.3, 1.0)], [(0.4, 1.0)]).book(2, "a", "Yes", [(0.31, 1.0)], [(0.41, 1.0)])
    made.point(4, "a", "Yes", 0.8).book(4, "a", "Yes", [(0.32, 1.0)], [])
    opened = tape(made)
    seen = []
    for now in opened.moments():
        row = opened.table_at(now)[0]
        seen.append((row.yes_bid, row.yes_ask, row.quoted_at, opened.booked_at("a", "yes")))
    assert seen == [
        (499_000, 501_000, ms(0), None),
        (300_000, 400_000, ms(1), ms(1)),
        (310_000, 410_000, ms(2), ms(2)),
        (699_000, 701_000, ms(3), None),
        (320_000, None, ms(4), ms(4)),
    ]
    assert opened.booked_at("a", "no") is None


@pytest.mark.parametrize(("point", "book", "bid"), [(1, 2, 300_000), (2, 1, 499_000), (2, 2, 300_000)])
def test_what_holds_does_not_depend_on_how_often_the_tape_is_asked(recording, tape, ms, point, book, bid):
    made = recording().market("a").point(point, "a", "Yes", 0.5).book(book, "a", "Yes", [(0.3, 1.0)], [])
    assert tape(made).table_at(ms(9))[0].yes_bid == bid


def test_no_quote_of_a_row_is_older_than_it_says(recording, tape, ms):
    made = recording().market("a").book(0, "a", "No", [(0.5, 1.0)], [])
    for at in (1, 2):
        made.book(at, "a", "Yes", [(0.3, 1.0)], [])
    made.book(3, "a", "No", [], [])
    opened = tape(made)
    assert [opened.table_at(ms(at))[0].quoted_at for at in range(4)] == [ms(0), ms(0), ms(0), ms(2)]


def test_an_empty_book_takes_away_the_one_before_it(recording, tape, ms):
    made = recording().market("a").point(0, "a", "Yes", 0.5).book(1, "a", "Yes", [], [])
    opened = tape(made)
    opened.table_at(ms(0))
    row = opened.table_at(ms(1))[0]
    assert (row.status, row.yes_bid, row.yes_ask, row.quoted_at) == (OPEN, None, None, ms(1))


def test_a_resolved_market_shows_no_book_and_later_ones_are_not_played(recording, tape, ms):
    made = recording().market("a", resolved_yes_price=1.0, resolved_ts=ms(1) // 1000).market("b")
    for at in range(4):
        made.book(at, "a", "Yes", [(0.3, 1.0), (0.2, 1.0)], []).book(at, "b", "Yes", [(0.3, 1.0)], [])
    opened = tape(made)
    assert opened.table_at(ms(1)).get("a").yes_bid == 300_000
    row = opened.table_at(ms(2)).get("a")
    assert (row.status, row.book("yes", "bid"), row.yes_bid, row.quoted_at) == (RESOLVED, (), None, ms(1))
    assert opened.table_at(ms(3)).get("a") is None
    assert opened.table_at(ms(3)).get("b").yes_bid == 300_000


def test_a_tape_may_have_books_and_no_price(recording, tape, ms):
    opened = tape(recording().market("a").book(0, "a", "Yes", [(0.3, 1.0)], [(0.31, 1.0)]))
    assert (opened.markets, opened.steps, opened.table_at(ms(0))[0].yes_ask) == (1, 1, 310_000)


def test_a_book_off_the_tick_is_shown_as_it_was(recording, tape, ms):
    made = recording().market("a").book(0, "a", "Yes", [(0.3005, 1.0)], [(0.30051, 1.0)])
    row = tape(made).table_at(ms(0))[0]
    assert (row.tick, row.yes_bid, row.yes_ask) == (1_000, 300_500, 300_510)


def test_the_digest_is_that_of_the_three_files_one_after_the_other(good, tape, tmp_path, settings):
    opened = tape(good)
    names = ("markets", "prices", "books")
    read = [(tmp_path / "tape" / f"{name}.parquet").read_bytes() for name in names]
    assert opened.digest == hashlib.sha256(b"".join(read)).hexdigest()
    (tmp_path / "tape" / "books.parquet").unlink()
    without = Tape.open(tmp_path / "tape", settings)
    assert without.digest == hashlib.sha256(b"".join(read[:2])).hexdigest()


@pytest.mark.parametrize("kind", [pa.int8(), pa.int32(), pa.uint64()])
@pytest.mark.parametrize("number", [pa.float32(), pa.float64()])
def test_numbers_may_be_narrower_and_nan_is_nobody(recording, tape, ms, kind, number):
    made = recording().market("a").book(0, "a", "Yes", [(0.25, 1.5), (0.125, 2.0)], [(NAN, NAN)])
    made.book_types |= {"level": kind} | dict.fromkeys(("bid", "bid_size", "ask", "ask_size"), number)
    row = tape(made).table_at(ms(0))[0]
    assert row.book("yes", "bid") == ((250_000, 1_500_000), (125_000, 2_000_000))
    assert row.yes_ask is None


def test_twenty_levels_are_shown(recording, tape, ms):
    bids = [((50 - level) / 100, 1.0) for level in range(20)]
    row = tape(recording().market("a").book(0, "a", "Yes", bids, [])).table_at(ms(0))[0]
    assert len(row.book("yes", "bid")) == 20


# -- what is refused -----------------------------------------------------------------------------------------

BOOK_HINT = "a book's prices are dollars per share, above 0 and below 1; null is nobody there"
SIZE_HINT = "sizes are shares, above 0 and at most a thousand million; null is nobody there"
BOTH = "a side has both, or is null in both where nobody is there"
NEXT = "the levels of a book are rows one after the other, from 0"


@pytest.mark.parametrize("column", BOOK_COLUMNS)
def test_a_missing_column_is_named(good, tmp_path, refused, column):
    del good.book_types[column]
    message, hint = refused(good.write(tmp_path / "t"))
    assert message == f"books.parquet: column {column}: missing"
    assert hint.startswith("books.parquet needs the columns ts (int64")


def test_every_other_column_may_be_there(good, tape):
    good.book_types["hash"] = pa.list_(pa.int8())
    assert tape(good).steps == 3


@pytest.mark.parametrize(
    ("row", "changes", "column", "told", "hint"),
    [
        (0, {"bid": 0.26}, "bid", "crossed: bid 260000 micro-USD, ask 260000", "a book's best bid is below its best ask"),
        (0, {"bid": 0.27}, "bid", "crossed: bid 270000 micro-USD, ask 260000", "a book's best bid is below its best ask"),
        (0, {"bid": 0.0}, "bid", "0.0 is not a price of a book", BOOK_HINT),
        (0, {"bid": -0.1}, "bid", "-0.1 is not a price of a book", BOOK_HINT),
        (0, {"ask": 1.0}, "ask", "1.0 is not a price of a book", BOOK_HINT),
        (0, {"ask": 0.9999999}, "ask", "0.9999999 is not a price of a book", BOOK_HINT),
        (0, {"ask": 1e-9}, "ask", "1e-09 is not a price of a book", BOOK_HINT),
        (0, {"ask": float("inf")}, "ask", "inf is not a price of a book", BOOK_HINT),
        (0, {"bid_size": -1.0}, "bid_size", "-1.0 is not a size", SIZE_HINT),
        (0, {"bid_size": 0.0}, "bid_size", "0.0 is not a size", SIZE_HINT),
        (0, {"bid_size": 1e-7}, "bid_size", "1e-07 is not a size", SIZE_HINT),
        (0, {"ask_size": 1e9 + 1}, "ask_size", "1000000001.0 is not a size", SIZE_HINT),
        (0, {"ask_size": float("inf")}, "ask_size", "inf is not a size", SIZE_HINT),
        (0, {"bid": None}, "bid", "a size without a price", BOTH),
        (0, {"bid_size": None}, "bid_size", "a price without a size", BOTH),
        (2, {"bid_size": NAN}, "bid_size", "a price without a size", BOTH),
        (3, {"ask": None}, "ask", "a size without a price", BOTH),
        (4, {"ask_size": 1.0}, "ask", "a size without a price", BOTH),
        (4, {"ask": 0.5}, "ask_size", "a price without a size", BOTH),
        (0, {"market_id": "z"}, "market_id", "'z' is not in markets.parquet", "add its row there"),
        (0, {"outcome": "Up"}, "outcome", "market 'a' has no outcome 'Up'", "its outcomes are 'Yes' and 'No'"),
        (0, {"outcome": None}, "outcome", "empty", "every row names its market and outcome"),
        (0, {"ts": None}, "ts", "no time", "times are milliseconds since 1970 UTC"),
        (0, {"ts": -1}, "ts", "-1 is not a time", "times are milliseconds since 1970 UTC"),
        (4, {"ts": 1}, "ts", "earlier than the row before", "sort the file by ts"),
        (0, {"level": None}, "level", "None is not a level", "levels count from 0, the best, to 19"),
        (0, {"level": -1}, "level", "-1 is not a level", "levels count from 0, the best, to 19"),
        (0, {"level": 20}, "level", "20 is not a level", "levels count from 0, the best, to 19"),
        (0, {"level": 1}, "level", "level 1 does not follow level 0 of its book", NEXT),
        (1, {"level": 2}, "level", "level 2 does not follow level 1 of its book", NEXT),
        (2, {"level": 1}, "level", "level 1 does not follow level 0 of its book", NEXT),
        (3, {"level": 3}, "level", "level 3 does not follow level 2 of its book", NEXT),
        (1, {"outcome": "No"}, "level", "level 1 does not follow level 0 of its book", NEXT),
        (6, {"ts": 1_761_926_400_003}, "level", "level 1 does not follow level 0 of its book", NEXT),
        (1, {"bid": 0.24}, "bid", "240000 micro-USD is not below 240000, the level before it", "bids fall from level to level"),
        (1, {"bid": 0.25}, "bid", "250000 micro-USD is not below 240000, the level before it", "bids fall from level to level"),
        (6, {"ask": 0.251}, "ask", "251000 micro-USD is not above 251000, the level before it", "asks rise from level to level"),
        (2, {"ask": 0.5, "ask_size": 1.0}, "ask", "500000 micro-USD is not above nobody, the level before it", "asks rise from level to level"),
        (6, {"bid": 0.2, "bid_size": 1.0}, None, None, None),
        (1, {"bid": None, "bid_size": None}, "level", "nobody is at this level", "leave the row out"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("batch_rows", [1, 65_536])
def test_a_book_that_cannot_be_is_named_by_its_row(
    good, tmp_path, refused, settings, monkeypatch, batch_rows, row, changes, column, told, hint
):
    monkeypatch.setattr(columnfile, "BATCH_ROWS", batch_rows)
    good.books[row].update(changes)
    folder = good.write(tmp_path / "t", row_group_size=3)
    if told is None:
        assert Tape.open(folder, settings).steps == 3
    else:
        assert refused(folder) == (f"books.parquet: column {column}, row {row}: {told}", hint)


def test_a_level_below_one_without_anybody_is_named(good, tmp_path, refused):
    good.books[0].update(bid=None, bid_size=None)
    assert refused(good.write(tmp_path / "t")) == (
        "books.parquet: column bid, row 1: 230000 micro-USD is not below nobody, the level before it",
        "bids fall from level to level",
    )


@pytest.mark.parametrize(
    ("column", "kind", "value", "told"),
    [
        ("level", pa.float64(), 0.0, "holds double, expected int64"),
        ("level", pa.string(), "0", "holds string, expected int64"),
        ("bid", pa.int64(), 1, "holds int64, expected float64"),
        ("ask_size", pa.string(), "1", "holds string, expected float64"),
    ],
)
def test_a_column_of_the_wrong_type_is_named(good, tmp_path, refused, column, kind, value, told):
    good.book_types[column] = kind
    for row in good.books:
        row[column] = value
    assert refused(good.write(tmp_path / "t"))[0] == f"books.parquet: column {column}: {told}"


def test_two_books_of_one_outcome_at_one_time_are_refused(good, tmp_path, refused):
    good.book(2, "a", "Yes", [(0.25, 1.0)], [])
    assert refused(good.write(tmp_path / "t")) == (
        "books.parquet: column outcome, row 7: a second book for market 'a' at this time",
        "keep one book per ts, market and outcome",
    )


@pytest.mark.parametrize("content", [b"", b"ts,market_id\n1,a\n", b"PAR1" + bytes(100) + b"PAR1"])
def test_a_file_that_is_not_parquet_is_named(good, tmp_path, refused, content):
    folder = good.write(tmp_path / "t")
    (folder / "books.parquet").write_bytes(content)
    assert refused(folder)[0].startswith("books.parquet: not readable as parquet: ")


def test_a_link_to_nowhere_is_not_a_tape_without_books(good, tmp_path, refused):
    folder = good.write(tmp_path / "t")
    (folder / "books.parquet").unlink()
    (folder / "books.parquet").symlink_to("nowhere")
    assert refused(folder)[0] == "books.parquet: No such file or directory"


def test_a_tape_on_which_nothing_is_stated_is_refused(good, tmp_path, refused):
    folder = good.write(tmp_path / "t")
    for name in ("prices", "books"):
        whole = pq.read_table(folder / f"{name}.parquet")
        pq.write_table(whole.slice(0, 0), folder / f"{name}.parquet")
    assert refused(folder)[0] == "prices.parquet: column ts: no rows"


def test_a_flipped_byte_is_refused_or_harmless(good, tmp_path, settings):
    folder = good.write(tmp_path / "t")
    clean = (folder / "books.parquet").read_bytes()
    told = 0
    for position in range(0, len(clean), 17):
        spoiled = clean[:position] + bytes([clean[position] ^ 0x55]) + clean[position + 1 :]
        (folder / "books.parquet").write_bytes(spoiled)
        try:
            opened = Tape.open(folder, settings)
            for moment in opened.moments():
                MarketTable.decode(opened.table_at(moment).block)
        except OperatorError:
            told += 1
    assert told > 10


# -- whatever is in the file ---------------------------------------------------------------------------------

sizes = st.sampled_from([1.0, 2.0])


def offers(*prices):
    whole = st.tuples(st.sampled_from(prices), sizes)
    return st.one_of(st.just((None, None)), whole, whole, whole, st.tuples(st.none(), sizes))


rows = st.builds(
    lambda ts, outcome, level, bid, ask: {
        "ts": ts, "market_id": "a", "outcome": outcome, "level": level,
        "bid": bid[0], "bid_size": bid[1], "ask": ask[0], "ask_size": ask[1],
    },
    st.integers(T0, T0 + 1), st.sampled_from(["Yes", "No"]), st.integers(0, 2), offers(0.1, 0.2, 0.3), offers(0.3, 0.4, 0.5),
)  # fmt: skip


def sound(made):
    """Whether the rows are books, by the manual's words and a way of its own."""
    books = {}
    for row in made:
        books.setdefault((row["ts"], row["outcome"]), []).append(row)
    starts = [at for at, row in enumerate(made) if row["level"] == 0]
    return (
        [row["ts"] for row in made] == sorted(row["ts"] for row in made)
        and len(starts) == len(books)
        and [key for key, _ in groupby((row["ts"], row["outcome"]) for row in made)] == list(books)
        and all(is_book(book) for book in books.values())
    )


def is_book(book):
    if [row["level"] for row in book] != list(range(len(book))):
        return False
    if any((row[side] is None) != (row[f"{side}_size"] is None) for row in book for side in ("bid", "ask")):
        return False
    if any(row["bid"] is None and row["ask"] is None for row in book[1:]):
        return False
    bids, asks = ([row[side] for row in book] for side in ("bid", "ask"))
    for side in (bids, asks):
        while side and side[-1] is None:
            side.pop()
    if None in bids + asks or bids != sorted(set(bids), reverse=True) or asks != sorted(set(asks)):
        return False
    return not (bids and asks) or bids[0] < asks[0]


def test_rows_are_books_that_a_stranger_s_checks_pass_or_are_refused(recording, settings):
    """Tables of a tape are trusted by who decodes them: nothing unsound may come through."""
    counted = Counter()

    @hypothesis_settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(rows, min_size=1, max_size=4), st.booleans())
    def attempt(made, mended):
        if mended:  # so that enough of them are sound
            made.sort(key=lambda row: (row["ts"], row["outcome"]))
            for _, book in groupby(made, key=lambda row: (row["ts"], row["outcome"])):
                for level, row in enumerate(book):
                    row["level"] = level
        with tempfile.TemporaryDirectory() as folder:
            tape_of = recording(books=made).market("a")
            try:
                tape = Tape.open(tape_of.write(Path(folder)), settings)
            except OperatorError:
                assert not sound(made)
                counted["refused"] += 1
                return
        assert sound(made)
        counted["sound"] += 1
        for now in tape.moments():
            MarketTable.decode(tape.table_at(now).block)

    attempt()
    assert min(counted["refused"], counted["sound"]) > 5
