"""What plugins keep, through `pp`: over restarts of plugin and host, by kind of run, within its quota, and each its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SOURCE = "dev.probablyprofit.source-sample"
MANIFEST = """schema: probablyprofit/plugin/v1
id: test.keeper.NAME
version: VERSION
kind: agent
title: Keeper
summary: Keeps things.
license: MIT
authors: [{name: Tester}]
api: {sdk: ">=1,<2", python: ">=3.11"}
entry: {module: keeper, object: plugin, runtime: python}
hooks: [decide]
capabilities:
  - {use: market.read, reason: "is called with markets"}
ASKED
"""
KEEPING = """  - {use: storage.kv, mb: 1, reason: "remembers"}
  - {use: storage.append, mb: 1, reason: "notes"}"""
CODE = """
from __future__ import annotations
import os, struct
from pp_sdk import Decision, RemoteError, files, hookimpl, kv, log

def say(text):
    return [Decision(market="report", outcome="yes", side="buy", probability=0.5, rationale=text)]

def tried(action):
    try:
        return "done: " + repr(action())
    except (RemoteError, ValueError) as error:
        return type(error).__name__ + ": " + str(error)

class Agent:
    @hookimpl
    def decide(self, observation):
        BODY

plugin = Agent()
"""
COUNTS = "kv.put('n', b'%d' % (int(kv.get('n') or b'0') + 1)); files.append('n.txt', kv.get('n').decode()); return say(kv.get('n').decode())"


@pytest.fixture
def settle(new_home: Any, tmp_path: Path) -> Callable[..., Any]:
    """A home that runs agents with these bodies of `decide`, by name."""

    def make(bodies: dict[str, str], *, asked: str = KEEPING) -> Any:
        home = new_home()
        lines = [
            "[host]",
            "cycle_seconds = 0.05",
            f'[plugins."{SOURCE}"]',
            "config = {markets = 3, seed = 7}",
        ]
        for name, body in bodies.items():
            bring(home, tmp_path, name, body, asked=asked)
            lines.append(f'[plugins."test.keeper.{name}"]')
        home.configure("\n".join(lines) + "\n")
        return home

    return make


def bring(
    home: Any, scratch: Path, name: str, body: str, *, asked: str = KEEPING, version: str = "1.0.0"
) -> None:
    folder = scratch / f"{name}-{version}"
    folder.mkdir()
    manifest = MANIFEST.replace("NAME", name).replace("VERSION", version).replace("ASKED", asked)
    (folder / "plugin.yaml").write_text(manifest)
    (folder / "keeper.py").write_text(CODE.replace("BODY", body))
    home.install(folder)


def ran(home: Any, *words: object) -> dict[str, Any]:
    done = home.pp("run", *words, "--json")
    assert done.status == 0, done.stderr
    return done.json


def said(home: Any, name: str) -> list[str]:
    """What a keeper reported, in order."""
    wishes = [one for one in home.entries("decision") if one["actor"].get("id") == f"test.keeper.{name}"]
    return [one["subject"]["rationale"] for one in wishes]


def test_it_survives_restarts_of_the_host(settle: Any) -> None:
    home = settle({"counts": COUNTS})
    ran(home, "--cycles", 3)
    ran(home, "--cycles", 2)
    assert said(home, "counts") == ["1", "2", "3", "4", "5"]
    assert (home.root / "state/files/test.keeper.counts/n.txt").read_text() == "1\n2\n3\n4\n5\n"
    puts = [one["subject"] for one in home.entries("storage.put")]
    assert [(one["key"], one["bytes"]) for one in puts] == [("n", 1)] * 5
    assert [one["subject"]["reads"] for one in home.entries("storage.read")] == [9, 6]
