"""The market table: what goes in comes out, one content has one spelling, and nothing else is let in."""

from __future__ import annotations

import gc
import hashlib
import struct
import weakref
from array import array
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pp_sdk.table import (
    CLOSED,
    INT_COLUMNS,
    OPEN,
    RESOLVED,
    TEXT_COLUMNS,
    Books,
    Columns,
    MarketRow,
    MarketTable,
    Row,
    TableError,
    Texts,
    build,
    build_columns,
    narrow,
)
from pp_sdk.table.layout import HEADER, NULLABLE, SIDES, section_ends
from pp_sdk.table.row import Cell

AMOUNT = st.integers(0, 2**62)
MAYBE = st.none() | AMOUNT
WORD = st.text(st.characters(codec="utf-8"), max_size=40)


@st.composite
def books(draw, most=20):
    """Bids and asks of one outcome, never crossed."""
    prices = sorted(draw(st.sets(st.integers(1, 999_999), max_size=2 * most)))
    cut = draw(st.integers(max(0, len(prices) - most), min(most, len(prices))))
    sized = [(price, draw(AMOUNT)) for price in prices]
    return tuple(reversed(sized[:cut])), tuple(sized[cut:])


@st.composite
def rows(draw, most=5):
    names = draw(
        st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=30), unique=True, max_size=most)
    )
    return [draw(row(name)) for name in names]


@st.composite
def row(draw, name):
    yes_bids, yes_asks = draw(books(3))
    no_bids, no_asks = draw(books(3))
    status = draw(st.sampled_from([OPEN, CLOSED, RESOLVED]))
    return MarketRow(
        id=name,
        event=draw(WORD),
        question=draw(WORD),
        category=draw(st.sampled_from(["", "crypto", "sport"])),
        status=status,
        tick=draw(st.integers(1, 500_000)),
        min_size=draw(AMOUNT),
        yes_bids=yes_bids,
        yes_asks=yes_asks,
        no_bids=no_bids,
        no_asks=no_asks,
        quoted_at=draw(MAYBE),
        opened_at=draw(MAYBE),
        ends_at=draw(MAYBE),
        fee_rate=draw(st.none() | st.integers(0, 1_000_000)),
        fee_exponent=draw(st.none() | st.integers(0, 4)),
        volume=draw(MAYBE),
        liquidity=draw(MAYBE),
        yes_payout=draw(st.none() | st.integers(0, 1_000_000)) if status == RESOLVED else None,
    )


QUOTED = MarketRow(  # one level on every side, which the checks take in one stride
    id="q",
    yes_bids=((480_000, 5),),
    yes_asks=((500_000, 7),),
    no_bids=((500_000, 7),),
    no_asks=((520_000, 5),),
)


def rebuilt(table):
    return build(market.to_market_row() for market in table)


SMALL = [
    MarketRow(
        id="a",
        event="e",
        question="Will it rain? ☂",
        yes_bids=((480_000, 5), (470_000, 0)),
        yes_asks=((500_000, 7),),
        no_asks=((520_000, 3),),
        quoted_at=1,
        volume=9,
    ),
    MarketRow(id="b", event="e", status=RESOLVED, yes_payout=1_000_000, fee_rate=0, ends_at=4),
]


@settings(deadline=None, max_examples=40)
@given(rows())
def test_rows_come_back_as_they_went_in(markets):
    table = MarketTable.decode(bytes(build(markets).block))
    assert [market.to_market_row() for market in table] == markets
    assert rebuilt(table).block == table.block


@settings(deadline=None, max_examples=40)
@given(rows(), st.permutations(range(5)))
def test_equal_tables_and_only_those_have_equal_digests(markets, order):
    shuffled = [markets[index] for index in order if index < len(markets)]
    same = build(markets).digest == build(shuffled).digest
    assert same == (markets == shuffled)
    assert build(markets).digest == hashlib.sha256(build(markets).block).hexdigest()


def accepted_as_it_is(block):
    """A block is refused, or it is exactly what its own rows would be written as."""
    try:
        table = MarketTable.decode(block)
    except TableError:
        return False
    assert rebuilt(table).block == block
    return True


