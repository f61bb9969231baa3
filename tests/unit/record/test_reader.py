"""Questions to the record."""

from __future__ import annotations

import sqlite3

import pytest
from pp_host.errors import OperatorError, RecordError
from pp_host.record.entry import Actor
from pp_host.record.store import DATABASE

SOURCE = Actor("plugin", "source-sample", "1.0.0", "aa" * 32)
AGENT = Actor("plugin", "agent-value", "2.0.0", "bb" * 32)
ORDER = "3fa9" + "0" * 28


def start(record, actor, grant):
    identity = {"id": actor.id, "version": actor.version, "digest": actor.digest}
    return record.append("plugin.start", identity | {"grant": grant, "level": "L3", "pid": 7}, actor=actor)


def trade(record, order=ORDER, fills=2):
    """One order from the source's call to its end, as the core records it; returns each step's seq."""
    steps = {}

    def step(name, event, subject, cause, **more):
        steps[name] = record.append(event, subject, cause=steps.get(cause), **more)

    step("asked source", "plugin.call", {"hook": "snapshot"}, None, actor=SOURCE)
    step("snapshot", "snapshot", {"source": SOURCE.id}, "asked source")
    step("observation", "observation", {"account": "main"}, "snapshot")
    step("asked agent", "plugin.call", {"hook": "decide"}, "observation", actor=AGENT)
    step("decision", "decision", {"plugin": AGENT.id}, "asked agent", actor=AGENT)
    step("verdict", "verdict", {"verdict": "approved"}, "decision")
    step("intent", "order.intent", {"order": order, "account": "main"}, "verdict")
    step("ack", "order.ack", {"order": order, "account": "main"}, "intent")
    for n in range(fills):
        step(f"fill {n}", "order.fill", {"order": order, "account": "main", "trade": f"t{n}"}, "intent")
    step("done", "order.done", {"order": order, "account": "main"}, "intent")
    return steps


CHAIN = ["intent", "verdict", "decision", "asked agent", "observation", "snapshot", "asked source"]


@pytest.fixture
def traded(place):
    with place.writing() as record:
        start(record, SOURCE, "source grant")
        start(record, AGENT, "old grant")
        latest = start(record, AGENT, "new grant")
        steps = trade(record)
        start(record, AGENT, "later grant")
        start(record, Actor("plugin", "bystander"), "none")
        trade(record, "77" * 16, fills=0)
    return place, steps, latest


def test_why_leads_from_the_last_fill_to_the_sources_call(traded):
    place, steps, latest = traded
    with place.reading() as reader:
        why = reader.why(ORDER)
    assert why.order == ORDER
    assert [entry.seq for entry in why.chain] == [steps["fill 1"], *(steps[name] for name in CHAIN)]
    assert [entry.seq for entry in why.life] == [
        steps[name] for name in ("intent", "ack", "fill 0", "fill 1", "done")
    ]
    assert [(entry.subject["id"], entry.subject["grant"]) for entry in why.plugins] == [
        (SOURCE.id, "source grant"),
        (AGENT.id, "new grant"),
    ]
    assert why.plugins[1].seq == latest


def test_an_order_without_fills_is_told_from_its_last_entry(traded):
    place = traded[0]
    with place.reading() as reader:
        why = reader.why("77")
    assert [entry.event for entry in why.chain][:2] == ["order.done", "order.intent"]
    assert [entry.event for entry in why.life] == ["order.intent", "order.ack", "order.done"]
    assert {entry.subject["grant"] for entry in why.plugins} == {"source grant", "later grant"}


def test_a_plugin_is_told_by_the_process_that_was_asked(place):
    with place.writing() as record:
        asked = start(record, AGENT, "asked")
        call = record.append("plugin.call", {}, actor=AGENT)
        start(record, AGENT, "restarted meanwhile")
        decision = record.append("decision", {}, actor=AGENT, cause=call)
        record.append("order.intent", {"order": ORDER}, cause=decision)
    with place.reading() as reader:
        assert [entry.seq for entry in reader.why(ORDER).plugins] == [asked]


def test_an_order_is_named_by_any_unambiguous_beginning(traded):
    place = traded[0]
    with place.reading() as reader:
        assert reader.why(ORDER[:3]).order == ORDER
        with pytest.raises(OperatorError, match="2 orders begin with ''"):
            reader.why("")


