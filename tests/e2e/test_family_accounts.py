"""The whole recorded tapes with the whole family: a strategy, three agents, two risk plugins and two outputs. Every
figure is worked out anew by the accountant who shares no code with the host."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.tape_accountant import Played, audit

SHARED = Path(os.environ.get("PP_SHARED", Path(__file__).parents[3] / "shared")) / "data/tapes"
OURS = "dev.probablyprofit."
STRATEGY, AGENTS = (
    OURS + "strategy-words",
    [OURS + f"agent-{name}" for name in ("value", "momentum", "meanrevert")],
)
ADVISERS, OUTPUTS = (
    [OURS + "risk-time", OURS + "risk-concentration"],
    [OURS + "output-console", OURS + "output-file"],
)
BUDGET = "budget = {order_usd = 50, day_usd = 2000, exposure_usd = 500, orders_per_minute = 30}"
SETTINGS = "\n".join(
    [
        f'[plugins."{STRATEGY}"]\nbrief = "value"',
        *(f'[plugins."{agent}"]\n{BUDGET}' for agent in AGENTS),
        *(f'[plugins."{other}"]' for other in ADVISERS + OUTPUTS),
    ]
)


@pytest.mark.soak
@pytest.mark.skipif(not SHARED.is_dir(), reason="the recorded tapes are not here")
@pytest.mark.parametrize(
    ("name", "steps", "settled", "unsettled"), [("btc_bands", 70_320, 441, 0), ("geopolitics", 12_865, 9, 18)]
)
def test_the_whole_family_on_a_recorded_tape(
    new_home: Any, name: str, steps: int, settled: int, unsettled: int
) -> None:
    place = new_home()
    place.configure(SETTINGS)
    run = Played.run(place, SHARED / name, timeout=1200)
    result, entries = run.result, run.entries
    audit(run)
    assert (result["steps"], result["settled"], result["unsettled"]) == (steps, settled, unsettled)
    called = Counter(
        (entry["actor"]["id"], entry["subject"]["hook"])
        for entry in entries
        if entry["event"] == "plugin.call"
    )
    assert {agent: called[agent, "decide"] for agent in AGENTS} == dict.fromkeys(AGENTS, steps)
    assert called[STRATEGY, "select"] == steps
    for plugin in result["plugins"]:
        assert (plugin["failures"], plugin["ended"], plugin.get("dropped", 0)) == (0, "", 0), plugin["id"]
    assert {fill["plugin"] for fill in run.subjects("order.fill")} <= set(AGENTS)
    check_file(place, result, run)


def check_file(place: Any, result: dict[str, Any], run: Played) -> None:
    """What output-file wrote down is what was recorded: nothing lost, nothing twice, in order."""
    folder = place.root / "state" / "run-files" / result["run"] / OUTPUTS[1]
    told = [json.loads(line) for file in sorted(folder.iterdir()) for line in file.read_text().splitlines()]
    trades = [(event["trade"], event["amount"], event["fee"]) for event in told if event["kind"] == "fill"]
    assert trades == [(fill["trade"], fill["amount"], fill["fee"]) for fill in run.subjects("order.fill")]
    kinds = Counter(event["kind"] for event in told)
    assert kinds["settlement"] == sum(paid["cost"] > 0 for paid in run.subjects("settlement"))
    assert kinds["decision"] == result["decisions"]
    assert (told[0]["kind"], told[-1]["kind"]) == ("run.start", "run.end")
