"""A home that really ran, a home that did not, and commands spoken to either in this process."""

from __future__ import annotations

import json

import pytest
from pp_host.app.founding import found_home
from pp_host.cli.main import main

from tests.cli.recorded import pp


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """A home in which the built-ins ran in their sandboxes, and what the run reported."""
    root = tmp_path_factory.mktemp("demo") / "home"
    done = pp("demo", "--home", root, "--cycles", 60, "--seed", 7, "--json")
    assert done.returncode == 0, done.stderr
    return root, json.loads(done.stdout)


@pytest.fixture
def home(tmp_path):
    return found_home(tmp_path / "home")


@pytest.fixture
def said(capsys):
    """Run a command in this process; its JSON document."""

    def run(home, *words):
        assert main([*map(str, words), "--home", str(home), "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    return run


@pytest.fixture
def told(capsys):
    """Run a command in this process as a person would; (status, stdout, stderr)."""

    def run(home, *words):
        status = main([*map(str, words), "--home", str(home)])
        return status, *capsys.readouterr()

    return run
