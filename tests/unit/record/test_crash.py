"""Killed at any moment, or out of disk: what was acknowledged is there, and nothing else is claimed."""

from __future__ import annotations

import random
import subprocess
import sys
import textwrap
import time

from pp_host.record.entry import decode

ROUNDS = 15
WRITER = """
    import asyncio, sys
    from pathlib import Path
    from pp_host.record.log import Record
    from pp_host.record.note import load_key

    async def session(record):
        while True:
            cause = None
            for n in range(7):
                seq = cause = record.append("snapshot", {"n": n, "text": "x" * 200}, cause=cause)
            await record.durable(seq)
            print(seq, flush=True)

    state, key, origin, run = sys.argv[1:]
    asyncio.run(session(Record.open(Path(state), load_key(Path(key)), origin, run=run)))
"""
LIMITED = """
    import resource, sys
    from pathlib import Path
    from pp_host.errors import RecordError
    from pp_host.record.log import Record
    from pp_host.record.note import load_key

    state, key, origin, run = sys.argv[1:]
    record = Record.open(Path(state), load_key(Path(key)), origin, run=run)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
    try:
        while True:
            seq = record.append("snapshot", {"text": "x" * 500})
            record.flush()
            print(seq, flush=True)
    except RecordError as error:
        print(error)
    for attempt in (lambda: record.append("snapshot", {}), record.flush, record.close):
        try:
            attempt()
        except RecordError:
            print("refused")
"""


def start(place, source, run):
    key = place.state.parent / "keys" / "record"
    command = [
        sys.executable,
        "-c",
        textwrap.dedent(source),
        str(place.state),
        str(key),
        place.verifier.name,
        run,
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_a_writer_killed_at_any_moment_loses_nothing_it_acknowledged(place):
    seed = time.time_ns()
    chance = random.Random(seed)
    acknowledged = -1
    for number in range(ROUNDS):
        with start(place, WRITER, f"run-{number}") as writer:
            first = writer.stdout.readline()
            time.sleep(chance.uniform(0.0, 0.06))
            writer.kill()
            told = [first, *writer.stdout.read().splitlines()]
        assert first.strip().isdecimal(), first
        assert int(first) > acknowledged, "a restarted writer goes on after what was acknowledged"
        # The last line may have been cut off in the pipe; every line before it is whole.
        acknowledged = max(int(line) for line in told[:-1] or told)
        assert place.verify().size > acknowledged, f"seed {seed}"
    with place.writing("run-last") as record:
        record.append("host.start", {})
    with place.reading() as reader:
        entries = list(reader.entries())
    assert [entry.seq for entry in entries] == list(range(len(entries)))
    assert {entry.run for entry in entries} == {f"run-{n}" for n in range(ROUNDS)} | {"run-last"}


def test_out_of_disk_ends_the_record_and_what_was_acknowledged_stays(place):
    with start(place, LIMITED, "run-1") as writer:
        output, _ = writer.communicate()
    lines = output.splitlines()
    seqs = [int(line) for line in lines if line.isdecimal()]
    assert writer.returncode == 0, output
    assert len(seqs) > 20
    assert lines[len(seqs)].startswith("the record cannot be written: ")
    assert lines[len(seqs) + 1 :] == ["refused"] * 3
    assert place.verify().size >= len(seqs)
    with place.writing("run-2") as record:
        assert record.append("host.start", {}) >= len(seqs)


def test_the_spelling_of_entries_has_not_moved():
    """A record must outlive our versions: bytes written once, read for ever."""
    body = (
        b'{"actor":{"digest":"","id":"","kind":"host","version":""},"boot":"b","capability":"","cause":4,'
        b'"event":"order.fill","mono_ns":9,"rule":"","run":"r","seq":5,'
        b'"subject":{"a":[1,null,true,"\\u001b\\n\xc3\xbc\x7f/"],"b":-18446744073709551616},'
        b'"ts":"2026-11-22T16:55:21.000000Z","v":1,"verdict":"allow"}'
    )
    entry = decode(body)
    assert entry.subject == {"a": [1, None, True, "\x1b\nü\x7f/"], "b": -(2**64)}
    assert (entry.cause, entry.verdict) == (4, "allow")
