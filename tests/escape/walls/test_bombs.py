"""Attacks on what the machine has only so much of."""

import os

from pp_host.limits import LIMITS


def test_memory(prisoner):
    assert prisoner.tries("memory_bomb") == {"error": "MemoryError"}
    assert "value" in prisoner.tries("identity")


def test_descriptors(prisoner):
    assert prisoner.tries("descriptor_bomb") == {"errno": "EMFILE"}


def test_threads(victim, outside):
    most = victim.tries("thread_bomb", 500)["value"]
    assert 8 <= most < LIMITS.process.processes
    assert outside("thread_bomb", 100) == {"value": 100}


def test_threads_where_memory_is_no_bound(imprison):
    with imprison(memory_mb=4096) as prisoner:
        most = prisoner.tries("thread_bomb", 500)["value"]
    assert LIMITS.process.processes - 4 < most < LIMITS.process.processes


def test_disk_where_tmp_is_granted(imprison):
    with imprison(tmp_mb=4) as prisoner:
        assert prisoner.tries("fill_file", "/tmp/small", 1000) == {"value": 1000}
        assert prisoner.tries("list_folder", "/tmp") == {"value": ["small"]}
        assert prisoner.tries("fill_file", "/tmp/large", 2 << 20) == {"errno": "EFBIG"}
        assert prisoner.tries("raw", 90, 0, 0) == {"errno": "EPERM"}
    with imprison(tmp_mb=4, file_size_mb=4) as prisoner:
        assert prisoner.tries("fill_file", "/tmp/large", 2 << 20) == {"value": 2 << 20}
    with imprison(tmp_mb=1, file_size_mb=8) as prisoner:
        assert prisoner.tries("fill_file", "/tmp/large", 2 << 20) == {"errno": "ENOSPC"}


def test_processor_backstop(imprison):
    with imprison(cpu_seconds_lifetime=1) as prisoner:
        assert prisoner.tries("spin") == {"signal": "SIGKILL"}


def test_no_orphan(imprison):
    with imprison() as prisoner:
        pid = prisoner.jailed.pid
        assert "value" in prisoner.tries("identity")
    assert not os.path.exists(f"/proc/{pid}")
