"""The read models brought up to the record: a stretch of entries at a time, by any number of commands at once.

Laws: the record is only read. Tables whose last entry is not in the record are of another, and begin again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pp_host.home import Home
from pp_host.record.entry import Entry
from pp_host.record.reader import RecordReader
from pp_host.record.verify import Advance as Advance
from pp_host.record.verify import nobody as nobody
from pp_host.storage.apply import APPLY, Told
from pp_host.storage.read_model import ReadModel

STRETCH = 20_000  # entries of the record in one transaction


@contextmanager
def consulted(home: Home, advance: Advance = nobody) -> Iterator[ReadModel]:
    """The read models, brought up to the record as it is now. Errors: RecordError, OperatorError."""
    model = ReadModel(home.state / "read.db")
    try:
        with RecordReader.open(home.state) as reader:
            catch_up(model, reader, advance)
            yield model
    finally:
        model.close()


def catch_up(model: ReadModel, reader: RecordReader, advance: Advance = nobody) -> None:
    """Read what the record has beyond the tables, a stretch at a time; what another command reads meanwhile counts."""
    begun, mark = model.reached()
    size = reader.size
    if begun > size or (begun and mark != _mark(reader, begun)):  # another record, or an older copy
        model.forget()
        begun = 0
    first = begun
    while first < size:
        stop = min(first + STRETCH, size)
        entries = reader.entries(tuple(APPLY), first=first, stop=stop)
        model.catch_up(map(_told, entries), first=first, stop=stop, mark=_mark(reader, stop))
        first = model.next_seq
        if size - begun > STRETCH:
            advance(first - begun, size - begun)


def _mark(reader: RecordReader, size: int) -> str:
    """Of a record's first `size` entries, when and in which boot the last was written."""
    last = reader.entry(size - 1)
    return f"{last.ts} {last.mono_ns} {last.boot}"


def _told(entry: Entry) -> Told:
    plugin = entry.actor.id if entry.actor.kind == "plugin" else ""
    return Told(entry.seq, entry.event, entry.run, entry.ts, entry.subject, plugin, entry.cause)
