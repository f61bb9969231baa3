"""A session whose lines nobody reads: every cycle is played, in time, as when they are read."""

from __future__ import annotations

import fcntl
import os
import pty
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CYCLES = 4
PATIENCE = 60

MANIFEST = """schema: probablyprofit/plugin/v1
id: test.talker
version: 1.0.0
kind: agent
title: A talker
summary: Prints more than a pipe holds.
license: MIT
authors: [{name: Nobody}]
api: {sdk: ">=1,<2", python: ">=3.11"}
entry: {module: talker, object: plugin, runtime: python}
hooks: [decide]
capabilities:
  - {use: market.read, reason: "to talk about it"}
limits: {memory_mb: 192, cpu_seconds_per_call: 1, wall_seconds_per_call: 2, tmp_mb: 0}
"""
CODE = """
from pp_sdk import hookimpl

class Agent:
    @hookimpl
    def decide(self, observation):
        for _ in range(30):
            print("x" * 1500, flush=True)
        return []

plugin = Agent()
"""


@pytest.fixture(scope="module")
def home(new_home: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("talker") / "talker"
    folder.mkdir()
    (folder / "plugin.yaml").write_text(MANIFEST)
    (folder / "talker.py").write_text(CODE)
    home = new_home()
    home.install(folder)
    home.configure(
        '[host]\ncycle_seconds = 0.2\n[plugins."dev.probablyprofit.source-sample"]\n[plugins."test.talker"]\n'
    )
    return home


def unread_pipe() -> tuple[int, int]:
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    return reader, writer


@pytest.fixture(params=["unread", "unread terminal", "gone"])
def stderr(request: pytest.FixtureRequest) -> Iterator[int]:
    """The writing end of a pipe or terminal that nobody reads."""
    reader, writer = pty.openpty() if request.param == "unread terminal" else unread_pipe()
    if request.param == "gone":
        os.close(reader)
    yield writer
    os.close(writer)
    if request.param != "gone":
        os.close(reader)


def test_every_cycle_is_played_and_the_end_comes_in_time(home: Any, pp_path: Path, stderr: int) -> None:
    words = [pp_path, "run", "--cycles", str(CYCLES), "--home", home.root]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=stderr, timeout=PATIENCE, check=False)
    assert done.returncode == 0
    last = home.entries("run.end")[-1]
    assert last["subject"]["cycles"] == CYCLES
    assert home.entries("host.stop")[-1]["run"] == last["run"]


def test_who_reads_sees_the_lines(home: Any, pp_path: Path) -> None:
    words = [pp_path, "run", "--cycles", "1", "--home", home.root]
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.stderr.count("talker | x") == 30
