"""`make bench`: measures, prints one JSON document, and tells on stderr how far it is.

ONLY=T1 measures what begins with T1. The figures, and what they mean: docs/PERFORMANCE.md.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.bench import calls, lives, machine, neighbours, peers
from tests.bench.figure import Absent, Figure
from tests.bench.rounds import Effort

Measure = Callable[[Effort], Mapping[str, Figure | Absent]]
MEASURES: Mapping[tuple[str, ...], Measure] = {
    ("T1-blocking", "T1-asyncio", "T13-blocking", "T13-asyncio"): calls.small_calls,
    ("T1-uvloop",): calls.small_calls_on_uvloop,
    ("T1r-blocking", "T1r-asyncio", "T1r-session"): calls.recorded_calls,
    ("T2-blocking", "T2-asyncio"): peers.grpc,
    ("T4", "KILL"): lives.starts_and_ends,
    ("T5",): lives.memory,
    ("T6",): peers.srt,
    ("T14-spin", "T14-flood", "T14-bomb"): neighbours.neighbours,
}
FEWER = {lives.memory: 5, neighbours.neighbours: 5, peers.grpc: 5, peers.srt: 5}
"""Rounds where each takes seconds."""


def main() -> None:
    options = _options()
    screen = Console(stderr=True, highlight=False, width=100)
    effort = Effort(options.rounds, options.turns, options.calls, options.plugins, screen.print)
    document: dict[str, Any] = {"machine": machine.described()}
    for ids, measure in MEASURES.items():
        if wanted := [name for name in ids if not options.only or _meant(name, options.only)]:
            rounds = min(options.rounds, FEWER.get(measure, options.rounds))
            found = measure(replace(effort, rounds=rounds))
            document |= {name: found[name].document() for name in wanted}
    screen.print(", ".join(f"{key} {value}" for key, value in document["machine"].items()))
    screen.print(_table(document))
    for name, found in document.items():
        if "not_here" in found:
            screen.print(f"{name} not here: {found['not_here']}")
    print(json.dumps(document, indent=1))


def _meant(name: str, only: list[str]) -> bool:
    """T1 means T1-blocking, not T14-spin."""
    return any(name == one or name.startswith(f"{one}-") for one in only)


def _table(document: Mapping[str, Any]) -> Table:
    table = Table(box=None, header_style="bold")
    for column in ("id", "ratio", "from..to", "floor", "ours", "target", "met"):
        table.add_column(column, no_wrap=True)
    for name, found in document.items():
        if "ratio" in found:
            low, high = found["ratios"]
            met = {True: "yes", False: "no", None: ""}[found["met"]]
            values = _value(found, "floor"), _value(found, "ours"), found["target"] or "reported"
            table.add_row(name, f"{found['ratio']:.2f}", f"{low:.2f}..{high:.2f}", *values, met)
    return table


def _value(found: Mapping[str, Any], whose: str) -> str:
    (key,) = (key for key in found if key.startswith(f"{whose}_"))
    value, unit = found[key], key.removeprefix(f"{whose}_")
    return f"{value / 1000:.1f} ms" if unit == "us" and value >= 1000 else f"{value:.1f} {unit}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("only", nargs="*", help="ids, or what they begin with")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--turns", type=int, default=20, help="of each contender in a round")
    parser.add_argument("--calls", type=int, default=60, help="in a turn")
    parser.add_argument("--plugins", type=int, default=20, help="side by side")
    options = parser.parse_args()
    for one in options.only:
        if not any(_meant(name, [one]) for ids in MEASURES for name in ids):
            parser.error(f"{one}: known are {', '.join(name for ids in MEASURES for name in ids)}")
    return options


if __name__ == "__main__":
    main()
