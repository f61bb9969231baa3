"""The writer: numbers at once, durability when asked, one at a time, and nothing after a failure."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from types import MappingProxyType

import msgspec
import pytest
from pp_host.errors import EntryRefused, RecordError, Refused
from pp_host.limits import LIMITS
from pp_host.record.entry import Actor
from pp_host.record.merkle import EMPTY_ROOT, Frontier, leaf_hash
from pp_host.record.note import Checkpoint, open_note
from pp_host.record.store import COPY, DATABASE


def bodies(place):
    with sqlite3.connect(place.state / DATABASE) as connection:
        found = [row[0] for row in connection.execute("SELECT body FROM entries ORDER BY seq")]
    connection.close()
    return found


def head(place):
    return Checkpoint.parse(open_note((place.state / COPY).read_bytes(), place.verifier))


def until(condition, seconds=10.0):
    """Wait for another thread's doing; a loop that a broken program ends by its deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.001)


def test_entries_are_numbered_from_nought_and_name_their_run_and_actor(place):
    plugin = Actor("plugin", "agent-value", "1.0.0", "ab" * 32)
    with place.writing("run-7") as record:
        assert record.append("run.start", {"mode": "paper"}) == 0
        assert (
            record.append(
                "decision",
                {"market": "m"},
                cause=0,
                actor=plugin,
                capability="trade",
                verdict="allow",
                rule="grant",
            )
            == 1
        )
    with place.reading() as reader:
        first, second = reader.entries()
    assert (first.seq, first.run, first.event, first.cause, first.subject) == (
        0,
        "run-7",
        "run.start",
        None,
        {"mode": "paper"},
    )
    assert (second.actor, second.cause, second.verdict, second.rule) == (plugin, 0, "allow", "grant")
    assert first.mono_ns <= second.mono_ns
    assert first.ts <= second.ts
    assert first.boot == second.boot


class Subject(msgspec.Struct):
    market: str


@pytest.mark.parametrize("subject", [{"market": "m"}, Subject("m"), MappingProxyType({"market": "m"})])
def test_a_subject_is_a_mapping_or_a_struct(place, subject):
    with place.writing() as record:
        record.append("snapshot", subject)
    with place.reading() as reader:
        assert reader.entry(0).subject == {"market": "m"}


def test_what_is_refused_takes_no_number(place):
    with place.writing() as record:
        for event, subject in (
            ("order.guess", {}),
            ("snapshot", {"price": 0.5}),
            ("snapshot", {"a": "x" * 65_535}),
        ):
            with pytest.raises(EntryRefused, match="record entry"):
                record.append(event, subject)
        with pytest.raises(EntryRefused, match="cause 0 does not come before 0"):
            record.append("snapshot", {}, cause=0)
        assert record.append("snapshot", {}) == 0
    assert place.verify().size == 1


def test_flushed_is_on_disk_under_a_signed_root(place):
    with place.writing() as record:
        for n in range(5):
            record.append("snapshot", {"n": n})
        record.flush()
        tree = Frontier(leaf_hash(body) for body in bodies(place))
        signed = Checkpoint.parse(open_note(record.last_checkpoint, place.verifier))
        assert (record.size, record.root) == (tree.size, tree.root()) == (5, signed.root)
        assert signed.size == 5


def test_a_new_record_is_empty_and_signed(place):
    with place.writing() as record:
        assert (record.size, record.root) == (0, EMPTY_ROOT)
        record.flush()
    assert head(place) == Checkpoint(place.verifier.name, 0, EMPTY_ROOT)


def test_a_record_goes_on_where_it_ended(place):
    for n in range(3):
        with place.writing(f"run-{n}") as record:
            assert record.append("run.start", {"n": n}) == n
    assert place.verify().size == 3


def test_closing_writes_what_nobody_waited_for(place):
    record = place.open()
    for n in range(1000):
        record.append("snapshot", {"n": n})
    record.close()
    record.close()
    assert len(bodies(place)) == 1000
    assert head(place).size == 1000
    with pytest.raises(RecordError, match="it is closed"):
        record.append("snapshot", {})
    with pytest.raises(RecordError, match="it is closed"):
        asyncio.run(record.durable(1000))
    asyncio.run(record.durable(999))


def test_durable_returns_when_the_entry_is_on_disk(place):
    async def session(record):
        for n in range(20):
            seq = record.append("order.intent", {"n": n})
            await record.durable(seq)
            assert len(bodies(place)) == seq + 1

    with place.writing() as record:
        asyncio.run(session(record))


