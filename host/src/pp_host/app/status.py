"""What is going on: the running host's own word, or what the record says without one; docs/CLI.md."""

from __future__ import annotations

from typing import Any

from pp_host.app import views
from pp_host.app.catching_up import Advance, catch_up, consulted, nobody
from pp_host.app.operator import halt_reason
from pp_host.control import ask
from pp_host.errors import NoHost, OperatorError
from pp_host.home import Home
from pp_host.limits import LIMITS
from pp_host.record.reader import RecordReader
from pp_host.storage.read_model import ReadModel

Document = dict[str, Any]


def status(home: Home, advance: Advance = nobody) -> Document:
    """As the host tells it, else as the record does. OperatorError: a host is there and does not answer."""
    try:
        return asked(home)
    except NoHost:
        with consulted(home, advance) as model:
            return recorded(home, model)


def asked(home: Home) -> Document:
    return ask(home.state, "status", timeout=LIMITS.control.answer_seconds)


def recorded(home: Home, model: ReadModel) -> Document:
    return {"home": str(home.root), "running": False, "latched": halt_reason(home), **model.summary()}


def watched(home: Home, model: ReadModel, orders: int) -> Document:
    """One look: `status`, how its run began, and its last orders; `trouble` is why a host that is there is silent."""
    with RecordReader.open(home.state) as reader:
        catch_up(model, reader)
    trouble = ""
    try:
        facts = asked(home)
    except NoHost:
        facts = recorded(home, model)
    except OperatorError as error:
        facts, trouble = recorded(home, model), f"{error}; {error.hint}"
    run = facts["run"] if facts["running"] else (facts["last_run"] or {}).get("run", "")
    return {
        "status": facts,
        "trouble": trouble,
        "began": views.beginning(model, run),
        "orders": views.last_orders(model, run, orders) if run else [],
    }