@pytest.mark.parametrize("rows", [SMALL, [QUOTED]], ids=["mixed", "quoted"])
def test_every_flipped_bit_is_refused_or_means_what_it_says(rows):
    block = bytearray(build(rows).block)
    accepted = 0
    for bit in range(8 * len(block)):
        block[bit // 8] ^= 1 << bit % 8
        accepted += accepted_as_it_is(bytes(block))
        block[bit // 8] ^= 1 << bit % 8
    assert accepted_as_it_is(bytes(block))
    assert 0 < accepted < 8 * len(block) // 4


@settings(deadline=None, max_examples=40)
@given(rows(3), st.data())
def test_every_changed_word_is_refused_or_means_what_it_says(markets, data):
    block = bytearray(build(markets).block)
    for _ in range(data.draw(st.integers(1, 3))):
        at = 8 * data.draw(st.integers(0, len(block) // 8 - 1))
        word = data.draw(
            st.sampled_from([0, 1, -1, 2**63 - 1, 20, 21, 999_999]) | st.integers(-(2**63), 2**63 - 1)
        )
        block[at : at + 8] = struct.pack("<q", word)
    accepted_as_it_is(bytes(block))


@settings(deadline=None, max_examples=40)
@given(st.binary(max_size=200))
@example(b"")
@example(b"PPMT")
@example(HEADER.pack(b"PPMT", 1, 2**64 - 1, 2**60, 0, 0, 0))
@example(HEADER.pack(b"PPMT", 1, HEADER.size, 0, 0, 2**61 - 1, 0))
def test_noise_is_refused(noise):
    assert not accepted_as_it_is(noise)


@pytest.mark.parametrize("cut", [1, 8, 100])
def test_a_table_that_is_cut_or_extended_is_refused(cut):
    block = bytes(build(SMALL).block)
    for wrong in (block[:-cut], block + bytes(cut)):
        with pytest.raises(TableError, match="header tells"):
            MarketTable.decode(wrong)
        with pytest.raises(TableError, match="header tells"):
            MarketTable.trusted(wrong)
    assert accepted_as_it_is(block)


def test_an_empty_table_is_a_table():
    table = build([])
    assert len(table) == 0
    assert list(table) == []
    assert accepted_as_it_is(bytes(table.block))
    assert len(table.column("yes_bid")) == len(table.valid("yes_bid")) == 0


# --- reading


def test_an_empty_table_has_empty_columns():
    table = build(())
    for column in (*INT_COLUMNS, *TEXT_COLUMNS):
        assert table.cells(column.name) == []


def test_a_row_reads_like_an_object_and_null_is_none():
    first, second = build(SMALL)
    assert (first.id, first.event, first.yes_name, first.no_name) == ("a", "e", "Yes", "No")
    assert first.question == "Will it rain? ☂"
    assert (first.yes_bid, first.yes_bid_size, first.yes_ask, first.no_bid) == (480_000, 5, 500_000, None)
    assert (first.yes_mid, first.no_mid) == (490_000, None)
    assert first.quote("yes") == (480_000, 5, 500_000, 7)
    assert first.quote("no") == (None, None, 520_000, 3)
    assert first.book("yes", "bid") == ((480_000, 5), (470_000, 0))
    assert first.book("no", "bid") == ()
    assert (second.status, second.yes_payout, second.fee_rate, second.volume) == (
        RESOLVED,
        1_000_000,
        0,
        None,
    )


def test_a_row_has_every_column():
    columns = {column.name for column in (*INT_COLUMNS, *TEXT_COLUMNS)}
    assert {name for name, thing in vars(Row).items() if isinstance(thing, Cell)} == columns


def test_rows_are_found_by_place_and_by_id():
    table = build(SMALL)
    assert table[-1].id == table[1].id == "b"
    assert table.get("b").id == "b"
    assert table.get("c") is None
    assert table.text("event", 1) == "e"
    with pytest.raises(IndexError):
        table[2]


def test_columns_are_read_only_int64_views_of_the_block():
    table = build(SMALL)
    column = table.column("yes_bid")
    assert (column.format, column.readonly, column.tolist()) == ("q", True, [480_000, 0])
    assert bytes(column) in bytes(table.block)
    assert table.block.readonly
    with pytest.raises(TypeError):
        column[0] = 1
    with pytest.raises(KeyError):
        table.column("id")


def test_validity_has_one_bit_per_row_least_significant_first():
    table = build(SMALL)
    assert bytes(table.valid("yes_bid")) == b"\1" + bytes(7)
    assert bytes(table.valid("yes_payout")) == b"\2" + bytes(7)
    assert bytes(table.valid("tick")) == b"\3" + bytes(7)


def test_numpy_reads_columns_without_copying():
    numpy = pytest.importorskip("numpy")
    table = build(SMALL)
    column = numpy.asarray(table.column("yes_bid"))
    assert column.dtype == numpy.int64
    assert not column.flags.owndata
    assert not column.flags.writeable


# --- writing


def columns_of(table, **changes):
    """The table's own columns, with some cells replaced."""
    ints = {column.name: table.column(column.name) for column in INT_COLUMNS}
    texts = {column.name: [table.text(column.name, n) for n in range(len(table))] for column in TEXT_COLUMNS}
    sides = [[table.levels(side.name, index) for index in range(len(table))] for side in SIDES]
    return Columns(
        texts=Texts.of(texts),
        ints={**ints, **{name: array("q", cells) for name, cells in changes.items()}},
        valid={name: bytes(table.valid(name)) for name in NULLABLE},
        books=Books.of(sides),
    )


def test_columns_write_the_same_bytes_as_rows():
    table = build(SMALL)
    assert build_columns(columns_of(table)).block == table.block


def test_absent_columns_are_null_and_best_quotes_become_the_books():
    best = [replace_books(market) for market in SMALL]
    table = build(best)
    whole = columns_of(table)
    ints = {name: cells for name, cells in whole.ints.items() if any(cells)}
    sparse = Columns(
        texts=whole.texts, ints={"status": [0, 0], "min_size": [0, 0], **ints}, valid=whole.valid
    )
    fee = replace(sparse, ints={**sparse.ints, "fee_rate": [0, 0]})
    assert build_columns(fee).block == table.block
    assert build_columns(sparse)[1].fee_rate is None


def replace_books(market):
    changes = {side: getattr(market, side)[:1] for side in ("yes_bids", "yes_asks", "no_bids", "no_asks")}
    return MarketRow(**{name: getattr(market, name) for name in market.__struct_fields__} | changes)


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        ({"ints": {}}, "status: required"),
        ({"ints": {"status": [0], "tick": [1, 1], "min_size": [0, 0]}}, "status: 1 cells, expected 2"),
        (
            {"ints": {"status": [0, 0], "tick": [1, 2.5], "min_size": [0, 0]}},
            "tick: cells must be 64-bit integers",
        ),
        (
            {"ints": {"status": [0, 0], "tick": [1, 2**63], "min_size": [0, 0]}},
            "tick: cells must be 64-bit integers",
        ),
        ({"valid": {"yes_bid": b"\1"}}, "yes_bid: bitmap of 1 bytes, expected 8"),
    ],
)
def test_columns_that_do_not_fit_are_refused(columns, complaint):
    with pytest.raises(TableError, match=complaint):
        build_columns(replace(columns_of(build(SMALL)), **columns))


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"id": ""}, "id: empty"),
        ({"id": "x" * 256}, "id: longer than 255"),
        ({"event": "é" * 128}, "event: longer than 255"),
        ({"question": "x" * 2001}, "question: longer than 2000"),
        ({"category": "\ud800"}, "text cells must be strings"),
        ({"yes_name": 5}, "text cells must be strings"),
        ({"status": 3}, "status: outside 0..2"),
        ({"tick": 0}, "tick: must not be 0"),
        ({"tick": 500_001}, "tick: outside 1..500000"),
        ({"min_size": -1}, "min_size: outside"),
        ({"fee_rate": 1_000_001}, "fee_rate: outside 0..1000000"),
        ({"fee_exponent": 5}, "fee_exponent: outside 0..4"),
        ({"quoted_at": -1}, "quoted_at: outside"),
        ({"volume": 2**62 + 1}, "volume: outside"),
        ({"volume": "9"}, "volume: cells must be 64-bit integers"),
        ({"yes_payout": 1}, "yes_payout: set on a market that is not resolved"),
        ({"yes_bids": ((0, 5),)}, "levels: price or size outside its range|a price must not be 0"),
        ({"yes_bids": ((1_000_000, 5),)}, "yes_bid: outside 1..999999"),
        ({"yes_bids": ((5, 5), (5, 5))}, "yes_bid: levels are not ordered best first"),
        ({"yes_bids": ((5, 5), (6, 5))}, "yes_bid: levels are not ordered best first"),
        ({"no_asks": ((6, 5), (5, 5))}, "no_ask: levels are not ordered best first"),
        ({"yes_bids": ((6, 5), (0, 5))}, "levels: price or size outside its range"),
        ({"yes_bids": ((6, 5), (5, -1))}, "levels: price or size outside its range"),
        ({"yes_bids": ((6, 5), (5, 2**62 + 1))}, "levels: price or size outside its range"),
        ({"yes_asks": ((6, 5), (1_000_000, 5))}, "levels: price or size outside its range"),
        ({"yes_bids": tuple((30 - n, 1) for n in range(21))}, "levels: more than 20 on one side"),
        ({"yes_bids": ((7, 5),), "yes_asks": ((7, 5),)}, "yes_bid: not below yes_ask"),
        ({"no_bids": ((8, 5),), "no_asks": ((7, 5),)}, "no_bid: not below no_ask"),
    ],
)
def test_rows_outside_the_rules_are_refused(fields, complaint):
    with pytest.raises(TableError, match=complaint):
        build([MarketRow(**{"id": "m", **fields})])


