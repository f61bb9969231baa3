"""What a played tape shows, and when: entering, quoting, ending, leaving."""

from __future__ import annotations

import hashlib

import anyio
import pytest
from pp_host.backtest.tape import TapeSource
from pp_host.model import PluginRef
from pp_sdk.table import OPEN, RESOLVED
from pp_sdk.types import SnapshotRequest


def ids(table):
    return [row.id for row in table]


def test_a_row_holds_what_was_knowable_and_nothing_else(recording, tape, ms):
    times = {"start_ts": -60_000, "nominal_end_ts": 9_000, "close_ts": 8_000, "resolved_ts": 9_500}
    after = {"volume": 5.0, "liquidity": 6.0, "last_trade_price": 1.0, "best_bid": 0.9, "best_ask": 0.95}
    known = {"question": "Above 100k?", "event_id": "btc", "resolved_yes_price": 1.0, "closed": True}
    known |= after | {name: ms(at) // 1000 for name, at in times.items()}
    made = recording().market("a", **known).point(0, "a", "Yes", 0.4155).point(0, "a", "No", 0.585)
    row = tape(made).table_at(ms(0))[0].to_market_row()
    assert row == type(row)(
        id="a", event="btc", question="Above 100k?", venue="polymarket", status=OPEN, tick=1_000, min_size=0,
        yes_bids=((414_000, 241_545_893),), yes_asks=((417_000, 239_808_153),),
        no_bids=((584_000, 171_232_876),), no_asks=((586_000, 170_648_464),),
        quoted_at=ms(0), opened_at=ms(-60_000), ends_at=ms(9_000),
    )  # fmt: skip


def test_counts_and_digest(recording, tape, tmp_path, ms):
    made = (
        recording().market("a", resolved_yes_price=0.0).market("b").market("unpriced", resolved_yes_price=1.0)
    )
    made.point(0, "a", "Yes", 0.5).point(0, "b", "Yes", 0.5).point(7, "b", "No", 0.5)
    opened = tape(made)
    assert (opened.markets, opened.outcomes, opened.steps) == (2, 1, 2)
    assert list(opened.moments()) == [ms(0), ms(7)]
    both = b"".join((tmp_path / "tape" / f"{name}.parquet").read_bytes() for name in ("markets", "prices"))
    assert opened.digest == hashlib.sha256(both).hexdigest()


def test_a_market_enters_at_its_first_price_and_rows_follow_ids(recording, tape, ms):
    made = recording()
    for name in ("c", "a", "B", "b"):
        made.market(name)
    made.point(0, "c", "Yes", 0.5).point(1, "b", "No", 0.5).point(2, "a", "Yes", 0.5)
    opened = tape(made)
    assert [ids(opened.table_at(ms(at))) for at in (0, 1, 2)] == [["c"], ["b", "c"], ["a", "b", "c"]]


def test_before_the_first_price_the_table_is_empty(recording, tape, ms):
    opened = tape(recording().market("a").point(0, "a", "Yes", 0.5))
    assert len(opened.table_at(ms(0) - 1)) == 0
    assert len(opened.table_at(ms(0))) == 1


def test_each_outcome_is_quoted_from_its_own_points(recording, tape, ms):
    made = (
        recording().market("a").point(0, "a", "Yes", 0.3).point(5, "a", "No", 0.1).point(9, "a", "Yes", 0.4)
    )
    opened = tape(made)
    seen = [opened.table_at(ms(at))[0] for at in (0, 5, 9)]
    assert [(row.yes_bid, row.no_ask, row.quoted_at) for row in seen] == [
        (299_000, None, ms(0)),
        (299_000, 101_000, ms(0)),
        (399_000, 101_000, ms(5)),
    ]


def test_a_start_that_is_still_to_come_is_not_shown(recording, tape, ms):
    made = recording().market("a", start_ts=ms(3) // 1000)
    for at in (0, 2, 3, 4):
        made.point(at, "a", "Yes", 0.5)
    opened = tape(made)
    assert [opened.table_at(now)[0].opened_at for now in opened.moments()] == [None, None, ms(3), ms(3)]


@pytest.mark.parametrize(
    ("known", "shown_at"),
    [
        ({"resolved_ts": 4, "close_ts": 1}, 6),
        ({"resolved_ts": 6, "close_ts": 1}, 8),
        ({"close_ts": 4}, 6),
        ({"close_ts": 3}, 4),
        ({"nominal_end_ts": 2}, None),
    ],
)
def test_an_outcome_is_shown_at_the_first_step_after_it_was_known(recording, tape, ms, known, shown_at):
    times = {name: ms(at) // 1000 for name, at in known.items()}
    made = recording().market("a", resolved_yes_price=1.0, **times).market("b")
    for at in range(0, 10, 2):
        made.point(at, "a", "Yes", 0.5).point(at, "b", "Yes", 0.5)
    opened = tape(made)
    shown = {at: opened.table_at(ms(at)).get("a") for at in range(0, 10, 2)}
    resolved = {at: row.yes_payout for at, row in shown.items() if row and row.status == RESOLVED}
    assert resolved == ({} if shown_at is None else {shown_at: 1_000_000})
    gone = [at for at, row in shown.items() if row is None]
    assert gone == ([] if shown_at is None else list(range(shown_at + 2, 10, 2)))


@pytest.mark.parametrize(
    ("recorded", "payout"), [(0.0, 0), (1.0, 1_000_000), (0.5, 500_000), (1 / 3, 333_333)]
)
def test_the_payout_is_what_one_yes_share_paid(recording, tape, ms, recorded, payout):
    made = recording().market("a", resolved_yes_price=recorded, close_ts=ms(0) // 1000)
    row = tape(made.point(0, "a", "Yes", 0.5).point(1, "a", "Yes", 0.5)).table_at(ms(1))[0]
    assert (row.status, row.yes_payout) == (RESOLVED, payout)


def test_nobody_quotes_a_resolved_market_and_later_points_are_ignored(recording, tape, ms):
    made = recording().market("a", resolved_yes_price=1.0, resolved_ts=ms(1) // 1000)
    for at in range(4):
        made.point(at, "a", "Yes", 0.5).point(at, "a", "No", 0.5)
    opened = tape(made)
    opened.table_at(ms(1))
    row = opened.table_at(ms(2))[0]
    assert (row.yes_bid, row.yes_ask, row.no_bid, row.no_ask, row.quoted_at) == (
        None,
        None,
        None,
        None,
        ms(1),
    )
    assert len(opened.table_at(ms(3))) == 0


def test_a_market_first_priced_after_its_end_is_shown_open_without_quotes_and_then_resolved(
    recording, tape, ms
):
    made = recording().market("a", resolved_yes_price=0.0, resolved_ts=ms(-5) // 1000)
    opened = tape(made.point(0, "a", "Yes", 0.5).point(1, "a", "Yes", 0.5))
    shown = [opened.table_at(now)[0] for now in (ms(0), ms(1))]
    assert [(row.status, row.yes_payout, row.yes_bid, row.quoted_at) for row in shown] == [
        (OPEN, None, None, None),
        (RESOLVED, 0, None, None),
    ]
    assert len(opened.table_at(opened.finale())) == 0


def test_what_ends_after_the_last_step_is_shown_at_the_finale(recording, tape, ms):
    made = recording().market("early", resolved_yes_price=0.0, close_ts=ms(0) // 1000)
    made.market("late", resolved_yes_price=1.0, resolved_ts=ms(500) // 1000).market(
        "timeless", resolved_yes_price=0.0
    )
    made.market("open", nominal_end_ts=ms(400) // 1000)
    for at in (0, 1):
        for name in ("early", "late", "timeless", "open"):
            made.point(at, name, "Yes", 0.5)
    opened = tape(made)
    last = [opened.table_at(now) for now in opened.moments()][-1]
    assert [(row.id, row.status) for row in last] == [("early", 2), ("late", 0), ("open", 0), ("timeless", 0)]
    assert opened.finale() == ms(500) + 1
    assert [(row.id, row.status) for row in opened.table_at(opened.finale())] == [
        ("late", 2), ("open", 0), ("timeless", 2),
    ]  # fmt: skip


@pytest.mark.parametrize(("close", "finale"), [(None, None), (0, 1), (1, 1), (2, 2)])
def test_there_is_a_finale_when_an_outcome_is_recorded(recording, tape, ms, close, finale):
    known = {} if close is None else {"resolved_yes_price": 1.0, "close_ts": ms(close) // 1000}
    made = recording().market("a", **known).market("b")
    opened = tape(made.point(0, "a", "Yes", 0.5).point(1, "b", "Yes", 0.5))
    assert opened.finale() == (None if finale is None else ms(finale) + 1)


def test_an_outcome_without_a_time_waits_for_the_finale(recording, tape, ms):
    opened = tape(recording().market("a", resolved_yes_price=1.0).point(0, "a", "Yes", 0.5))
    assert opened.table_at(ms(0))[0].status == OPEN
    assert opened.finale() == ms(0) + 1
    assert opened.table_at(opened.finale())[0].yes_payout == 1_000_000


def test_the_same_moment_gives_the_same_table_and_an_earlier_one_is_a_mistake(recording, tape, ms):
    opened = tape(recording().market("a").point(0, "a", "Yes", 0.5).point(1, "a", "Yes", 0.6))
    table = opened.table_at(ms(1))
    assert opened.table_at(ms(1)) is table
    with pytest.raises(ValueError, match=r"^a tape does not run backwards: "):
        opened.table_at(ms(0))


def test_the_settings_shape_the_book(recording, tape, ms, settings):
    made = recording().market("a").point(0, "a", "Yes", 0.5)
    wide = type(settings)(spread_ticks=3, depth=7_000_000, tick=10_000)
    row = tape(made, settings=wide).table_at(ms(0))[0]
    assert (row.tick, row.yes_bid, row.yes_ask) == (10_000, 470_000, 530_000)
    assert (row.yes_bid_size, row.yes_ask_size) == (14_893_617, 13_207_547)


def test_the_source_shows_the_tape_and_names_no_call(recording, tape, ms):
    opened = tape(recording().market("a").point(0, "a", "Yes", 0.5))
    (sighting,) = anyio.run(TapeSource(opened).snapshot, SnapshotRequest(now=ms(0), held=("zz",)))
    assert sighting.source == PluginRef("tape", "1", opened.digest)
    assert sighting.call is None
    assert sighting.table is opened.table_at(ms(0))
