"""What the strategy selects may be bought, and nothing else; its silence changes nothing."""

from __future__ import annotations

import hashlib
import json

import pytest
from pp_host.core.loop import cycle, settle_only
from pp_host.limits import LIMITS
from pp_host.model import MICRO, Reason, Selection

from tests.unit.core.fakes import AGENT, STRATEGY, FakeStrategy, World, buy, market, sell

pytestmark = pytest.mark.anyio


def world(scores, *decisions) -> World:
    made = World(market("a"), market("b"), decisions=decisions)
    made.strategy = FakeStrategy(made.record, scores)
    return made


async def turn(world: World):
    return await cycle(world.ports, world.book, world.policy, world.budgets)


def verdicts(world: World) -> list[tuple[str, str]]:
    return [(entry.subject["market"], entry.rule) for entry in world.record.of("verdict")]


async def test_what_was_not_selected_is_not_bought():
    here = world({"a": MICRO}, buy(name="a"), buy(name="b"))
    await turn(here)
    assert verdicts(here) == [("a", ""), ("b", "not_selected")]
    assert here.record.of("verdict")[1].subject["detail"] == "b is not among the 1 selected"
    assert {lot.market for lot in here.ledger.holdings()} == {"a"}


async def test_without_a_strategy_nothing_is_barred():
    here = world({}, buy(name="b"))
    here.strategy = None
    observed = await turn(here)
    assert verdicts(here) == [("b", "")]
    assert here.record.of("selection") == []
    assert observed.selection is None


async def test_what_is_held_can_be_sold_whatever_is_selected():
    here = world({"b": 1}, buy(name="b"))
    await turn(here)
    here.strategy.scores = {"a": 1}
    here.agents.decisions = (sell("b"), buy(name="b"))
    await turn(here)
    assert verdicts(here)[1:] == [("b", ""), ("b", "not_selected")]
    assert here.ledger.holdings() == ()
    assert here.book.tally.reasons["denied"] == {Reason.NOT_SELECTED: 1}


async def test_a_fill_can_be_followed_back_through_the_selection():
    here = world({"a": 900_000, "b": 0}, buy(name="a"))
    await turn(here)
    (fill,) = here.record.of("order.fill")
    assert here.record.chain(fill) == [
        "order.fill", "order.ack", "order.intent", "verdict", "decision", "plugin.call", "selection", "plugin.call",
        "observation", "snapshot", "plugin.call",
    ]  # fmt: skip
    (selection,) = here.record.of("selection")
    assert selection.plugin == STRATEGY
    digest = hashlib.sha256(
        json.dumps([["a", 900_000], ["b", 0]], separators=(",", ":")).encode()
    ).hexdigest()
    assert selection.subject == {
        "account": "paper", "markets": 2, "digest": digest, "ids": ["a", "b"], "stale": False,
    }  # fmt: skip


async def test_ids_are_written_when_they_change_and_the_digest_always():
    here = world({"a": 1, "b": 2})
    for scores in ({"a": 1, "b": 2}, {"a": 1, "b": 3}, {"b": 3, "a": 1}):
        here.strategy.scores = scores
        await turn(here)
    written = [entry.subject for entry in here.record.of("selection")]
    assert [one["ids"] for one in written] == [["a", "b"], [], ["b", "a"]]
    assert len({one["digest"] for one in written}) == 3


async def test_no_more_ids_are_written_than_an_entry_holds():
    most = LIMITS.record.listed_markets
    here = world({f"m{n}": n for n in range(most + 1)})
    await turn(here)
    (selection,) = here.record.of("selection")
    assert (selection.subject["markets"], len(selection.subject["ids"])) == (most + 1, most)


async def test_when_the_strategy_is_silent_its_last_selection_stands():
    here = world({"a": 5}, buy(name="a"), buy(name="b"))
    await turn(here)
    here.strategy.scores = None
    observed = await turn(here)
    last = here.record.of("selection")[-1]
    assert (last.subject["stale"], last.subject["markets"], last.subject["ids"]) == (True, 1, [])
    assert here.record.entries[last.cause].event == "plugin.call"
    assert observed.selection == Selection(scores={"a": 5}, seq=last.seq)
    assert verdicts(here)[2:] == [("a", "enough_held"), ("b", "not_selected")]


async def test_a_strategy_that_never_answered_selects_nothing():
    here = world(None, buy(name="a"), buy(name="b"))
    await turn(here)
    assert verdicts(here) == [("a", "not_selected"), ("b", "not_selected")]
    (selection,) = here.record.of("selection")
    assert (selection.subject["markets"], selection.subject["stale"]) == (0, True)
    here.strategy.scores = {"a": 1}
    await turn(here)
    assert verdicts(here)[2] == ("a", "")


async def test_a_new_run_begins_with_nothing_selected():
    here = world({"a": 1}, buy(name="a"))
    await turn(here)
    here.restart()
    here.strategy.scores = None
    await turn(here)
    assert verdicts(here)[-1] == ("a", "not_selected")


async def test_a_last_look_asks_no_strategy():
    here = world({"a": 1})
    await settle_only(here.ports, here.book)
    assert here.record.of("selection") == []
    assert AGENT.id not in {entry.plugin.id for entry in here.record.entries if entry.plugin}