@pytest.mark.parametrize(
    "fields",
    [
        {"id": "x" * 255},
        {"question": "x" * 2000},
        {"tick": 500_000},
        {"fee_rate": 1_000_000, "fee_exponent": 4},
        {"volume": 2**62, "quoted_at": 0},
        {"status": RESOLVED, "yes_payout": 0},
        {"yes_bids": ((999_999, 0),)},
        {"yes_bids": tuple((30 - n, 1) for n in range(20))},
        {"yes_bids": ((6, 5),), "yes_asks": ((7, 5),)},
    ],
)
def test_rows_at_the_edge_of_the_rules_are_taken(fields):
    market = MarketRow(**{"id": "m", **fields})
    assert build([market])[0].to_market_row() == market


def test_one_id_twice_is_refused():
    with pytest.raises(TableError, match="id: not unique"):
        build([MarketRow(id="a"), MarketRow(id="a")])


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"yes_bid": [480_001, 0]}, "a price or size column differs from its first level"),
        ({"yes_bid_size": [6, 0]}, "a price or size column differs from its first level"),
        ({"yes_bid": [0, 0]}, "a price must not be 0"),
        ({"yes_bid": [480_000, 7]}, "a null cell does not hold 0"),
        ({"volume": [9, 1]}, "a null cell does not hold 0"),
    ],
)
def test_columns_that_disagree_are_refused(changes, complaint):
    with pytest.raises(TableError, match=complaint):
        build_columns(columns_of(build(SMALL), **changes))


