"""The writer of the record: entries are taken at once, committed in groups, and signed with every commit.

Laws: one writer per state folder, held by a lock for its whole life. A damaged log never opens. Every
commit brings its entries and a signed checkpoint over them together, so there is never an unsigned tail.
Any failure to write ends the record: no later append and no wait succeeds, and nothing new may happen.
`append` is called from one thread; a thread of the record's own does the writing. The process must not fork
and go on using the record.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Literal, cast

from msgspec import Struct

from pp_host import disk
from pp_host.clock import boot_id
from pp_host.errors import EntryRefused, RecordError
from pp_host.limits import LIMITS
from pp_host.record.entry import EVENTS, HOST, Actor, Entry, as_map, encode, timestamp
from pp_host.record.merkle import Frontier, leaf_hash
from pp_host.record.note import Checkpoint, RecordKey, sign_note
from pp_host.record.store import COPY, Row, Store, lock_writer, read_copy
from pp_host.record.verify import replay

_CLOSED: Final = "it is closed"


class Record:
    """An open record. `open` makes it; whoever opened it must `close` it."""

    def __init__(self, state_dir: Path, key: RecordKey, origin: str, run: str) -> None:
        self._state_dir, self._key, self._verifier = state_dir, key, key.verifier(origin)
        self._run, self._boot = run, boot_id()
        with ExitStack() as undo:
            undo.callback(os.close, lock_writer(state_dir))
            self._store = Store.for_writing(state_dir, self._sign(Frontier())[1])
            undo.callback(self._store.close)
            _, self._frontier = replay(self._store, self._verifier, read_copy(state_dir))
            self._signed = self._sign(self._frontier)
            self._publish()
            self._held = undo.pop_all()
        self._next = self._frontier.size
        self._lock = threading.Lock()  # guards the five below
        self._changed = threading.Condition(self._lock)
        self._queue: list[Row] = []
        self._waiting: list[tuple[int, Future[None]]] = []
        self._closing = False
        self._ended = ""  # why nothing is written any more, once that is so
        self._thread = threading.Thread(target=self._write, name="record", daemon=True)
        self._thread.start()

    @classmethod
    def open(cls, state_dir: Path, key: RecordKey, origin: str, *, run: str) -> Record:
        """Take the writer's lock and check the whole log against its checkpoints and the last one's copy.

        Refused: another process is the writer. RecordError: the log is damaged, cut short or rolled back.
        """
        try:
            return cls(state_dir, key, origin, run)
        except OSError as error:
            hint = "mend the disk or the folder's permissions, then try again"
            raise RecordError(f"the record cannot be opened: {error}", hint=hint) from error

    def append(
        self,
        event: str,
        subject: Mapping[str, Any] | Struct,
        *,
        cause: int | None = None,
        actor: Actor = HOST,
        capability: str = "",
        verdict: str = "",
        rule: str = "",
    ) -> int:
        """Add an entry and return its seq at once; it is not yet durable.

        RecordError: the record cannot be written, nothing new may happen. EntryRefused: not an entry, or
        too long. Waits a moment when limits.record.queue_entries are still to be written.
        """
        if event not in EVENTS:
            raise EntryRefused(f"record entry: {event!r} is not an event")
        now = time.time_ns() // 1000
        entry = Entry(
            seq=self._next,
            ts=timestamp(now),
            mono_ns=time.monotonic_ns(),
            boot=self._boot,
            run=self._run,
            actor=actor,
            event=event,
            capability=capability,
            verdict=cast("Literal['', 'allow', 'deny', 'error']", verdict),  # encode looks
            rule=rule,
            cause=cause,
            subject=subject if isinstance(subject, dict) else as_map(subject),
        )
        self._enqueue((entry.seq, event, self._run, encode(entry)))
        return entry.seq

    async def durable(self, seq: int) -> None:
        """Return once entry `seq` would survive a power cut; RecordError when that cannot be."""
        if seq >= self.size:
            await asyncio.wrap_future(self._promise(seq))

    def flush(self) -> None:
        """Return once everything appended so far is durable; RecordError when that cannot be."""
        if self._next > self.size:
            self._promise(self._next - 1).result()

    def close(self) -> None:
        """Write what is queued, bring the copy up to date, give the lock back. RecordError if any failed."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()
        self._held.close()
        if self._ended != _CLOSED:
            raise self._failure()

    @property
    def size(self) -> int:
        """Entries that are durable."""
        return self._signed[0].size

    @property
    def root(self) -> bytes:
        """The root over them."""
        return self._signed[0].root

    @property
    def last_checkpoint(self) -> bytes:
        """The signed note over them."""
        return self._signed[1]

    def _enqueue(self, row: Row) -> None:
        with self._lock:
            if len(self._queue) >= LIMITS.record.queue_entries:
                self._changed.wait_for(lambda: self._ended or len(self._queue) < LIMITS.record.queue_entries)
            if self._ended:
                raise self._failure()
            self._queue.append(row)
            self._next += 1
            if len(self._queue) in (1, LIMITS.record.batch_entries):
                self._changed.notify_all()

    def _promise(self, seq: int) -> Future[None]:
        promise: Future[None] = Future()
        with self._changed:
            if seq < self.size:
                promise.set_result(None)
            elif self._ended:
                raise self._failure()
            elif seq >= self._next:
                raise EntryRefused(f"entry {seq} was never appended")
            else:
                self._waiting.append((seq, promise))
                self._changed.notify_all()
        return promise

    def _failure(self) -> RecordError:
        return RecordError(
            f"the record cannot be written: {self._ended}",
            hint="nothing more is traded; mend the disk, then start again: the record is checked at start",
        )

    def _write(self) -> None:
        """The life of the writer's thread. However it ends, nobody is left waiting for it."""
        ended = "its writer broke down"
        try:
            self._serve()
            ended = _CLOSED
        except (RecordError, OSError) as error:
            ended = str(error)
        finally:
            with self._changed:
                self._ended = ended
                waiting, self._waiting = self._waiting, []
                self._changed.notify_all()
            for _, promise in waiting:
                if promise.set_running_or_notify_cancel():
                    promise.set_exception(self._failure())

    def _serve(self) -> None:
        while (batch := self._take()) is not None:
            if batch:
                self._commit(batch)
            if self._until_copy() == 0.0:
                self._publish()
        if self._until_copy() is not None:
            self._publish()

    def _take(self) -> list[Row] | None:
        """All that is queued, once it is worth a commit; empty when the copy is due, None to end."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closing, self._until_copy())
            if self._queue:
                self._changed.wait_for(self._in_demand, LIMITS.record.batch_seconds)
            batch, self._queue = self._queue, []
            self._changed.notify_all()
            return None if self._closing and not batch else batch

    def _in_demand(self) -> bool:
        return bool(self._waiting) or self._closing or len(self._queue) >= LIMITS.record.batch_entries

    def _commit(self, batch: list[Row]) -> None:
        for row in batch:
            self._frontier.append(leaf_hash(row[3]))
        signed = self._sign(self._frontier)
        self._store.commit(batch, self._frontier.size, signed[1])
        with self._changed:
            self._signed = signed
            kept = [promise for seq, promise in self._waiting if seq < self.size]
            self._waiting = [(seq, promise) for seq, promise in self._waiting if seq >= self.size]
        for promise in kept:
            if promise.set_running_or_notify_cancel():
                promise.set_result(None)

    def _sign(self, frontier: Frontier) -> tuple[Checkpoint, bytes]:
        checkpoint = Checkpoint(self._verifier.name, frontier.size, frontier.root())
        return checkpoint, sign_note(checkpoint.text, self._key, self._verifier)

    def _until_copy(self) -> float | None:
        """Seconds until the copy is to be rewritten, 0.0 when due; None while it is up to date."""
        if self._published == self.size:
            return None
        return max(0.0, self._publish_at - time.monotonic())

    def _publish(self) -> None:
        """Bring the copy outside the database up to date."""
        disk.write(self._state_dir / COPY, self._signed[1])
        self._published = self.size
        self._publish_at = time.monotonic() + LIMITS.record.copy_seconds
