"""What the house tests read: the project's own files, parsed once."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SKIPPED = {
    ".git",
    ".venv",
    "__pycache__",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".hypothesis",
    ".import_linter_cache",
    "out",
}


@dataclass(frozen=True)
class Module:
    """One Python file. `name` is its path below its distribution's src folder, e.g. pp_host/core/risk.py."""

    path: Path
    name: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.path.read_text(encoding="utf-8"))


def modules(distribution: str) -> list[Module]:
    src = ROOT / distribution / "src"
    return [Module(path, path.relative_to(src).as_posix()) for path in sorted(src.rglob("*.py"))]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def host() -> list[Module]:
    return modules("host")


@pytest.fixture(scope="session")
def sdk() -> list[Module]:
    return modules("sdk")


@pytest.fixture(scope="session")
def texts() -> dict[str, str]:
    """Every text file of the project by its path; lock files and what other tools leave behind excepted."""
    found = {}
    for path in sorted(ROOT.rglob("*")):
        below = path.relative_to(ROOT)
        if not path.is_file() or SKIPPED & set(below.parts) or path.suffix in {".lock", ".pyc", ".ppz"}:
            continue
        if any(part.endswith(".egg-info") for part in below.parts):
            continue
        try:
            found[below.as_posix()] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a binary test vector
    return found
