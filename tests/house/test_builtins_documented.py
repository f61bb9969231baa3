"""Every built-in plugin says in its README what it is, every setting it takes, and what it is not."""

from __future__ import annotations

import json
import re

import pytest
from pp_host.app.founding import BUILTINS
from pp_host.trust import archive, manifest

FOLDERS = sorted(path.parent for path in BUILTINS.glob("*/plugin.yaml"))
ROW = re.compile(r"^\| (`[a-z_`, ]+) \|", re.MULTILINE)


def described(readme: str) -> set[str]:
    """The settings that a README's tables name, one or several a row."""
    return {name for row in ROW.findall(readme) for name in re.findall(r"`([a-z_]+)`", row)}


def settings(folder) -> dict[str, dict[str, object]]:
    file = folder / "config.schema.json"
    return json.loads(file.read_text(encoding="utf-8"))["properties"] if file.is_file() else {}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_readme_names_the_plugin_its_settings_and_what_it_is_not(folder):
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert readme.startswith(f"# {folder.name.replace('_', '-')}\n")
    assert "\nWhat it is not: " in readme
    assert described(readme) == set(settings(folder))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_what_it_asks_for_is_named_in_its_readme(folder):
    described, _ = manifest.of_package(archive.pack_folder(folder))
    assert described.id == f"dev.probablyprofit.{folder.name.replace('_', '-')}"
    readme = (folder / "README.md").read_text(encoding="utf-8")
    for capability in described.capabilities:
        name = capability.__struct_config__.tag
        assert name in {"market.read", "decision.propose"} or f"`{name}`" in readme, name


def test_all_of_them_are_on_the_list():
    listed = re.findall(r"\]\((\w+)/README\.md\)", (BUILTINS / "README.md").read_text(encoding="utf-8"))
    assert sorted(listed) == [folder.name for folder in FOLDERS]


@pytest.mark.parametrize(
    ("row", "names"), [("| `a_b`, `c` | 1 |", {"a_b", "c"}), ("| a | `b` |", set()), ("`a`", set())]
)
def test_a_described_setting_is_seen(row, names):
    assert described(row) == names
