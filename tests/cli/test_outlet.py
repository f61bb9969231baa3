"""What is told goes out without waiting for who reads it: at once, late, or never."""

from __future__ import annotations

import os
import time

import pytest
from pp_host.cli import outlet
from pp_host.cli.outlet import Outlet


@pytest.fixture
def pipe():
    reader, writer = os.pipe()
    ends = {"reader": reader, "writer": writer}
    yield ends
    for end in ends.values():
        os.close(end)


def read_all(descriptor):
    """Everything up to a moment of silence."""
    os.set_blocking(descriptor, False)
    found, silent_since = b"", time.monotonic()
    while time.monotonic() - silent_since < 0.3:
        try:
            found += os.read(descriptor, 65536)
            silent_since = time.monotonic()
        except BlockingIOError:
            time.sleep(0.01)
    return found.decode()


def test_who_reads_gets_everything_in_order_before_the_end(pipe):
    out = Outlet(pipe["writer"])
    lines = [f"line {number}\n" for number in range(500)]
    for line in lines:
        assert out.write(line) == len(line)
    out.close()
    assert read_all(pipe["reader"]) == "".join(lines)


def test_nobody_waits_for_who_does_not_read(pipe):
    out = Outlet(pipe["writer"])
    began = time.monotonic()
    for _ in range(1000):
        out.write("x" * 999 + "\n")
    assert time.monotonic() - began < 1
    out.close()
    assert time.monotonic() - began < outlet.LAST_SECONDS + 1
    read_all(pipe["reader"])


def test_who_reads_late_is_told_how_much_was_left_out(pipe):
    out = Outlet(pipe["writer"])
    for number in range(1000):
        out.write(f"{number:03d}" + "x" * 996 + "\n")
    told = read_all(pipe["reader"]).splitlines()
    shown = [int(line[:3]) for line in told if not line.startswith("(")]
    left_out = [line for line in told if line.startswith("(")]
    assert shown == sorted(set(shown))
    assert len(shown) < 1000
    assert {line.partition(" ")[2] for line in left_out} == {"lines left out: nobody read them in time)"}
    assert sum(int(line[1:].partition(" ")[0]) for line in left_out) == 1000 - len(shown)
    out.write("and on\n")
    out.close()
    assert read_all(pipe["reader"]) == "and on\n"


def test_who_is_gone_is_told_nothing_and_nobody_minds(pipe):
    out = Outlet(pipe["writer"])
    os.close(pipe.pop("reader"))
    for _ in range(100):
        out.write("line\n")
    began = time.monotonic()
    out.close()
    assert time.monotonic() - began < outlet.LAST_SECONDS / 2


def test_an_outlet_that_is_not_used_starts_no_thread(pipe):
    out = Outlet(pipe["writer"])
    out.close()
    assert out._thread is None


def test_a_descriptor_that_does_not_block_loses_nothing(pipe):
    os.set_blocking(pipe["writer"], False)
    out = Outlet(pipe["writer"])
    lines = [f"{number:03d}" + "x" * 996 + "\n" for number in range(200)]  # three times what a pipe holds
    for line in lines:
        out.write(line)
    assert read_all(pipe["reader"]) == "".join(lines)
    out.close()
