"""Attacks on what the machine has only so much of."""

import os

import pytest
from pp_host.limits import LIMITS

from tests.escape.case import LEAKS, Case, Control, ends, gets, raises, soft
from tests.escape.prison import imprisoned

NO_MEMORY, NO_THREAD = raises("MemoryError"), raises("RuntimeError")
ROOMY = {"memory_mb": 2048}

CASES = [
    Case("memory", ("hold", 300), NO_MEMORY, None, Control(answer=gets(300))),
    Case("one long text", ("text", 300), NO_MEMORY, None, Control(answer=gets(300 << 20))),
    Case("a compressed bomb", ("inflate", 300), NO_MEMORY, None, Control(answer=gets(300 << 20))),
    soft("address space", ("reserve", 64), "ENOMEM", answer=gets(64 << 30)),
    soft("shared memory", ("shared_memory", 300), "ENOMEM", answer=gets(300 << 20)),
    soft("descriptors", ("descriptors", 200), "EMFILE", answer=gets(200)),
    soft("pipes", ("pipes", 100), "EMFILE", answer=gets(100)),
    soft("pairs of sockets", ("sockets", 100), "EMFILE", answer=gets(100)),
    Case("threads", ("threads", 100), NO_THREAD, None, Control(answer=gets(100))),
    Case(
        "threads where memory is no bound",
        ("threads", 100),
        NO_THREAD,
        LEAKS,
        Control(answer=gets(100)),
        ROOMY,
    ),
    Case("a thread with a large stack", ("thick_thread", 512), NO_THREAD),
    soft("processes", ("processes", 50), "EAGAIN", fresh=True, answer=gets(50)),
    soft(
        "disk", ("fill", "/tmp/full", 2), "EROFS", "EACCES", arguments=("{folder}/full", 2), changes="folder"
    ),
    Case("the processor", ("spin", 1.5), ends("SIGKILL"), None, Control(), {"cpu_seconds_lifetime": 1}),
]


def test_attack(attempt):
    attempt()


def test_disk_where_tmp_is_granted():
    with imprisoned(tmp_mb=4) as prisoner:
        assert prisoner.tries("bombs", "fill", "/tmp/small", 1) == gets(1 << 20)
        assert prisoner.tries("files", "listing", "/tmp") == gets(["small"])
        assert prisoner.tries("bombs", "fill", "/tmp/large", 2) == {"errno": "EFBIG"}
        assert prisoner.tries("files", "mode", "/tmp/small") == {"errno": "EPERM"}
        assert prisoner.tries("files", "point", "/tmp") == {"errno": "EPERM"}
    with imprisoned(tmp_mb=4, file_size_mb=4) as prisoner:
        assert prisoner.tries("bombs", "fill", "/tmp/large", 2) == gets(2 << 20)
    with imprisoned(tmp_mb=1, file_size_mb=8) as prisoner:
        assert prisoner.tries("bombs", "fill", "/tmp/large", 2) == {"errno": "ENOSPC"}


@pytest.mark.parametrize("memory_mb", [LIMITS.process.memory_mb, 4096])
def test_honest_threads_are_granted(memory_mb):
    with imprisoned(memory_mb=memory_mb) as prisoner:
        assert prisoner.tries("bombs", "threads", 8) == gets(8)


def test_no_orphan():
    with imprisoned() as prisoner:
        pid = prisoner.jailed.pid
        assert prisoner.tries("bombs", "threads", 2) == gets(2)
    assert not os.path.exists(f"/proc/{pid}")
