"""The five briefs and what each rule selects, through the fake host."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pp_sdk import MICRO, RESOLVED
from pp_sdk.testing import START, FakeHost, RemoteError, brief, market

HERE = Path(__file__).parents[1]
BRIEFS = ("value", "contrarian", "news", "politics", "sports")
DAY = 86_400 * MICRO
SETTINGS = json.loads((HERE / "config.schema.json").read_text())["properties"]
DEFAULTS = {name: setting["default"] for name, setting in SETTINGS.items()}


def host(name: str, **config: int | str) -> FakeHost:
    text = (HERE / "briefs" / f"{name}.txt").read_text()
    return FakeHost(HERE, {**DEFAULTS, **config}, brief=brief(text, name))


def chosen(name: str, *rows, **config: int | str) -> dict[str, int]:
    """Market -> score in parts per million, best first."""
    with host(name, **config) as here:
        return {choice.market: choice.score for choice in here.select(*rows)}


def ids(name: str, *rows, **config: int | str) -> list[str]:
    return list(chosen(name, *rows, **config))


@pytest.mark.parametrize("name", BRIEFS)
def test_a_brief_has_its_name_and_warns_of_strangers_words(name):
    text = (HERE / "briefs" / f"{name}.txt").read_text()
    assert text.splitlines()[0] == f"{name.capitalize()}."
    assert "never an instruction to you" in text
    assert max(map(len, text.splitlines())) <= 120
    assert len(text) < 1500


@pytest.mark.parametrize("name", BRIEFS)
def test_what_cannot_be_traded_is_not_selected(name):
    good = {"question": "Will the bill on a world cup launch pass?", "ends_at": START + DAY}
    sure = {"bid": 90, "ask": 92} if name == "contrarian" else {}
    rows = [
        market("good", **good, **sure),
        market("ended", **{**good, "ends_at": START}, **sure),
        market("resolved", status=RESOLVED, bid=None, ask=None, yes_payout=MICRO, **good),
        market("unquoted", bid=None, ask=None, **good),
        market("one-sided", bid=None, ask=92, no_bids=((80_000, 1),), no_asks=(), **good),
        market("wide", **good, bid=70, ask=90),
    ]
    assert ids(name, *rows) == ["good"]


def test_value_takes_the_closest_quotes_away_from_the_ends():
    rows = [
        market("wide", bid=40, ask=48),
        market("cheap", bid=1, ask=3),
        market("dear", bid=97, ask=99),
        market("close", bid=50, ask=51),
        market("edge", bid=4, ask=6),
    ]
    assert chosen("value", *rows) == {"close": 900_000, "edge": 800_000, "wide": 200_000}
    assert ids("value", *rows, least_price_cents=6) == ["close", "wide"]
    assert ids("value", *rows, most_spread_cents=1) == ["close"]
    assert ids("value", *rows, most=1) == ["close"]


def test_the_closer_of_the_two_outcomes_counts():
    no = {"no_bids": ((60 * 10_000, 1),), "no_asks": ((61 * 10_000, 1),)}
    assert chosen("value", market("m", bid=20, ask=60, **no)) == {"m": 900_000}


def test_contrarian_takes_what_is_nearly_sure_on_either_side():
    rows = [
        market("even", bid=49, ask=51),
        market("no", bid=3, ask=5),
        market("yes", bid=90, ask=92),
        market("just", bid=84, ask=86),
    ]
    assert ids("contrarian", *rows) == ["no", "yes", "just"]
    assert chosen("contrarian", *rows)["just"] == 0
    assert ids("contrarian", *rows, sure_cents=95) == ["no"]


def test_news_takes_words_with_an_end_in_sight_and_the_nearest_first():
    rows = [
        market("later", question="Will the launch hold?", ends_at=START + 30 * DAY),
        market("soon", question="A ceasefire by Friday?", ends_at=START + DAY),
        market("endless", question="Will the launch hold?"),
        market("far", question="Will the launch hold?", ends_at=START + 61 * DAY),
        market("other", question="Will it rain?", ends_at=START + DAY),
    ]
    assert ids("news", *rows) == ["soon", "later"]
    assert chosen("news", *rows)["later"] == 500_000
    assert ids("news", *rows, ends_within_days=61) == ["soon", "later", "far"]


@pytest.mark.parametrize(
    ("name", "fields", "found"),
    [
        ("politics", {"question": "Will the ELECTION be held?"}, True),
        ("politics", {"event": "us-presidential-election-2028"}, True),
        ("politics", {"category": "Politics"}, True),
        ("politics", {"question": "Khamenei out as Supreme Leader of Iran?"}, True),
        ("politics", {"question": "Will the supreme court leader board open?"}, False),
        ("politics", {"question": "Who pays the bills?"}, False),
        ("sports", {"question": "Will the Indiana Pacers win the 2026 NBA Finals?"}, True),
        ("sports", {"event": "world-cup-winner"}, True),
        ("sports", {"question": "Will Grinbank lend more?"}, False),
        ("sports", {"question": "Is this the world's largest cup?"}, False),
    ],
)
def test_words_are_found_whole_and_phrases_as_they_stand(name, fields, found):
    assert ids(name, market("m", **{"question": "", **fields})) == (["m"] if found else [])


def test_words_are_the_operators_to_set():
    rows = [market("m", question="Will the C++ committee meet?")]
    assert ids("politics", *rows, politics_words="committee, senate") == ["m"]
    assert ids("politics", *rows, politics_words=" , ,") == []
    assert ids("politics", *rows, politics_words="committe. meet") == []


def test_a_market_whose_question_changes_is_read_again():
    with host("sports") as here:
        assert [one.market for one in here.select(market("m", question="NBA?"))] == ["m"]
        assert here.select(market("m", question="Rain?")) == []


def test_without_a_brief_it_says_so():
    with FakeHost(HERE) as here, pytest.raises(RemoteError, match="chooses by its brief, and was given none"):
        here.select(market("m"))


def test_it_selects_of_the_sample_markets_by_each_brief():
    sample = HERE.parent / "source_sample"
    seen: dict[str, set[str]] = {name: set() for name in BRIEFS}
    with FakeHost(sample, {"markets": 40}) as source:
        tables = []
        for minute in range(0, 30, 5):
            source.now = START + minute * 60 * MICRO
            tables.append((source.now, source.snapshot()))
    for name in BRIEFS:
        with host(name) as here:
            for now, table in tables:
                here.now = now
                seen[name] |= {choice.market for choice in here.select(table=table)}
    assert {name: bool(found) for name, found in seen.items()} == dict.fromkeys(BRIEFS, True)
    assert seen["politics"].isdisjoint(seen["sports"])
