"""What is told about a tape: each figure against a small tape whose answer is plain, and against brute force."""

from __future__ import annotations

import statistics
import tempfile
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pp_host.backtest.booktrace import BookCoverage, at_most
from pp_host.backtest.collection import holdings
from pp_host.backtest.coverage import Gap, cover
from pp_host.backtest.folder import TapeFolder
from pp_host.backtest.tape import Tape
from pp_host.backtest.timeline import Timeline
from pp_host.errors import OperatorError


@pytest.fixture
def made(recording):
    """Steps at 0, 10, 20, 50 ms; market b only at 20, market c never, sides that contradict at 10 and 50."""
    made = recording().market("a", resolved_yes_price=1.0).market("b", event_id=None).market("c")
    made.point(0, "a", "Yes", 0.25).point(0, "a", "No", 0.75)
    made.point(10, "a", "No", 0.7).point(10, "a", "Yes", 0.25)
    made.point(20, "b", "Yes", 0.5)
    return made.point(50, "a", "Yes", 0.3).point(50, "a", "No", 0.75)


def test_a_whole_tape_is_told(made, tmp_path, ms, settings):
    folder = made.write(tmp_path / "tape")
    told = cover(folder).coverage
    assert (told.markets, told.priced, told.outcomes) == (3, 2, 1)
    assert (told.points, told.steps, told.first, told.last) == (7, 4, ms(0), ms(50))
    assert told.usual_step == 10_000
    assert told.gaps == [
        Gap(ms(20), ms(50), 30_000),
        Gap(ms(0), ms(10), 10_000),
        Gap(ms(10), ms(20), 10_000),
    ]
    assert told.digest == Tape.open(folder, settings).digest
    assert [market.market for market in told.by_market] == ["a", "b"]


def test_a_market_is_told(made, tmp_path, ms):
    told = cover(made.write(tmp_path / "tape")).coverage.by_market[0]
    assert (told.yes_points, told.no_points, told.steps, told.share) == (3, 3, 3, 750_000)
    assert (told.first, told.last, told.largest_gap) == (ms(0), ms(50), Gap(ms(10), ms(50), 40_000))
    assert (told.yes_price, told.no_price, told.outcome) == (300_000, 750_000, 1_000_000)
    assert (told.contradiction, told.contradiction_at) == (50_000, ms(10))
    assert (told.event, told.question, told.yes_name, told.no_name) == ("event", "a?", "Yes", "No")


def test_a_market_priced_once_on_one_side_has_no_gap_and_no_contradiction(made, tmp_path, ms):
    told = cover(made.write(tmp_path / "tape"), "b").coverage
    (only,) = told.by_market
    assert (told.points, told.priced) == (7, 2)
    assert (only.first, only.last, only.largest_gap) == (ms(20), ms(20), None)
    assert (only.no_price, only.outcome, only.contradiction, only.contradiction_at) == (None,) * 4


def test_a_market_without_a_price_is_told_when_named(made, tmp_path):
    (only,) = cover(made.write(tmp_path / "tape"), "c").coverage.by_market
    assert (only.steps, only.share, only.first, only.last, only.yes_price) == (0, 0, None, None, None)


def test_a_market_that_is_not_there_is_refused(made, tmp_path):
    folder = made.write(tmp_path / "tape")
    with pytest.raises(OperatorError) as caught:
        cover(folder, "d")
    assert str(caught.value) == f"{folder}: no market d"
    assert caught.value.hint == f"pp data show {folder} lists its markets"


def test_one_step_has_no_usual_distance(recording, tmp_path):
    told = cover(recording().market("a").point(0, "a", "Yes", 0.5).write(tmp_path / "tape")).coverage
    assert (told.steps, told.usual_step, told.gaps) == (1, None, [])


@pytest.fixture
def booked(recording):
    """Steps at 0, 1, 2, 5, 9 ms; books at 0, 2 and 9, one of them empty and one with one side."""
    made = recording().market("a").market("b").market("c")
    made.point(0, "a", "Yes", 0.25).point(1, "a", "Yes", 0.3).point(5, "c", "No", 0.3)
    made.book(0, "a", "Yes", [(0.2, 1.0)], [(0.24, 1.0), (0.25, 2.0)])
    made.book(0, "b", "Yes", [(0.2, 1.0)], [(0.21, 1.0)]).book(2, "a", "No", [], [])
    made.book(2, "a", "Yes", [(0.2, 1.0)], [(0.3, 1.0)])
    return made.book(9, "a", "Yes", [], [(0.3, 1.0)])