def int64(*values):
    return array("q", values).tobytes()


@pytest.mark.parametrize(
    ("section", "change", "complaint"),
    [
        (1, lambda bits: b"\7" + bits[1:], "validity bits beyond the last row"),
        (1, lambda bits: bits[:32] + b"\3" + bits[33:], "a size must be null exactly where its price is"),
        (2, lambda offsets: int64(1) + offsets[8:], "offsets must rise from 0"),
        (2, lambda offsets: int64(0, -1) + offsets[16:], "offsets must rise from 0"),
        (2, lambda offsets: int64(0, 4, 2) + offsets[24:], "offsets must rise from 0"),
        (2, lambda offsets: offsets[:-8] + int64(5), "offsets must rise from 0"),
        (
            2,
            lambda offsets: int64(0, 2, 3) + offsets[24:],
            "must have levels exactly where its price is not null",
        ),
        (5, lambda refs: int64(1, 0) + refs[16:], "not numbered in the order of their first use"),
        (5, lambda refs: int64(0, 0) + refs[16:], "not numbered in the order of their first use"),
        (6, lambda bounds: int64(1) + bounds[8:], "strings: offsets must rise"),
        (6, lambda bounds: int64(0, 3, 2) + bounds[24:], "strings: offsets must rise"),
        (6, lambda bounds: bounds[:-8] + int64(1), "strings: offsets must rise"),
        (7, lambda text: b"aa" + text[2:], "strings: a string is stored twice"),
        (7, lambda text: text.replace("☂".encode(), b"\xff\xfe\xfd"), "strings: not UTF-8"),
    ],
)
def test_sections_that_break_a_rule_are_refused(section, change, complaint):
    with pytest.raises(TableError, match=complaint):
        MarketTable.decode(changed(build(SMALL), section, change))