@pytest.mark.parametrize("prefix", ["ff", ORDER + "0", "%", "'"])
def test_an_unknown_order_is_an_operators_error(traded, prefix):
    with (
        traded[0].reading() as reader,
        pytest.raises(OperatorError, match="the record has no order") as refusal,
    ):
        reader.why(prefix)
    assert refusal.value.exit_status == 1
    assert "pp audit tail --event order.intent" in refusal.value.hint


def test_a_chain_with_a_missing_link_is_damage(traded):
    place, steps, _ = traded
    connection = sqlite3.connect(place.state / DATABASE, isolation_level=None)
    connection.execute("DELETE FROM entries WHERE seq = ?", (steps["decision"],))
    connection.close()
    with (
        place.reading() as reader,
        pytest.raises(RecordError, match=f"entry {steps['decision']}, a cause, is missing"),
    ):
        reader.why(ORDER)


def test_single_entries(traded):
    place, steps, _ = traded
    with place.reading() as reader:
        assert reader.entry(steps["verdict"]).event == "verdict"
        with pytest.raises(OperatorError, match="the record has no entry 999"):
            reader.entry(999)


def test_an_entry_that_is_none_is_damage(traded):
    place = traded[0]
    connection = sqlite3.connect(place.state / DATABASE, isolation_level=None)
    connection.execute("UPDATE entries SET body = x'7b7d' WHERE seq = 3")
    connection.close()
    with place.reading() as reader:
        assert reader.entry(2).seq == 2
        for question in (lambda: reader.entry(3), lambda: list(reader.entries())):
            with pytest.raises(RecordError, match="the record is damaged: entry 3: not an entry"):
                question()


def test_the_tail_is_the_newest_in_order_and_filtered(traded):
    place = traded[0]
    with place.reading() as reader:
        size = place.verify().size
        assert [entry.seq for entry in reader.tail(3)] == [size - 3, size - 2, size - 1]
        assert [entry.seq for entry in reader.tail(10_000)] == list(range(size))
        assert [entry.subject["trade"] for entry in reader.tail(9, event="order.fill")] == ["t0", "t1"]
        assert {entry.event for entry in reader.tail(99, plugin=AGENT.id)} == {
            "plugin.start",
            "plugin.call",
            "decision",
        }
        assert reader.tail(9, plugin=AGENT.id, event="order.fill") == []
        assert reader.tail(9, verdict="deny") == []


def test_the_tail_by_verdict(place):
    with place.writing() as record:
        for verdict in ("allow", "deny", "", "deny"):
            record.append("capability.deny", {}, verdict=verdict)
    with place.reading() as reader:
        assert [entry.seq for entry in reader.tail(9, verdict="deny")] == [1, 3]


def test_entries_by_event_run_account_and_beginning(place):
    for run in ("run-1", "run-2"):
        with place.writing(run) as record:
            for account in ("main", "other"):
                record.append("order.fill", {"account": account})
                record.append("order.done", {"account": account})
                record.append("snapshot", {})
    with place.reading() as reader:

        def seqs(*args, **kwargs):
            return [entry.seq for entry in reader.entries(*args, **kwargs)]

        assert seqs() == list(range(12))
        assert seqs(first=9) == [9, 10, 11]
        assert seqs(["order.fill"]) == [0, 3, 6, 9]
        assert seqs(("order.fill", "order.done"), account="main") == [0, 1, 6, 7]
        assert seqs(run="run-2") == [6, 7, 8, 9, 10, 11]
        assert seqs({"order.done"}, run="run-2", account="other", first=3) == [10]


def test_there_must_be_a_record_to_read(place):
    with pytest.raises(RecordError, match="there is no record yet") as refusal, place.reading():
        pass
    assert "pp demo" in refusal.value.hint


def test_entries_appear_once_they_are_committed(place):
    with place.writing() as record, place.reading() as reader:
        record.append("snapshot", {})
        record.flush()
        assert len(list(reader.entries())) == 1
        record.append("snapshot", {})
        record.flush()
        assert len(list(reader.entries())) == 2


def test_a_stretch_is_read_from_its_first_entry_to_before_its_end(traded):
    place, *_ = traded
    with place.reading() as reader:
        size = reader.size
        every = [entry.seq for entry in reader.entries()]
        assert every == list(range(size))
        assert [entry.seq for entry in reader.entries(first=2, stop=5)] == [2, 3, 4]
        assert [entry.seq for entry in reader.entries(first=size - 1, stop=size + 9)] == [size - 1]
        assert list(reader.entries(first=5, stop=5)) == []


def test_an_empty_record_has_no_size(place):
    with place.writing():
        pass
    with place.reading() as reader:
        assert reader.size == 0