def test_the_books_of_a_tape_are_told(booked, tmp_path, ms):
    covered = cover(booked.write(tmp_path / "tape"))
    told = covered.coverage
    assert (told.markets, told.priced, told.booked, told.points) == (3, 3, 2, 3)
    assert (told.steps, told.first, told.last) == (5, ms(0), ms(9))
    assert told.books == BookCoverage(
        yes_books=4, no_books=1, one_sided=2, levels=2, steps=3, share=600_000,
        spread_median=40_000, spread_90=100_000, gaps=[Gap(ms(2), ms(9), 7_000), Gap(ms(0), ms(2), 2_000)],
    )  # fmt: skip
    assert covered.booked.names == ["a", "b"]


def test_the_books_of_a_market_are_told(booked, tmp_path, ms):
    a, b, c = cover(booked.write(tmp_path / "tape")).coverage.by_market
    assert a.books == BookCoverage(
        yes_books=3, no_books=1, one_sided=2, levels=2, steps=3, share=600_000,
        spread_median=40_000, spread_90=100_000, gaps=[Gap(ms(2), ms(9), 7_000), Gap(ms(0), ms(2), 2_000)],
    )  # fmt: skip
    assert (a.yes_points, a.steps, a.share, a.largest_gap) == (2, 4, 800_000, Gap(ms(2), ms(9), 7_000))
    assert (a.first, a.last, a.yes_price, a.no_price) == (ms(0), ms(9), 300_000, None)
    assert (b.books.yes_books, b.books.spread_median, b.books.gaps, b.yes_points) == (1, 10_000, [], 0)
    assert c.books is None


def test_a_tape_without_books_tells_of_none(made, tmp_path):
    covered = cover(made.write(tmp_path / "tape"))
    assert (covered.coverage.booked, covered.coverage.books, covered.booked.names) == (0, None, [])


def test_books_with_one_side_have_no_spread(recording, tmp_path):
    made = recording().market("a").book(0, "a", "Yes", [(0.2, 1.0)], []).book(1, "a", "Yes", [], [])
    told = cover(made.write(tmp_path / "tape")).coverage.books
    assert (told.yes_books, told.one_sided, told.spread_median, told.spread_90) == (2, 2, None, None)