def changed(table, section, change):
    """The table's bytes with one section replaced by as many others."""
    block = bytes(table.block)
    _, _, _, *counts = HEADER.unpack_from(block)
    ends = section_ends(*counts)
    old = block[ends[section] : ends[section + 1]]
    new = change(old)
    assert new != old
    assert len(new) == len(old)
    return block[: ends[section]] + new + block[ends[section + 1] :]


@pytest.mark.parametrize(
    ("section", "cells", "complaint"),
    [
        (2, (0, 2, 2, 3, 4), "must have levels exactly where its price is not null"),
        (3, (480_001, 500_000, 500_000, 520_000), "differs from its first level"),
        (4, (5, 7, 7, 6), "differs from its first level"),
    ],
)
def test_a_table_with_one_level_everywhere_is_checked_like_any_other(section, cells, complaint):
    with pytest.raises(TableError, match=complaint):
        MarketTable.decode(changed(build([QUOTED]), section, lambda _: int64(*cells)))
    assert build([QUOTED])[0].to_market_row() == QUOTED


@pytest.mark.parametrize(
    ("header", "complaint"),
    [
        ({"magic": b"PPMX"}, "wrong magic"),
        ({"version": 2}, "market table version 2, expected 1"),
        ({"rows": 3}, "header tells"),
    ],
)
def test_foreign_headers_are_refused(header, complaint):
    block = bytes(build(SMALL).block)
    names = ("magic", "version", "total", "rows", "levels", "strings", "text")
    fields = dict(zip(names, HEADER.unpack_from(block), strict=True))
    with pytest.raises(TableError, match=complaint):
        MarketTable.decode(HEADER.pack(*{**fields, **header}.values()) + block[HEADER.size :])


def test_a_trusted_block_is_cut_but_its_values_are_not_judged():
    unchecked = columns_of(build(SMALL), yes_bid=[480_001, 0]).block()
    assert MarketTable.trusted(unchecked)[0].yes_bid == 480_001
    with pytest.raises(TableError):
        MarketTable.decode(unchecked)


@given(rows(most=9), st.data())
@settings(max_examples=300)
def test_a_narrowed_table_is_the_one_that_these_rows_make(markets, data):
    table = build(markets)
    kept = sorted(data.draw(st.sets(st.sampled_from(range(len(markets))))) if markets else [])
    narrowed = narrow(table, kept)
    assert bytes(narrowed.block) == bytes(build([markets[index] for index in kept]).block)
    assert MarketTable.decode(narrowed.block).digest == narrowed.digest


def test_a_table_of_which_every_row_is_kept_is_the_same_table():
    table = build([MarketRow(id="a"), MarketRow(id="b")])
    assert narrow(table, [0, 1]) is table
    assert narrow(table, [1]).cells("id") == ["b"]
    assert len(narrow(table, [])) == 0


def test_a_table_beyond_one_word_of_its_bitmaps_is_narrowed_too():
    markets = [MarketRow(id=str(n), volume=n if n % 3 else None, yes_bids=((n + 1, n),)) for n in range(200)]
    kept = [n for n in range(200) if n % 7 in (1, 2, 5)]
    assert bytes(narrow(build(markets), kept).block) == bytes(build([markets[n] for n in kept]).block)


def test_rows_are_found_by_their_ids_in_the_tables_order():
    table = build([MarketRow(id=name) for name in "abcd"])
    assert table.rows_of(["d", "b", "nowhere", "b"]) == [1, 3]
    assert table.rows_of([]) == []


def test_a_table_that_nobody_holds_is_gone_at_once():
    """Its block can be a mebibyte, and there is one in every cycle: none may wait for the garbage collector."""
    table = build([MarketRow(id="m", question="?", yes_asks=((1, 1),))])
    assert [row.question for row in table] == ["?"]
    assert table.get("m").yes_ask == 1
    gone = weakref.ref(table._cells)
    gc.disable()
    try:
        del table
        assert gone() is None
    finally:
        gc.enable()
