"""Every way to change a record behind its back is seen."""

from __future__ import annotations

import base64
import json
import shutil
import sqlite3
from contextlib import contextmanager, suppress
from hashlib import sha256

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pp_host.errors import RecordError
from pp_host.limits import LIMITS
from pp_host.record.entry import decode, encode
from pp_host.record.merkle import Frontier, leaf_hash
from pp_host.record.note import Checkpoint, Verifier, generate_key, sign_note
from pp_host.record.store import COPY, DATABASE, Store
from pp_host.record.verify import replay, verify


@contextmanager
def database(place):
    connection = sqlite3.connect(place.state / DATABASE, isolation_level=None)
    try:
        yield connection.execute
    finally:
        connection.close()


@pytest.fixture
def written(place):
    """Two runs of three entries, one commit each."""
    for run in ("run-1", "run-2"):
        with place.writing(run) as record:
            for n in range(3):
                record.append("snapshot", {"n": n})
                record.flush()
    return place


def refused(place, says):
    with pytest.raises(RecordError, match=says) as refusal:
        place.verify()
    assert refusal.value.hint
    with pytest.raises(RecordError, match=says):
        place.open()


def test_a_whole_record_is_verified(written):
    verified = written.verify()
    assert (verified.origin, verified.size, verified.checkpoints) == (written.verifier.name, 6, 7)


def test_every_changed_byte_of_an_entry_is_seen(written):
    with database(written) as execute:
        rows = list(execute("SELECT seq, body FROM entries WHERE seq IN (0, 5)"))
        store, copy = Store.for_reading(written.state), (written.state / COPY).read_bytes()
        for seq, body in rows:
            for at in range(len(body)):
                changed = bytearray(body)
                changed[at] ^= 1 << at % 8
                execute("UPDATE entries SET body = ? WHERE seq = ?", (bytes(changed), seq))
                with pytest.raises(RecordError, match=r"the record is damaged: (entry|the first)"):
                    replay(store, written.verifier, copy)
            execute("UPDATE entries SET body = ? WHERE seq = ?", (body, seq))
        store.close()
    written.verify()


def test_every_changed_byte_of_a_checkpoint_is_seen(written):
    with database(written) as execute:
        note = execute("SELECT note FROM checkpoints WHERE size = 4").fetchone()[0]
        for at in range(len(note)):
            changed = bytearray(note)
            changed[at] ^= 1 << at % 8
            execute("UPDATE checkpoints SET note = ? WHERE size = 4", (bytes(changed),))
            with pytest.raises(RecordError, match="the record is damaged: checkpoint of size 4"):
                written.verify()
        execute("UPDATE checkpoints SET note = ? WHERE size = 4", (note,))
    written.verify()


def test_every_changed_byte_of_the_copy_is_seen(written):
    copy = (written.state / COPY).read_bytes()
    for at in range(len(copy)):
        changed = bytearray(copy)
        changed[at] ^= 1 << at % 8
        (written.state / COPY).write_bytes(changed)
        with pytest.raises(RecordError, match="the record is damaged: the copy"):
            written.verify()
    (written.state / COPY).write_bytes(copy)
    written.verify()


def forged(place, seq, /, **changed):
    """An entry in canonical form that says something else."""
    with database(place) as execute:
        body = execute("SELECT body FROM entries WHERE seq = ?", (seq,)).fetchone()[0]
        other = encode(msgspec.structs.replace(decode(body), **changed))
        execute("UPDATE entries SET body = ? WHERE seq = ?", (other, seq))


def test_a_well_formed_forgery_breaks_the_root(written):
    forged(written, 2, subject={"n": 9})
    refused(written, "the first 3 entries are not those that were signed")


