"""Whole sessions through `pp`: a home, packages signed by it, and what the record says afterwards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pp_host.app.founding import install_folder
from pp_host.home import Home
from pp_host.trust.keys import SigningKey
from pp_host.trust.truststore import TrustStore

PP = Path(sys.executable).with_name("pp")
TIMEOUT = 300


@dataclass(frozen=True)
class Result:
    status: int
    stdout: str
    stderr: str

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.stdout)


def run_pp(*words: object, timeout: float = TIMEOUT) -> Result:
    """Run `pp` as an operator would, with nothing of the tester's environment but a path."""
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
    done = subprocess.run(
        [PP, *map(str, words)], capture_output=True, text=True, timeout=timeout, env=environment, check=False
    )
    return Result(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True)
class Place:
    """A home and how to speak to it."""

    root: Path

    def pp(self, *words: object, timeout: float = TIMEOUT) -> Result:
        return run_pp(*words, "--home", self.root, timeout=timeout)

    def install(self, folder: Path) -> str:
        """Pack, sign with the home's key and install: what `pp plugin pack, sign, install` do, in one process."""
        home = Home.open(self.root)
        key = SigningKey.read((home.keys / "dev").read_bytes(), lambda: b"")
        return install_folder(home, folder, key, TrustStore.open(home.trust_file))

    def configure(self, text: str) -> None:
        (self.root / "pp.toml").write_text(text)

    def entries(self, *events: str) -> list[dict[str, Any]]:
        """Every entry of these events, oldest first, straight from the record's file."""
        import sqlite3
        from contextlib import closing

        with closing(
            sqlite3.connect(f"file:{self.root / 'state' / 'record.db'}?mode=ro", uri=True)
        ) as database:
            bodies = [
                json.loads(body) for (body,) in database.execute("SELECT body FROM entries ORDER BY seq")
            ]
        return [body for body in bodies if not events or body["event"] in events]


@pytest.fixture(scope="session")
def new_home(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Place]:
    """Makes a home with the built-ins installed."""

    def make() -> Place:
        root = tmp_path_factory.mktemp("pp") / "home"
        made = run_pp("init", root)
        assert made.status == 0, made.stderr
        return Place(root)

    return make


@pytest.fixture(scope="session")
def pp() -> Callable[..., Result]:
    return run_pp


@pytest.fixture(scope="session")
def pp_path() -> Path:
    return PP
