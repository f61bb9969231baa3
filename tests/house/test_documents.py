"""Documents name what exists: tests, decisions, and each other."""

from __future__ import annotations

import re

import pytest

LAST = "## A change violates this decision when ..."
SECTIONS = ["## Context", "## Decision", "## Considered", "## Consequences", LAST]
TEST_FILE = re.compile(r"\btests/[\w./-]+\.py\b")
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#]+)")


def decisions(root):
    return sorted((root / "docs" / "adr").glob("*.md"))


def test_decisions_are_numbered_without_gaps(root):
    numbers = [int(path.name[:4]) for path in decisions(root)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert numbers


def test_every_decision_has_its_sections_and_ends_with_what_violates_it(root):
    for path in decisions(root):
        text = path.read_text(encoding="utf-8")
        headings = [line for line in text.splitlines() if line.startswith("## ")]
        assert headings == SECTIONS, path.name
        assert re.search(r"^\*\*Status:\*\* \w+\n\*\*Date:\*\* \d{4}-\d\d-\d\d$", text, re.MULTILINE), (
            path.name
        )
        assert text.split(LAST)[1].strip().startswith("- "), path.name


@pytest.mark.parametrize("name", ["docs/THREATS.md", "SECURITY.md", "docs/ARCHITECTURE.md"])
def test_every_test_that_a_document_names_exists(root, name):
    named = set(TEST_FILE.findall((root / name).read_text(encoding="utf-8")))
    assert [test for test in sorted(named) if not (root / test).is_file()] == []


def test_the_threats_name_every_attack_that_is_tried(root):
    threats = (root / "docs" / "THREATS.md").read_text(encoding="utf-8")
    tried = [
        path.relative_to(root).as_posix() for path in sorted((root / "tests" / "escape").rglob("test_*.py"))
    ]
    assert tried
    assert [attack for attack in tried if attack not in threats] == []


def test_every_link_between_documents_leads_somewhere(texts, root):
    lost = [
        f"{name}: {target}"
        for name, text in texts.items()
        if name.endswith(".md")
        for target in LINK.findall(text)
        if not ((root / name).parent / target).exists()
    ]
    assert lost == []


def test_the_readme_tells_the_successors_on_its_first_screen(root):
    screen = "\n".join((root / "README.md").read_text(encoding="utf-8").splitlines()[:100])
    for word in [
        "make demo",
        "make test",
        "google-genai",
        "2025-11-30",
        "py-clob-client",
        "2026-04-28",
        "httpx2",
        "2024-12-06",
    ]:
        assert word in screen, word