def test_a_forged_number_breaks_the_order(written):
    forged(written, 2, seq=3)
    refused(written, "entry 2: its columns say something else")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("UPDATE entries SET event = 'decision' WHERE seq = 1", "entry 1: its columns say something else"),
        ("UPDATE entries SET run = 'run-9' WHERE seq = 1", "entry 1: its columns say something else"),
        ("DELETE FROM entries WHERE seq = 1", "entry 1 is missing, 2 stands in its place"),
        ("DELETE FROM entries WHERE seq = 5", "5 entries, but the last checkpoint is over 6"),
        ("UPDATE entries SET seq = seq + 1 WHERE seq = 5", "entry 5 is missing"),
        ("UPDATE entries SET seq = -1 WHERE seq = 0", "entry 0 is missing, -1 stands"),
        ("INSERT INTO entries SELECT 6, event, run, body FROM entries WHERE seq = 5", "entry 6: its columns"),
        ("DELETE FROM checkpoints WHERE size = 0", "the checkpoint of size 0 is missing"),
        ("DELETE FROM checkpoints", "the checkpoint of size 0 is missing"),
        (
            "DELETE FROM checkpoints WHERE size = 6",
            "5 entries are signed, but the copy of the last checkpoint is over 6: the log was rolled back",
        ),
        ("UPDATE checkpoints SET size = 7 WHERE size = 6", "checkpoint of size 7: its note says 6"),
        ("UPDATE meta SET version = 2", "written by a newer pp"),
        ("UPDATE meta SET version = 0", "not the tables of a record"),
        ("DELETE FROM meta", "not the tables of a record"),
        ("DROP TABLE meta", "not the tables of a record"),
        (
            "CREATE TRIGGER t AFTER INSERT ON entries BEGIN DELETE FROM entries; END",
            "not the tables of a record",
        ),
        ("CREATE VIEW w AS SELECT 1", "not the tables of a record"),
    ],
)
def test_each_change_of_the_tables_is_named(written, change, says):
    with database(written) as execute:
        execute(change)
    refused(written, says)


def test_an_entry_after_the_last_checkpoint_is_refused(written):
    with database(written) as execute:
        body = execute("SELECT body FROM entries WHERE seq = 5").fetchone()[0]
        extra = encode(msgspec.structs.replace(decode(body), seq=6))
        execute("INSERT INTO entries VALUES (6, 'snapshot', 'run-2', ?)", (extra,))
    refused(written, "7 entries, but the last checkpoint is over 6")


def test_a_log_cut_to_an_earlier_checkpoint_is_seen_by_the_copy(written):
    with database(written) as execute:
        execute("DELETE FROM entries WHERE seq >= 4")
        execute("DELETE FROM checkpoints WHERE size > 4")
    refused(
        written,
        "4 entries are signed, but the copy of the last checkpoint is over 6: the log was rolled back",
    )


def test_a_restored_older_database_is_seen_by_the_copy(written, tmp_path):
    shutil.copy(written.state / DATABASE, tmp_path / "older.db")
    with written.writing() as record:
        record.append("snapshot", {})
    shutil.copy(tmp_path / "older.db", written.state / DATABASE)
    refused(
        written,
        "6 entries are signed, but the copy of the last checkpoint is over 7: the log was rolled back",
    )


def test_a_lost_database_is_not_begun_anew(written):
    (written.state / DATABASE).unlink()
    with pytest.raises(RecordError, match="there is no record yet"):
        written.verify()
    with pytest.raises(
        RecordError,
        match="0 entries are signed, but the copy of the last checkpoint is over 6: the log was rolled back",
    ):
        written.open()


def test_a_lost_copy_is_refused_once_there_are_entries(written):
    (written.state / COPY).unlink()
    refused(written, "the copy of the last checkpoint is missing")


def test_an_empty_record_may_have_lost_its_copy(place):
    place.open().close()
    (place.state / COPY).unlink()
    assert place.verify().size == 0
    place.open().close()


def test_an_older_copy_is_a_beginning_and_accepted(written):
    with database(written) as execute:
        note = execute("SELECT note FROM checkpoints WHERE size = 2").fetchone()[0]
    (written.state / COPY).write_bytes(note)
    assert written.verify().size == 6


@pytest.mark.parametrize("kind", ["symlink", "folder", "large"])
def test_a_copy_that_is_no_small_file_is_refused(written, kind):
    copy = written.state / COPY
    if kind == "symlink":
        copy.rename(written.state / "elsewhere")
        copy.symlink_to(written.state / "elsewhere")
    elif kind == "folder":
        copy.unlink()
        copy.mkdir()
    else:
        copy.write_bytes(copy.read_bytes() + bytes(LIMITS.record.note_bytes))
    refused(written, "the copy of the last checkpoint: ")


def test_a_copy_of_another_history_is_refused(written):
    other = Checkpoint(written.verifier.name, 2, bytes(32))
    (written.state / COPY).write_bytes(sign_note(other.text, written.key, written.verifier))
    refused(written, "the copy of the last checkpoint is of another log, over 2 entries")


