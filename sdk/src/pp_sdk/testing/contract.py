"""What the host expects of every plugin, as checks an author can run.

Laws: a check shows ordinary and awkward input and names the first rule that is broken.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

from pp_sdk.events import Detail, Event
from pp_sdk.table import CLOSED, RESOLVED, MarketTable, build
from pp_sdk.testing.events import events
from pp_sdk.testing.fake_host import FakeHost
from pp_sdk.testing.markets import market, markets
from pp_sdk.testing.storage import FakeStorage
from pp_sdk.types import MICRO, NO, YES, Decision
from pp_sdk.wire.connection import RemoteError


class ContractError(AssertionError):
    """A plugin does not keep its side of the contract."""


def check_agent(plugin: object, config: dict[str, Any] | None = None, *, kv_mb: int = 0) -> None:
    """Show an agent ordinary and awkward markets; ContractError tells the first rule it breaks.

    Every decision must be one the host could act on, and the same markets must bring the same decisions. `kv_mb` is
    what it may keep; each of the two times it begins with nothing kept, as on a tape.
    """
    twin = plugin if isinstance(plugin, ModuleType | Path) else copy.deepcopy(plugin)
    first, second = (_decisions(one, config, FakeStorage(kv_mb=kv_mb)) for one in (plugin, twin))
    if first != second:
        raise ContractError("decide: the same observations brought different decisions")


def check_output(
    plugin: object, config: dict[str, Any] | None = None, *, storage: FakeStorage | None = None
) -> None:
    """Tell an output one event of every kind, under each detail a grant can have, first each in a delivery of its own,
    then all in one; ContractError: it fails on one."""
    with FakeHost(plugin, config, storage=storage) as host:
        for detail in get_args(Detail):
            for event in events(detail):
                _tell(host, f"{event.kind}, detail {detail}", event)
            _tell(host, f"every kind in one delivery, detail {detail}", *events(detail))


def _tell(host: FakeHost, what: str, *told: Event) -> None:
    try:
        host.notify(*told)
    except RemoteError as error:
        raise ContractError(f"notify: {what}: {error}") from error


def _decisions(plugin: object, config: dict[str, Any] | None, storage: FakeStorage) -> list[list[Decision]]:
    answers = []
    with FakeHost(plugin, config, storage=storage) as host:
        for table, scores in _moments():
            decisions = host.decide(table=table, scores=scores)
            for decision in decisions:
                for complaint in _complaints(decision, table):
                    raise ContractError(f"decide: {complaint}: {decision}")
            answers.append(decisions)
            host.now += 60 * MICRO
    return answers


def _moments() -> Iterator[tuple[MarketTable, dict[str, int] | None]]:
    """What there is to see without a strategy, and then with one that selected nothing, and little."""
    yield from ((table, None) for table in _awkward_tables())
    yield build(()), {}
    yield markets(5), {"m1": 250_000}


def _awkward_tables() -> Iterator[MarketTable]:
    unquoted = market("unquoted", bid=None, ask=None)
    closed = market("closed", bid=None, ask=None, status=CLOSED)
    resolved = market("resolved", bid=None, ask=None, status=RESOLVED, yes_payout=MICRO)
    yield build(())
    yield markets(1)
    yield build([unquoted, market("one-sided", bid=None), market("cheap", bid=1, ask=2)])
    yield build([closed, resolved])
    for _ in range(3):
        yield markets(50)


def _complaints(decision: Decision, table: MarketTable) -> Iterator[str]:
    if table.get(decision.market) is None:
        yield "a market that was not in the observation"
    if decision.outcome not in {YES, NO}:
        yield 'outcome must be "yes" or "no"'
    if not (math.isfinite(decision.probability) and 0 < decision.probability < 1):
        yield "probability must lie between 0 and 1"
    if not (math.isfinite(decision.confidence) and 0 <= decision.confidence <= 1):
        yield "confidence must lie in 0..1"
    if decision.limit_price is not None and not 0 < decision.limit_price < MICRO:
        yield "limit_price must lie between 0 and 1_000_000 micro-USD"
    if decision.max_spend is not None and decision.max_spend <= 0:
        yield "max_spend must be above 0"
