"""What came of a run, as one document; docs/CLI.md names every field. Money in micro-units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pp_host.app.operator import record_verifier
from pp_host.app.stage import Stage
from pp_host.home import Home
from pp_host.record.verify import verify
from pp_host.supervisor.supervised import Supervised


def plugin_facts(plugins: Sequence[Supervised]) -> list[dict[str, Any]]:
    """Each plugin: what runs, where, how often it was called, and how it ended if it fell."""
    return [
        {
            "id": plugin.spec.ref.id,
            "version": plugin.spec.ref.version,
            "digest": plugin.spec.ref.digest,
            "level": plugin.spec.level,
            "pid": plugin.pid,
            "calls": plugin.calls,
            "failures": plugin.failures,
            **({"dropped": plugin.dropped} if plugin.spec.kind == "output" else {}),
            "state": plugin.life.value,
            "falls": plugin.falls,
            "ended": str(plugin.fall) if plugin.fall else "",
        }
        for plugin in plugins
    ]


def account_facts(stage: Stage) -> dict[str, Any]:
    """Decisions, verdicts and money so far."""
    tally, balance = stage.book.tally, stage.book.ledger.balance
    return {
        "decisions": tally.decisions,
        "verdicts": dict(tally.verdicts),
        "reasons": {
            kind: {reason.value: n for reason, n in many.most_common()}
            for kind, many in tally.reasons.items()
        },
        "orders": tally.orders,
        "fills": tally.fills,
        "cash": balance.cash,
        "reserved": balance.reserved,
        "positions_cost": balance.cost,
        "fees": balance.fees,
        "realised": balance.realised,
        "settled": len(tally.settled),
        "unsettled": stage.tape.markets - len(tally.settled) if stage.tape else len(stage.book.seen),
        "equity_end": stage.book.ledger.marks.equity,
        "actions_digest": tally.actions_digest,
    }


def tape_facts(stage: Stage, turns: int) -> dict[str, Any]:
    if stage.tape is None:
        return {}
    return {"markets": stage.tape.markets, "steps": turns, "tape_digest": stage.tape.digest}


def record_facts(home: Home) -> dict[str, Any]:
    """The whole record verified anew from its file, as `pp audit verify` does."""
    checked = verify(home.state, record_verifier(home))
    return {"size": checked.size, "root": checked.root.hex(), "verified": True}