def test_a_rewritten_tail_with_the_records_own_key_is_seen_only_by_the_copy(written):
    """What the copy is for: whoever has the key can sign anything."""
    forged(written, 5, subject={"n": 9})
    with database(written) as execute:
        bodies = [row[0] for row in execute("SELECT body FROM entries ORDER BY seq")]
        tree = Frontier(map(leaf_hash, bodies))
        other = Checkpoint(written.verifier.name, 6, tree.root())
        note = sign_note(other.text, written.key, written.verifier)
        execute("UPDATE checkpoints SET note = ? WHERE size = 6", (note,))
    refused(written, "the copy of the last checkpoint is of another log, over 6 entries")


def test_another_key_or_origin_verifies_nothing(written, tmp_path):
    stranger = generate_key(tmp_path / "other", "example.com/record")
    for verifier in (stranger.verifier("example.com/record"), written.key.verifier("example.com/other")):
        with pytest.raises(RecordError, match="not signed by"):
            verify(written.state, verifier)


def test_even_the_empty_tree_has_its_root(written):
    other = Checkpoint(written.verifier.name, 0, bytes(32))
    with database(written) as execute:
        note = sign_note(other.text, written.key, written.verifier)
        execute("UPDATE checkpoints SET note = ? WHERE size = 0", (note,))
    refused(written, "the first 0 entries are not those that were signed")


def test_a_checkpoint_of_another_origin_is_refused(written):
    other = Checkpoint("example.com/other", 6, written.verify().root)
    with database(written) as execute:
        note = sign_note(other.text, written.key, written.verifier)
        execute("UPDATE checkpoints SET note = ? WHERE size = 6", (note,))
    refused(written, "origin 'example.com/other', not 'example.com/record'")


def test_what_is_no_database_is_refused(place):
    (place.state / DATABASE).write_bytes(b"not a database" * 1000)
    refused(place, "file is not a database")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(st.data())
def test_a_flipped_bit_of_the_file_is_seen_or_changes_nothing(written, data):
    root = written.verify().root
    path = written.state / DATABASE
    whole = path.read_bytes()
    at, bit = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 7))
    changed = bytearray(whole)
    changed[at] ^= 1 << bit
    path.write_bytes(changed)
    try:
        with suppress(RecordError):
            assert written.verify().root == root
    finally:
        path.write_bytes(whole)
        for left in ("-wal", "-shm"):
            path.with_name(path.name + left).unlink(missing_ok=True)


def test_a_reader_sees_whole_commits_while_the_writer_writes(place):
    with place.writing() as record:
        sizes = []
        for n in range(300):
            record.append("snapshot", {"n": n})
            if n % 10 == 0:
                sizes.append(place.verify().size)
        record.flush()
        assert place.verify().size == 300
    assert sizes == sorted(sizes)


def mth(leaves):
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def test_a_stranger_verifies_it_with_the_document_alone(written):
    """docs/RECORD.md, section "How a stranger verifies", with none of our code but the vkey's text."""
    name, key_id, material = written.verifier.vkey.split("+", 2)
    public = base64.b64decode(material)[1:]
    assert sha256(name.encode() + b"\n\x01" + public).digest()[:4].hex() == key_id

    def opened(note):
        text, _, line = note.decode().rpartition("\n\n")
        dash, signer, encoded = line.rstrip("\n").split(" ")
        signature = base64.b64decode(encoded)
        assert (dash, signer, signature[:4].hex()) == ("—", name, key_id)
        Ed25519PublicKey.from_public_bytes(public).verify(signature[4:], text.encode() + b"\n")
        origin, size, root = text.split("\n")
        assert origin == name
        return int(size), base64.b64decode(root)

    with database(written) as execute:
        rows = list(execute("SELECT seq, event, run, body FROM entries ORDER BY seq"))
        notes = list(execute("SELECT size, note FROM checkpoints ORDER BY size"))
    bodies = [row[3] for row in rows]
    for position, (seq, event, run, body) in enumerate(rows):
        entry = json.loads(body)
        assert (position, seq, entry["event"], entry["run"]) == (seq, entry["seq"], event, run)
        assert json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() == body
    for size, note in notes:
        assert opened(note) == (size, mth(bodies[:size]))
    assert notes[-1][0] == len(rows)
    assert opened((written.state / COPY).read_bytes()) in [opened(note) for _, note in notes]
    assert Verifier.parse(written.verifier.vkey) == written.verifier
