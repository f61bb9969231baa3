"""A record of its own for each test."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from pp_host.record.log import Record
from pp_host.record.note import RecordKey, Verifier, generate_key
from pp_host.record.reader import RecordReader
from pp_host.record.verify import Verified, verify

ORIGIN = "example.com/record"


@dataclass(frozen=True)
class Place:
    """A state folder and the key of its record."""

    state: Path
    key: RecordKey

    @property
    def verifier(self) -> Verifier:
        return self.key.verifier(ORIGIN)

    def open(self, run="run-1") -> Record:
        return Record.open(self.state, self.key, ORIGIN, run=run)

    @contextmanager
    def writing(self, run="run-1"):
        record = self.open(run)
        try:
            yield record
        finally:
            record.close()

    def reading(self):
        return RecordReader.open(self.state)

    def verify(self) -> Verified:
        return verify(self.state, self.verifier)


@pytest.fixture
def place(tmp_path) -> Place:
    state, keys = tmp_path / "state", tmp_path / "keys"
    state.mkdir()
    keys.mkdir()
    return Place(state, generate_key(keys / "record", ORIGIN))