@given(st.lists(st.integers(0, 30), min_size=1), st.integers(1, 1_000_000))
def test_a_share_of_all_is_not_above_its_rank(values, ppm):
    found = at_most(Counter(values), ppm)
    rank = -(-len(values) * ppm // 1_000_000)
    assert found == sorted(values)[rank - 1]


def test_what_cannot_be_played_is_not_told(made, tmp_path):
    folder = made.point(0, "a", "Yes", 0.5).write(tmp_path / "tape")
    with pytest.raises(OperatorError, match=r"prices.parquet: column ts, row 7: earlier than the row before"):
        cover(folder)


points = st.dictionaries(
    st.tuples(st.integers(0, 30), st.sampled_from("abc"), st.sampled_from(["Yes", "No"])),
    st.integers(0, 1_000).map(lambda price: price / 1_000),
    min_size=1,
)


@pytest.fixture(scope="module")
def bookkeeper(recording):
    return recording


def test_every_figure_agrees_with_brute_force(bookkeeper, ms):
    @hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(points)
    def attempt(drawn):
        made = bookkeeper().market("a").market("b").market("c")
        booked = [key for key in sorted(drawn) if (key[0] + round(drawn[key] * 1_000)) % 3 == 0]
        for at, market, outcome in booked:
            made.book(at, market, outcome, [(0.2, 1.0)], [(0.2 + (1 + at) / 100, 1.0)])
        drawn = {key: price for key, price in drawn.items() if key not in booked}
        for (at, market, outcome), price in sorted(drawn.items(), key=lambda item: item[0][0]):
            made.point(at, market, outcome, price)
        with tempfile.TemporaryDirectory() as folder:
            told = cover(made.write(Path(folder))).coverage
        stated = [*drawn, *booked]
        times = sorted({at for at, _, _ in stated})
        distances = [1_000 * (b - a) for a, b in pairwise(times)]
        assert told.steps == len(times)
        assert told.usual_step == (statistics.median_low(distances) if distances else None)
        assert [gap.length for gap in told.gaps] == sorted(distances, reverse=True)[:5]
        for market in told.by_market:
            mine = {key[::2]: price for key, price in drawn.items() if key[1] == market.market}
            at = sorted({key[0] for key in stated if key[1] == market.market})
            spreads = sorted(10_000 * (1 + key[0]) for key in booked if key[1] == market.market)
            assert (market.books.yes_books + market.books.no_books if market.books else 0) == len(spreads)
            assert (market.books.spread_median if spreads else None) == (
                statistics.median_low(spreads) if spreads else None
            )
            assert (market.steps, market.first, market.last) == (len(at), ms(at[0]), ms(at[-1]))
            gaps = [1_000 * (b - a) for a, b in pairwise(at)]
            assert (market.largest_gap.length if market.largest_gap else None) == max(gaps, default=None)
            both = [
                round(abs(mine[t, "Yes"] + mine[t, "No"] - 1) * 1_000_000)
                for t in sorted({key[0] for key in mine})
                if {(t, "Yes"), (t, "No")} <= mine.keys()
            ]
            assert market.contradiction == max(both, default=None)

    attempt()


# -- the picture ---------------------------------------------------------------------------------------------


def test_a_picture_shows_where_a_line_and_where_the_tape_is_silent():
    timeline = Timeline([0, 1, 2, 3, 8, 9], 5, ["x", "y"])
    for name, moments in (("x", (0, 1, 2, 8)), ("y", (9,))):
        for at in moments:
            timeline.mark(name, at)
    assert timeline.picture("x") == "█▄  ▄"
    assert timeline.picture("y") == "··  █"


def test_lines_come_in_the_order_in_which_they_begin():
    timeline = Timeline([0, 5, 9], 3, ["late", "early"])
    timeline.mark("early", 0)
    timeline.mark("late", 9)
    assert timeline.names == ["early", "late"]


def test_a_moment_counts_once_in_a_line():
    timeline = Timeline([0, 1, 9], 2, ["x"])
    for at in (0, 0, 1, 9):
        timeline.mark("x", at)
    assert timeline.picture("x") == "█▄"


@pytest.mark.parametrize("columns", [1, 7, 1_000])
def test_a_picture_is_as_wide_as_it_may_be_and_never_wider_than_the_steps(columns):
    timeline = Timeline(range(50), columns, ["x"])
    assert len(timeline.picture("x")) == timeline.columns == min(columns, 50)


def test_many_markets_share_their_events_line(recording, tmp_path):
    made = recording()
    for index in range(61):
        made.market(f"m{index}", event_id="even" if index % 2 == 0 else None)
        made.point(0, f"m{index}", "Yes", 0.5)
    names = cover(made.write(tmp_path / "tape"), columns=10).timeline.names
    assert "even" in names
    assert len(names) == 31


# -- the tapes below a folder --------------------------------------------------------------------------------


def test_tapes_are_found_at_and_below_a_folder(made, tmp_path, ms):
    folders = [made.write(tmp_path / "all" / name) for name in ("b", "a/deep", ".hidden")]
    found = list(holdings([tmp_path / "all", folders[0]]))
    assert [each.name for each in found] == ["a/deep", "b", "b"]
    assert found[1].digest == TapeFolder.read(folders[0]).digest
    assert (found[1].markets, found[1].steps, found[1].first, found[1].last) == (2, 4, ms(0), ms(50))
    assert {each.problem for each in found} == {None}


def test_the_books_of_a_found_tape_are_told(booked, tmp_path):
    folder = booked.write(tmp_path / "booked")
    (found,) = holdings([tmp_path])
    assert (found.markets, found.booked, found.steps) == (3, 2, 5)
    assert found.books == cover(folder).coverage.books


def test_books_alone_are_a_tape_that_cannot_be_played(booked, tmp_path):
    folder = booked.write(tmp_path / "booked")
    (folder / "markets.parquet").unlink()
    (folder / "prices.parquet").unlink()
    (found,) = holdings([tmp_path])
    assert found.problem == "markets.parquet: No such file or directory"


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("markets.parquet", "markets.parquet: No such file or directory"),
        ("prices.parquet", "prices.parquet: No such file or directory"),
    ],
)
def test_half_a_tape_is_listed_with_what_is_wrong(made, tmp_path, name, problem):
    folder = made.write(tmp_path / "half")
    (folder / name).unlink()
    (found,) = holdings([tmp_path])
    assert (found.name, found.problem, found.markets, found.digest) == ("half", problem, None, None)


def test_a_tape_that_cannot_be_played_is_listed_with_what_is_wrong(made, tmp_path):
    made.point(0, "a", "Yes", 0.5).write(tmp_path / "bent")
    made.prices.pop()
    made.write(tmp_path / "good")
    bent, good = holdings([tmp_path])
    assert bent.problem == "prices.parquet: column ts, row 7: earlier than the row before"
    assert good.problem is None


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(OperatorError) as caught:
        list(holdings([tmp_path / "nowhere"]))
    assert str(caught.value) == f"{tmp_path}/nowhere: not a folder"
    assert list(holdings([tmp_path])) == []
