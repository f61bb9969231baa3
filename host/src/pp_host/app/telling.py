"""What outputs are told of a run as a whole and of its plugins; what happens to money is told by the core.

An output may see the ids of the other plugins, because they say whose wish, fill or fall it was. Their settings,
grants, budgets and versions are told to nobody, and what they wrote only where exact amounts are.
"""

from __future__ import annotations

from typing import Literal

from pp_sdk.events import PluginFall, RunEnd, RunStart
from pp_sdk.types import TEXT_MOST

from pp_host.app.stage import Stage
from pp_host.supervisor.life import Life
from pp_host.supervisor.supervised import Supervised


def run_start(run: str, mode: str, stage: Stage, plugins: tuple[str, ...]) -> RunStart:
    tape = stage.tape.digest if stage.tape else ""
    return RunStart(at=stage.clock.now(), run=run, mode=mode, plugins=plugins, tape=tape)


def run_end(run: str, cycles: int, stage: Stage) -> RunEnd:
    tally, ledger = stage.book.tally, stage.book.ledger
    return RunEnd(
        at=stage.clock.now(),
        run=run,
        cycles=cycles,
        decisions=tally.decisions,
        orders=tally.orders,
        fills=tally.fills,
        equity=ledger.marks.equity,
        cash=ledger.balance.cash,
    )


def plugin_fall(plugin: Supervised, at: int) -> PluginFall | None:
    """The fall that led to what `plugin` is now; None where nothing fell."""
    states: dict[Life, Literal["backoff", "quarantined"]] = {
        Life.BACKOFF: "backoff",
        Life.QUARANTINED: "quarantined",
    }
    fall, state = plugin.fall, states.get(plugin.life)
    if fall is None or state is None:
        return None
    return PluginFall(
        at=at, plugin=plugin.spec.ref.id, state=state, ended=fall.outcome.value, text=fall.detail[:TEXT_MOST]
    )
