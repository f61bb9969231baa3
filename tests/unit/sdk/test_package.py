"""The package as a whole: what it offers, what it weighs, and what it may import."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pp_sdk

SOURCE = Path(pp_sdk.__file__).parents[1]
VOCABULARY = """
    Account Advice Brief CLOSED DecideEnd DecideStart Decision DecisionMade Event Fill Keep MICRO MarketRow MarketTable
    MarketUpdate Missed NO OPEN Observation ObserveEnd ObserveStart PluginFall Position PositionUpdate Proposal Quote
    RESOLVED RemoteError RiskBreach RiskCheck RiskView Row RunEnd RunStart Settlement Shrink SnapshotRequest TableError
    TradeEnd TradeError TradeStart Veto YES build clock files hookimpl kv log
"""


def loaded_by(statement):
    """The modules in a fresh interpreter after `statement`, without site-packages' .pth files."""
    path = os.pathsep.join([str(SOURCE), *sys.path])
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env={"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_the_authors_vocabulary():
    assert sorted(pp_sdk.__all__) == sorted(VOCABULARY.split())
    assert all(hasattr(pp_sdk, name) for name in pp_sdk.__all__)


def test_the_version_is_the_distributions():
    project = tomllib.loads((SOURCE.parent / "pyproject.toml").read_text())["project"]
    assert pp_sdk.__version__ == project["version"]


def test_the_runner_needs_no_event_loop_and_nothing_heavy():
    modules = loaded_by("import pp_sdk.runner")
    assert "pp_sdk.session" in modules
    heavy = {
        "asyncio",
        "importlib.metadata",
        "subprocess",
        "ssl",
        "zipfile",
        "urllib",
        "http",
        "email",
        "logging",
    }
    assert not heavy & modules


def test_only_the_declared_dependencies_are_imported():
    modules = loaded_by("import pp_sdk.runner, pp_sdk.testing, pp_sdk.wire.aio")
    ours = {name.partition(".")[0] for name in modules} - set(sys.stdlib_module_names)
    assert ours - {"__main__", "pp_sdk", "msgspec", "pluggy"} <= {
        "typing_extensions"
    }  # msgspec takes it where it is
