"""The full check of a record: every entry, every checkpoint, and the copy kept outside the database.

Laws: returns what was verified or raises RecordError naming the first thing that is wrong; never a bool,
never a repair. It believes nothing but the verifier key it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pp_host.errors import RecordError
from pp_host.record.entry import decode
from pp_host.record.merkle import Frontier, leaf_hash
from pp_host.record.note import Checkpoint, Verifier, open_note
from pp_host.record.store import DAMAGE_HINT, Row, Store, read_copy

EVERY = 5_000  # entries between two words about how far it is
Advance = Callable[[int, int], None]
"""Told how many entries of how many have been read, when there are many."""


@dataclass(frozen=True, slots=True)
class Verified:
    """A record that is whole: its last checkpoint, signed in `note`, and how many checkpoints lead there."""

    origin: str
    size: int
    root: bytes
    checkpoints: int
    note: bytes


def nobody(_done: int, _total: int) -> None:
    """For who does not watch."""


def verify(
    state_dir: Path, verifier: Verifier, kept: bytes | None = None, advance: Advance = nobody
) -> Verified:
    """Check the record in `state_dir`, also beside a running writer. RecordError says what is wrong.

    kept: a checkpoint of this log from where nobody else writes; the log must still contain what it is over.
    advance: told now and then how many entries of how many are checked.
    """
    copy = read_copy(state_dir)  # before the database, so that it can only lag behind what the database shows
    store = Store.for_reading(state_dir)
    try:
        store.hold()
        return replay(store, verifier, copy, kept, advance)[0]
    finally:
        store.close()


def replay(
    store: Store,
    verifier: Verifier,
    copy: bytes | None,
    kept: bytes | None = None,
    advance: Advance = nobody,
) -> tuple[Verified, Frontier]:
    """As `verify`, over what `store` shows, also handing out the frontier for a writer to go on from."""
    notes = dict(store.checkpoints())
    signed = _signed_roots(notes, verifier)
    size = max(signed)
    if copy is not None:
        _check_contained(copy, "the copy of the last checkpoint", verifier, signed)
    elif size:
        raise _damage("the copy of the last checkpoint is missing")
    if kept is not None:
        _check_contained(kept, "the checkpoint that you kept", verifier, signed)
    frontier = Frontier()
    _check_root(frontier, signed)
    for row in store.rows():
        _check_row(row, frontier.size)
        frontier.append(leaf_hash(row[3]))
        _check_root(frontier, signed)
        if frontier.size % EVERY == 0:
            advance(frontier.size, size)
    if frontier.size != size:
        raise _damage(f"{frontier.size} entries, but the last checkpoint is over {size}")
    return Verified(verifier.name, size, frontier.root(), len(signed), notes[size]), frontier


def _signed_roots(notes: Mapping[int, bytes], verifier: Verifier) -> Mapping[int, bytes]:
    """Size to root of every checkpoint; each note verified."""
    signed = {}
    for size, note in notes.items():
        checkpoint = _opened(note, verifier, f"checkpoint of size {size}")
        if checkpoint.size != size:
            raise _damage(f"checkpoint of size {size}: its note says {checkpoint.size}")
        signed[size] = checkpoint.root
    if 0 not in signed:
        raise _damage("the checkpoint of size 0 is missing")
    return signed


def _check_contained(note: bytes, where: str, verifier: Verifier, signed: Mapping[int, bytes]) -> None:
    """Whether the log still begins with what a checkpoint from outside the database is over."""
    checkpoint = _opened(note, verifier, where)
    size = max(signed)
    if checkpoint.size > size:
        raise _damage(
            f"{size} entries are signed, but {where} is over {checkpoint.size}: the log was rolled back"
        )
    if signed.get(checkpoint.size) != checkpoint.root:
        raise _damage(f"{where} is of another log, over {checkpoint.size} entries")


def _check_row(row: Row, seq: int) -> None:
    stored_seq, event, run, body = row
    if stored_seq != seq:
        raise _damage(f"entry {seq} is missing, {stored_seq} stands in its place")
    try:
        entry = decode(body)
    except RecordError as error:
        raise _damage(f"entry {seq}: {error}") from error
    if (entry.seq, entry.event, entry.run) != (seq, event, run):
        raise _damage(f"entry {seq}: its columns say something else than its body")


def _check_root(frontier: Frontier, signed: Mapping[int, bytes]) -> None:
    root = signed.get(frontier.size)
    if root is not None and root != frontier.root():
        raise _damage(f"the first {frontier.size} entries are not those that were signed")


def _opened(note: object, verifier: Verifier, where: str) -> Checkpoint:
    try:
        if not isinstance(note, bytes):  # what a damaged page may hold
            raise RecordError("not bytes")
        checkpoint = Checkpoint.parse(open_note(note, verifier))
        if checkpoint.origin != verifier.name:
            raise RecordError(f"origin {checkpoint.origin!r}, not {verifier.name!r}")
    except RecordError as error:
        raise _damage(f"{where}: {error}") from error
    return checkpoint


def _damage(what: str) -> RecordError:
    return RecordError(f"the record is damaged: {what}", hint=DAMAGE_HINT)
