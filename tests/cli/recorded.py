"""What tests of commands that read the record begin with: `pp` as an operator runs it, and records made by hand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pp_host.record.entry import Actor
from pp_host.record.log import Record
from pp_host.record.note import load_key

PP = Path(sys.executable).with_name("pp")
AGENT = "dev.probablyprofit.agent-value"
RUN = "20260101T000000Z-abcdef"
START = ("run.start", {"account": "paper", "mode": "paper"}, None)


def pp(*words, **options):
    return subprocess.run(
        [PP, *map(str, words)], capture_output=True, text=True, check=False, timeout=120, **options
    )


def written(home, *steps, plugin="org.example.x", run=RUN):
    """Append (event, subject, index of the step that caused it or None) as `plugin` did them; the entries' numbers."""
    numbers = []
    record = Record.open(home.state, load_key(home.keys / "record"), home.origin, run=run)
    try:
        for event, subject, cause in steps:
            because = None if cause is None else numbers[cause]
            actor = Actor("plugin", plugin, "1", "d")
            numbers.append(record.append(event, subject, cause=because, actor=actor))
    finally:
        record.close()
    return numbers
