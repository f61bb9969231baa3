"""The measuring program measures. What it finds is nobody's pass or fail: that depends on the machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.__main__ import MEASURES
from tests.bench.figure import Figure, Pair, Target

ROOT = Path(__file__).resolve().parents[2]
TINY = ["--rounds", "1", "--turns", "2", "--calls", "10", "--plugins", "2"]


def bench(*arguments: str, **environment: str) -> dict:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", *TINY, *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_tiny_round_of_what_is_measured_without_a_peer():
    document = bench("T1", "T1r", "T4", "KILL", "T5", "T13")
    machine = document.pop("machine")
    assert {"python", "kernel", "cpus", "pinned", "load"} <= set(machine)
    absent = {"T1-uvloop"} if "not_here" in document["T1-uvloop"] else set()
    assert set(document) >= {"T1-blocking", "T1-asyncio", "T1r-session", "T4", "KILL", "T5", "T13-asyncio"}
    for name in set(document) - absent:
        found = document[name]
        unit = {"T5": "mb"}.get(name, "p99/p50" if name.startswith("T13") else "us")
        assert found["ratio"] > 0, name
        assert found[f"floor_{unit}"] > 0, name
        assert found[f"ours_{unit}"] > 0, name
        assert found["rounds"] == 1, name
        assert (found["target"] is None) == (found["met"] is None), name


def test_only_what_was_asked_for_is_measured():
    assert set(bench("T13-blocking")) == {"machine", "T13-blocking"}


def test_an_id_that_is_unknown_is_an_error_and_not_an_empty_document():
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "T1x"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "T1x: known are T1-blocking, " in done.stderr


@pytest.mark.parametrize(
    ("name", "variable", "value", "why"),
    [
        ("T2", "PP_BENCH_GRPC", "", "PP_BENCH_GRPC does not say"),
        ("T2", "PP_BENCH_GRPC", "/no/such/python", "cannot be run"),
        ("T6", "PP_BENCH_SRT", "", "PP_BENCH_SRT does not say"),
    ],
)
def test_a_peer_that_is_missing_is_told_and_no_figure_stands_for_it(name, variable, value, why):
    document = bench(name, **{variable: value})
    del document["machine"]
    assert document
    for found in document.values():
        assert set(found) == {"not_here"}
        assert why in found["not_here"]


def test_a_figure_is_the_median_of_ratios_within_rounds():
    pairs = [Pair(2.0, 1.0), Pair(90.0, 30.0), Pair(10.0, 1.0)]
    document = Figure(pairs, Target("<=", 2.5)).document()
    assert (document["ratio"], document["ratios"], document["met"]) == (3.0, [2.0, 10.0], False)
    assert Figure(pairs, Target("<=", 3.0)).document()["met"] is True
    assert Figure(pairs).document()["met"] is None


def test_faster_than_a_peer_is_the_other_way_round():
    document = Figure([Pair(10.0, 300.0)], Target(">=", 20), faster=True).document()
    assert (document["ratio"], document["target"], document["met"]) == (30.0, ">= 20x", True)


def test_a_bound_on_what_was_measured_itself():
    document = Figure([Pair(40_000.0, 1.0)], Target("<=", 50_000, of="ours")).document()
    assert (document["target"], document["met"]) == ("<= 50000 us", True)


def test_every_figure_is_documented():
    told = (ROOT / "docs" / "PERFORMANCE.md").read_text(encoding="utf-8")
    assert [name for ids in MEASURES for name in ids if f"`{name}`" not in told] == []
