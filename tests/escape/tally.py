"""What became of all attacks, counted by group and level, at the end of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from tests.escape.case import Verdict

PROPERTY = "escape"
ORDER = tuple(Verdict)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Only where attacks were run; the counts travel in the reports, so several processes add up."""
    reports = (report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, ()))
    found = [tuple(value) for report in reports for name, value in report.user_properties if name == PROPERTY]
    if found:
        terminalreporter.section("attacks on the walls")
        for line in table(found):
            terminalreporter.line(line)


def table(found: Iterable[tuple[str, str, str]]) -> list[str]:
    """Lines of (level, group, verdict)s, a sum at the end."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    for level, group, verdict in found:
        for row in (level, group), (level, "all"):
            counts.setdefault(row, Counter())[verdict] += 1
    rows = sorted(counts, key=lambda row: (row[0], row[1] == "all", row[1]), reverse=False)
    head = f"{'level':<6}{'group':<13}" + "".join(f"{verdict:>14}" for verdict in ORDER)
    return [
        head,
        *(
            f"{level:<6}{group:<13}" + "".join(f"{counts[level, group][v]:>14}" for v in ORDER)
            for level, group in rows
        ),
    ]
