"""The plugin template, walked as its README says: tested, packed, signed, verified, installed, run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pp_host.config.reader import parse
from pp_sdk import Fill, TradeError
from pp_sdk.testing import FakeHost, brief, check_output, event, market

ROOT = Path(__file__).parents[2]
ID = "org.example.my-agent"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A copy, as an author would make one."""
    ignored = shutil.ignore_patterns("__pycache__", ".pytest_cache")
    return Path(
        shutil.copytree(
            ROOT / "plugin-template" / "my_agent",
            tmp_path_factory.mktemp("author") / "my_agent",
            ignore=ignored,
        )
    )


@pytest.fixture(scope="module")
def pp(tmp_path_factory):
    """Runs `pp` on a new home; its exit status must be 0, its JSON comes back."""
    home = tmp_path_factory.mktemp("operator") / "home"
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}

    def run(*words):
        command = [Path(sys.executable).with_name("pp"), *words, "--home", home, "--json"]
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    run("init")
    return run


@pytest.fixture(scope="module")
def package(folder, pp):
    packed = Path(pp("plugin", "pack", folder, "--out", folder.parent)["path"])
    pp("plugin", "sign", packed, "--dev")
    return packed


@pytest.mark.parametrize("words", [(), ("--import-mode=importlib",)], ids=["as told", "importlib"])
def test_its_own_tests_pass_beside_the_folder(folder, words):
    """There `my_agent` is a folder on sys.path, or a package made for the tests, under the module's name."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:randomly",
        *words,
        "my_agent",
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, cwd=folder.parent
    )
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout


def test_its_code_is_short(folder):
    assert len((folder / "my_agent.py").read_text().splitlines()) <= 30


def test_the_package_holds_the_plugin_and_not_its_tests(package, pp, folder):
    packed = pp("plugin", "pack", folder, "--out", folder.parent)
    assert packed["files"] == ["config.schema.json", "my_agent.py", "plugin.yaml"]
    assert package.name == f"{ID}-0.1.0.ppz"


def test_it_verifies_installs_and_is_listed(package, pp):
    assert pp("plugin", "verify", package)["ok"]
    granted = pp("plugin", "install", package, "--yes")
    assert (granted["id"], [one["use"] for one in granted["capabilities"]]) == (
        ID,
        ["market.read", "decision.propose"],
    )
    assert ID in [plugin["id"] for plugin in pp("plugin", "list")["plugins"]]


def test_it_decides_behind_the_walls(package, pp):
    pp("plugin", "install", package, "--yes")
    settings = Path(pp("config", "check")["file"])
    settings.write_text(
        settings.read_text()
        + f"""
[plugins."{ID}"]
budget = {{order_usd = 10, day_usd = 100, exposure_usd = 50, orders_per_minute = 6}}
"""
    )
    ran = pp("run", "--mode", "dry-run", "--once")
    (mine,) = [plugin for plugin in ran["plugins"] if plugin["id"] == ID]
    assert (mine["calls"], mine["state"], mine["ended"]) == (1, "stopped", "")


def test_the_readme_names_the_commands_walked_here():
    text = (ROOT / "plugin-template" / "README.md").read_text()
    for words in (
        "cp -r plugin-template/my_agent ~/",
        "-m pytest my_agent",
        "plugin pack",
        "plugin sign",
        "--dev",
        "plugin verify",
        "plugin install",
    ):
        assert words in text
    (section,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    assert parse(section, {}).enabled() == (ID,)


def plugins_of_the_readme() -> tuple[object, object]:
    """The output and the strategy that the template's README shows."""
    readme = (ROOT / "plugin-template" / "README.md").read_text()
    made = []
    for code in re.findall(r"```python\n(.*?)```", readme, re.DOTALL):
        module: dict[str, object] = {}
        exec(code, module)
        made.append(module["plugin"])
    output, strategy = made
    return output, strategy


def test_the_output_of_the_readme_bears_every_event(capsys):
    output, _ = plugins_of_the_readme()
    check_output(output)
    FakeHost(output).notify(event(Fill, market="rain"), event(Fill, "none"), event(TradeError))
    told = capsys.readouterr().out.splitlines()
    assert told[-3:] == ["buy 25 yes of rain at 0.5", "buy yes of m1 at 0.5", "m1: rejected"]


@pytest.mark.parametrize(("name", "chosen"), [("tight", ["a"]), ("wide", ["a", "b"])])
def test_the_strategy_of_the_readme_selects_by_its_brief(name, chosen):
    _, strategy = plugins_of_the_readme()
    near, far, away = market("a", bid=40, ask=41), market("b", bid=40, ask=44), market("c", bid=40, ask=46)
    with FakeHost(strategy, brief=brief("Only tight markets.", name)) as host:
        assert [(one.market, one.score) for one in host.select(near, far, away)] == [
            (one, 500_000) for one in chosen
        ]
