"""The tree speaks for itself: a docstring on every module, no machine's paths, no registry, no loose ends."""

from __future__ import annotations

import ast
import re

import pytest

# Bracketed so that the patterns do not find themselves.
STRAY = re.compile(
    r"/w[o]rk/|/r[o]ot/|/h[o]me/[a-z]|b[a]sh_jobs|/opt/(?:wh|py)|p[y]pi\.org|p[y]thonhosted|registry\.n[p]mjs|/s[i]mple/"
    r"|(?<!emit-)i[n]dex-url|g[i]t@|g[i]thub\.com/"
)
LOOSE = re.compile(r"\bT[O]DO\b|\bF[I]XME\b|\bX[X]X\b|N[o]tImplementedError")


def undescribed(tree: ast.Module) -> bool:
    """Whether a module with anything in it says nothing about itself."""
    return bool(tree.body) and ast.get_docstring(tree) is None


def hits(pattern: re.Pattern[str], texts: dict[str, str]) -> list[str]:
    return [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in texts.items()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def test_every_module_says_what_it_is_for(host, sdk):
    assert [module.name for module in [*host, *sdk] if undescribed(module.tree)] == []


def test_the_tree_names_no_machine_and_no_registry(texts):
    assert hits(STRAY, texts) == []


def test_the_tree_has_no_loose_ends(texts):
    assert hits(LOOSE, texts) == []


def test_no_name_of_someone_elses_package_is_offered_for_installation(texts):
    """`pp` and `probablyprofit` belong to others in the public index."""
    offered = re.compile(r"(?:pip|pipx|uv tool|uvx?) (?:install|run|add) [\"'`]?(?:pp|probablyprofit)\b")
    assert hits(offered, texts) == []


def test_what_is_searched_for_is_found():
    planted = {"a": "cd /ro" + "ot/project", "b": "# TO" + "DO later", "c": "docs/adr"}
    assert [hit.split(":")[0] for hit in hits(STRAY, planted) + hits(LOOSE, planted)] == ["a", "b"]


@pytest.mark.parametrize(("text", "silent"), [("", False), ("'''Laws.'''\nx = 1", False), ("x = 1", True)])
def test_a_silent_module_is_seen(text, silent):
    assert undescribed(ast.parse(text)) is silent
