"""The demo: a home of its own, the built-in plugins, sample markets, a virtual clock."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from pp_host.app.founding import SOURCE_SAMPLE, found_home, starting_plugins
from pp_host.app.options import RunOptions, View
from pp_host.app.session import run_session
from pp_host.record.reader import RecordReader


def run_demo(home: Path | None, *, cycles: int, seed: int, view: View) -> dict[str, Any]:
    """Make a home (kept), run a paper session on sample markets; the result, and the last order that traded."""
    path = home or Path(tempfile.mkdtemp(prefix="pp-demo-")) / "home"
    view.say(f"a home for the demo: {path}; its built-in plugins are signed with its own development key")
    made = found_home(path, starting_plugins(seed))
    view.say(
        f"installed: {', '.join(starting_plugins())} (sandboxed like anyone's; {SOURCE_SAMPLE} makes the markets up)"
    )
    result = run_session(made, RunOptions(cycles=cycles, seed=seed, demo=True), view)
    with RecordReader.open(made.state) as reader:
        fills = [entry.subject["order"] for entry in reader.entries(("order.fill",))]
    return {**result, "last_order": fills[-1] if fills else None}
