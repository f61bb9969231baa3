"""What an operator's command writes to the record, and what it reads from it, when no host is running."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from typing import Any

from pp_host.home import Home
from pp_host.latch import read_latch
from pp_host.record.entry import Actor
from pp_host.record.log import Record
from pp_host.record.note import load_key
from pp_host.record.reader import RecordReader
from pp_host.storage.read_model import ReadModel, Told


def operator() -> Actor:
    return Actor(kind="operator", id=getpass.getuser())


def record_operator(
    home: Home, event: str, subject: Mapping[str, Any], *, capability: str = "", verdict: str = ""
) -> int:
    """Append one durable entry as the operator and return its number.

    Refused when a running host is the writer: the command must then be said to that host.
    """
    record = Record.open(home.state, load_key(home.keys / "record"), home.origin, run="")
    try:
        seq = record.append(event, dict(subject), actor=operator(), capability=capability, verdict=verdict)
        record.flush()
    finally:
        record.close()
    return seq


def status(home: Home) -> dict[str, Any]:
    """What the record says of a home without a running host; fields as docs/CLI.md."""
    model = ReadModel(home.state / "read.db")
    try:
        with RecordReader.open(home.state) as reader:
            model.catch_up(
                Told(entry.seq, entry.event, entry.run, entry.ts, entry.subject)
                for entry in reader.entries(first=model.next_seq)
            )
        summary = model.summary()
    finally:
        model.close()
    return {"home": str(home.root), "running": False, "latched": read_latch(home.state), **summary}
