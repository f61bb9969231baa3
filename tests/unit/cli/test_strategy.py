"""What a strategy said, in words that cannot be taken for their opposite."""

from __future__ import annotations

import pytest
from pp_host.cli.strategy import briefed, fields, selected


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"markets": 20, "ids": [], "stale": False}, "The strategy lets 20 markets be bought (the list is unchanged)"),
        ({"markets": 1_024, "ids": ["a"], "stale": False}, "The strategy lets 1,024 markets be bought"),
        ({"markets": 1, "ids": ["a"], "stale": False}, "The strategy lets 1 market be bought"),
        ({"markets": 0, "ids": [], "stale": False}, "The strategy lets no market be bought"),
        (
            {"markets": 3, "ids": [], "stale": True},
            "The strategy gave no good answer: its last selection stands and lets 3 markets be bought",
        ),
        (
            {"markets": 0, "ids": [], "stale": True},
            "The strategy gave no good answer: nothing may be bought",
        ),
        ({}, ""),
        ({"markets": "many"}, ""),
    ],
)  # fmt: skip
def test_a_selection_in_words(told, words):
    assert selected(told) == words


def test_ids_that_are_not_repeated_are_not_shown_as_none():
    told = {"ids": [], "markets": 2}
    assert fields("selection", told) == {"markets": 2}
    assert fields("selection", {"ids": ["a"], "markets": 2}) == {"ids": ["a"], "markets": 2}
    assert fields("observation", told) == told


def test_whose_brief_it_was():
    assert (
        briefed("org.example.cheap", "tight", "ab" * 32)
        == f"org.example.cheap, brief tight, sha256:{'ab' * 32}"
    )
    assert briefed("org.example.cheap", "", "") == "org.example.cheap, without a brief"
    assert briefed("a", "\x1b[2J", "c") == "a, brief \\x1b[2J, sha256:c"
