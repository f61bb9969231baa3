from __future__ import annotations

import msgspec
import pytest
from msgspec import Struct
from pp_host.core import entries
from pp_host.core.entries import BOOKED, EVENT_OF, Advised, Decided, Judged, booked
from pp_host.core.loop import cycle
from pp_host.errors import InDoubt, RecordError, VenueError
from pp_host.model import MICRO, Denied, Reason
from pp_host.record.entry import EVENTS, HOST, Entry, as_map, decode, encode
from pp_sdk.table import RESOLVED
from pp_sdk.types import Keep, Shrink, Veto

from tests.unit.core.fakes import (
    AGENT,
    NOON,
    FakeAdvisers,
    FakeRecord,
    ScriptedVenue,
    World,
    buy,
    market,
    sell,
    usd,
    wish,
)


class RealShape(FakeRecord):
    """Writes every entry as the record would, and reads it back."""

    def append(self, event, subject, **fields):
        entry = Entry(
            seq=len(self.entries),
            ts="2026-01-31T23:59:59.000001Z",
            mono_ns=0,
            boot="b",
            run="r",
            actor=HOST,
            event=event,
            cause=fields.get("cause"),
            verdict=fields.get("verdict", ""),
            rule=fields.get("rule", ""),
            subject=as_map(subject),
        )
        body = encode(entry)
        assert encode(decode(body)) == body
        return super().append(event, subject, **fields)


@pytest.mark.anyio
async def test_everything_the_core_writes_is_an_event_the_record_knows_and_can_be_read_back():
    world = World()
    record = RealShape()
    record.entries = world.record.entries
    world.record = world.sources.record = world.agents.record = record
    world.advisers = FakeAdvisers(record, Keep(), Shrink(shares=usd(20), reason="less"))
    trouble = iter([VenueError("refused"), InDoubt("reset"), InDoubt("reset")])

    def script(order):
        raise next(trouble)

    async def turn(*decisions):
        world.agents.decisions = decisions
        await cycle(world.ports, world.book, world.policy, world.budgets)

    await turn(buy(0.7), buy(float("nan"), rationale="\x00é\u202e" * 600), sell(name="x" * 255))
    paper, world.venue = world.venue, ScriptedVenue(script)
    world.advisers = FakeAdvisers(record, None, Veto(reason="no"))
    await turn(buy(0.9), sell())
    world.advisers = FakeAdvisers(record)
    await turn(buy(0.9))
    await turn()
    world.venue.can_forbid = False
    await turn(buy(0.9))
    await turn()
    world.venue = paper
    world.show(market(status=RESOLVED, yes_payout=MICRO))
    await turn()
    written = set(record.events()) - {"plugin.call"}
    assert written <= EVENTS.keys()
    assert written >= {
        "deposit", "snapshot", "observation", "decision", "verdict", "advice", "order.intent", "order.ack",
        "order.fill", "order.done", "order.in_doubt", "order.void", "settlement", "state.kill",
    }  # fmt: skip


def test_every_booked_event_survives_its_own_spelling():
    assert set(BOOKED) <= EVENTS.keys()
    assert all(EVENT_OF[shape] == event for event, shape in BOOKED.items())
    deposit = entries.Deposit(account="a", amount=5, at=NOON)
    assert booked("deposit", as_map(deposit), "a") == deposit
    assert booked("deposit", as_map(deposit), "b") is None
    assert booked("plugin.call", as_map(deposit), "a") is None


@pytest.mark.parametrize("broken", [{"amount": "5"}, {"amount": 0.5}, {"amount": None}, {"at": "now"}])
def test_a_booked_event_of_another_shape_is_refused(broken):
    subject = {"account": "a", "amount": 5, "at": NOON} | broken
    with pytest.raises(RecordError, match="deposit cannot be replayed"):
        booked("deposit", subject, "a")


def test_a_probability_is_written_as_a_number_only_when_it_is_one():
    written = [Decided.of(buy(value), AGENT.id) for value in (0.57, float("nan"), float("-inf"), 1e308)]
    assert [entry.probability_ppm for entry in written] == [570_000, None, None, None]
    assert [entry.probability for entry in written] == ["0.57", "nan", "-inf", "1e+308"]


def test_a_denial_names_no_order():
    judged = Judged.of(Denied(Reason.STALE, "old"), wish(buy()))
    assert (judged.verdict, judged.reason, judged.order, judged.shares) == ("denied", "stale", "", 0)


@pytest.mark.parametrize(
    ("advice", "word", "shares"),
    [
        (Keep(), "keep", None),
        (Shrink(shares=5, reason="r"), "shrink", 5),
        (Veto(reason="r"), "veto", None),
        (None, "silent", None),
    ],
)
def test_every_advice_has_its_word(advice, word, shares):
    written = Advised.of(advice, "o1")
    assert (written.advice, written.shares) == (word, shares)


def test_every_shape_is_frozen():
    shapes = [
        each
        for each in vars(entries).values()
        if isinstance(each, type) and issubclass(each, Struct) and each.__module__ == entries.__name__
    ]
    assert len(shapes) > 10
    assert all(msgspec.structs.fields(shape) and shape.__struct_config__.frozen for shape in shapes)
