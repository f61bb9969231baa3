"""Prints lines and the longest function of each room, and what the host process loads: `make size`."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import defaultdict
from importlib.metadata import packages_distributions
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
LOADED = "import sys, pp_host.app.session, pp_host.cli.main; print(*sorted({name.split('.')[0] for name in sys.modules}))"


def rooms() -> dict[str, list[Path]]:
    """The files of each room: a package below pp_host or pp_sdk; single files are the floor."""
    found: dict[str, list[Path]] = defaultdict(list)
    for package in ("host/src/pp_host", "sdk/src/pp_sdk"):
        for path in sorted((ROOT / package).rglob("*.py")):
            below = path.relative_to(ROOT / package).parts
            found[f"{Path(package).name}/{below[0] if len(below) > 1 else ''}"].append(path)
    return found


def functions(path: Path) -> list[tuple[int, str]]:
    """(lines, name) of every function in the file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [
        (node.end_lineno - node.lineno + 1, f"{path.name}:{node.name}")
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno
    ]


def print_rooms() -> None:
    print(f"{'room':24}{'files':>6}{'lines':>7}{'largest file':>14}{'median function':>17}  longest function")
    total = 0
    for room, paths in rooms().items():
        lines = [len(path.read_text(encoding="utf-8").splitlines()) for path in paths]
        found = sorted(function for path in paths for function in functions(path))
        middle = median(length for length, _ in found) if found else 0
        longest = f"{found[-1][0]} {found[-1][1]}" if found else ""
        print(f"{room:24}{len(paths):6}{sum(lines):7}{max(lines):14}{middle:17.0f}  {longest}")
        total += sum(lines)
    print(f"{'total':30}{total:7}")


def print_loaded() -> None:
    """Third-party distributions in a process that imported the whole host."""
    names = subprocess.run(
        [sys.executable, "-c", LOADED], check=True, capture_output=True, text=True
    ).stdout.split()
    owners = packages_distributions()
    ours = {"probablyprofit-host", "probablyprofit-sdk"}
    loaded = sorted({owner for name in names for owner in owners.get(name, [])} - ours)
    print(f"\nthird-party distributions loaded with the host ({len(loaded)}): {', '.join(loaded)}")


if __name__ == "__main__":
    print_rooms()
    print_loaded()