def test_many_wait_at_once_and_one_gives_up(place):
    async def session(record):
        waiting = [
            asyncio.ensure_future(record.durable(record.append("snapshot", {"n": n}))) for n in range(200)
        ]
        await asyncio.sleep(0)
        waiting[7].cancel()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert [n for n, result in enumerate(results) if result is not None] == [7]
        assert isinstance(results[7], asyncio.CancelledError)

    with place.writing() as record:
        asyncio.run(session(record))
        record.append("snapshot", {})
        record.flush()
        assert record.size == 201


def test_nobody_waits_for_an_entry_that_was_never_made(place):
    with place.writing() as record:
        waiting = record.durable(record.append("snapshot", {}) + 1)
        with pytest.raises(EntryRefused, match="entry 1 was never appended"):
            asyncio.run(waiting)


def test_entries_are_committed_soon_though_nobody_waits(place):
    with place.writing() as record:
        record.append("snapshot", {})
        until(lambda: record.size == 1)


def test_the_copy_follows_by_itself(place):
    with place.writing() as record:
        record.append("snapshot", {})
        record.flush()
        until(lambda: head(place).size == 1)


def test_a_full_queue_makes_the_caller_wait_and_drops_nothing(place):
    many = 2 * LIMITS.record.queue_entries + 100
    with place.writing() as record:
        blocker = sqlite3.connect(place.state / DATABASE, isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        caller = threading.Thread(target=lambda: [record.append("snapshot", {"n": n}) for n in range(many)])
        caller.start()
        until(lambda: len(record._queue) == LIMITS.record.queue_entries)
        assert caller.is_alive()
        blocker.execute("ROLLBACK")
        blocker.close()
        caller.join()
        record.flush()
        assert record.size == many
    assert place.verify().size == many


def test_a_second_writer_is_refused_until_the_first_is_gone(place):
    with place.writing():
        with pytest.raises(Refused, match="another host is writing this record") as refusal:
            place.open()
        assert "pp stop" in refusal.value.hint
    place.open().close()


def test_a_refused_opening_gives_the_lock_back(place):
    place.open().close()
    (place.state / COPY).write_bytes(b"garbage")
    for _ in range(2):
        with pytest.raises(RecordError, match="the record is damaged"):
            place.open()


def test_a_missing_state_folder_is_told(place):
    place.state.rmdir()
    with pytest.raises(RecordError, match="the record cannot be opened: .*No such file"):
        place.open()
    place.state.mkdir()
    place.open().close()


def full(record):
    """From now on the disk is full."""
    pages = record._store._connection.execute("PRAGMA page_count").fetchone()[0]
    record._store._connection.execute(f"PRAGMA max_page_count = {pages}")


def test_after_a_failed_write_nothing_is_accepted_and_nobody_waits_for_ever(place):
    async def session(record):
        await record.durable(record.append("order.intent", {}))
        full(record)
        big = {"a": "x" * 60_000}
        waiting = [asyncio.ensure_future(record.durable(record.append("snapshot", big))) for _ in range(3)]
        for failed in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(failed, RecordError)
            assert "database or disk is full" in str(failed)
            assert "mend the disk" in failed.hint
        await record.durable(0)

    record = place.open()
    asyncio.run(session(record))
    for attempt in (lambda: record.append("snapshot", {}), record.flush, record.close, record.close):
        with pytest.raises(RecordError, match="database or disk is full"):
            attempt()
    assert place.verify().size == record.size == 1
    with place.writing() as again:
        assert again.append("host.start", {}) == 1


def test_a_copy_that_cannot_be_written_ends_the_record(place):
    record = place.open()
    (place.state / COPY).unlink()
    (place.state / COPY).mkdir()
    record.append("snapshot", {})
    with pytest.raises(RecordError, match="the record cannot be written"):
        record.close()
    with pytest.raises(RecordError, match="the record cannot be written"):
        record.append("snapshot", {})


def test_every_commit_is_flushed_to_disk(place):
    full_synchronous = 2
    with place.writing() as record:
        pragma = record._store._connection.execute
        assert pragma("PRAGMA synchronous").fetchone() == (full_synchronous,)
        assert pragma("PRAGMA journal_mode").fetchone() == ("wal",)


def test_the_files_are_private(place):
    with place.writing():
        pass
    for path in place.state.iterdir():
        assert path.stat().st_mode & 0o077 == 0, path.name
