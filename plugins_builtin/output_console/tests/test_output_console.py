"""The console: one line for each thing that happened."""

from __future__ import annotations

from pathlib import Path

import pytest
from pp_sdk import MICRO, Event
from pp_sdk.testing import FakeHost

FOLDER = Path(__file__).parents[1]
AT = 1_767_225_660 * MICRO
FILL = {
    "side": "buy", "outcome": "yes", "market": "m", "shares": 12_500_000, "price": 450_000, "amount": 5_625_000, "fee": 225_000,
}  # fmt: skip


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (Event(kind="run.start", at=AT, text="run 1"), "2026-01-01 00:01 run.start  run 1\n"),
        (
            Event(kind="fill", at=AT, text="buy yes", fields=FILL),
            "2026-01-01 00:01 fill       buy 12.5 yes of m at 0.45, fee 0.225\n",
        ),
        (
            Event(
                kind="settlement",
                at=AT,
                text="",
                fields={"market": "m", "yes_payout": MICRO, "payout": 3, "realised": -1},
            ),
            "2026-01-01 00:01 settlement m paid 1 per yes share; received 0\n",
        ),
        (
            Event(
                kind="settlement",
                at=AT,
                text="",
                fields={"market": "m", "yes_payout": MICRO, "payout": 0, "realised": 0},
            ),
            "",
        ),
        (
            Event(kind="fill", at=AT, text="fill", fields={"market": "m"}),
            "2026-01-01 00:01 fill       fill\n",
        ),
    ],
)
def test_each_event_is_a_line(capsys, event, line):
    with FakeHost(FOLDER) as host:
        host.notify(event)
    assert capsys.readouterr().out == line
