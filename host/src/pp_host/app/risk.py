"""Every limit of an installation: its value, where that comes from, and how much of it is used; docs/CLI.md.

Laws: what is used comes from the ledger, replayed from the record as a start does, and is as of the account's last
observation; of a plugin's bounds the smaller of grant and pp.toml holds, as `roster` has it. Integers in the units of
`core.policy`.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pp_host.app.operator import halt_reason, store_of
from pp_host.app.roster import least
from pp_host.app.stage import PAPER as PAPER
from pp_host.config import Budget, Config, Plugin, parse, text_of
from pp_host.config.sources import Source, Sources
from pp_host.config.values import settings
from pp_host.core.entries import BOOKED
from pp_host.core.ledger import Ledger
from pp_host.home import Home
from pp_host.model import PPM, SECOND
from pp_host.record.entry import Entry
from pp_host.record.reader import RecordReader
from pp_host.trust.capability import DecisionPropose
from pp_host.trust.grants import Grant

Document = dict[str, Any]
UNITS = {"_micros": "micro_usd", "_ppm": "ppm", "_seconds": "microseconds"}
GRANTED = {
    "order_usd": "max_order_micros",
    "day_usd": "max_day_micros",
    "exposure_usd": "max_exposure_micros",
    "orders_per_minute": "orders_per_minute",
}


class Account(NamedTuple):
    """An account's books, and the session's clock when it was last observed; None before that."""

    ledger: Ledger
    at: int | None


def account(reader: RecordReader, name: str, observation: int | None) -> Account:
    """The books as the record leaves them. RecordError: they contradict themselves.

    Each observation replaces the one before, so that only the last is read: `observation`, its entry's number.
    """
    last = [reader.entry(observation)] if observation is not None else []
    events = tuple(event for event in BOOKED if event != "observation")
    entries = heapq.merge(reader.entries(events, account=name), last, key=_seq)
    ledger = Ledger.replay(name, ((entry.seq, entry.event, entry.subject) for entry in entries))
    return Account(ledger, last[0].subject["now"] if last else None)


def _seq(entry: Entry) -> int:
    return entry.seq


def limits(home: Home, environ: Mapping[str, str], books: Account) -> Document:
    """Every limit with its source and use. Errors: those of `config.load`, and of a grant file that cannot be read."""
    text = text_of(home.config_file)
    config, sources = parse(text, environ), Sources(text, environ)
    grants = {grant.id: grant for grant in store_of(home).installed()}
    ids = sorted(config.plugins.keys() | grants.keys())
    plugins = (_plugin(one, config.plugins.get(one), grants.get(one), sources, books) for one in ids)
    return {
        "account": books.ledger.account,
        "observed_at": books.at,
        "latched": halt_reason(home),
        "limits": [*_limits(config, sources, used(books.ledger))],
        "plugins": [plugin for plugin in plugins if plugin is not None],
    }


def used(ledger: Ledger) -> dict[str, int]:
    """How much of each limit of [risk] is used, by its key."""
    marks = ledger.marks
    return {
        "max_exposure_usd": ledger.balance.exposure,
        "max_market_usd": max(map(ledger.market_exposure, ledger.markets()), default=0),
        "max_positions": ledger.market_count(),
        "max_daily_loss_usd": max(0, marks.day_start - marks.equity),
        "max_drawdown": (marks.peak - marks.equity) * PPM // marks.peak if marks.peak > 0 else 0,
    }


def _limits(config: Config, sources: Sources, spent: Mapping[str, int]) -> Iterator[Document]:
    for section, holds in (("risk", config.risk), ("sizing", config.sizing), ("paper", config.paper)):
        for key, field in settings(type(holds)).items():
            value, unit = _in_units(field.name, getattr(holds, field.name))
            yield _limit(f"{section}.{key}", value, unit, spent.get(key), sources.of(section, key))


def _limit(key: str, value: int | str, unit: str, use: int | None, source: Source) -> Document:
    return {
        "key": key,
        "value": value,
        "unit": unit,
        "used": use,
        "source": source.kind,
        "line": source.line,
    }


def _in_units(name: str, value: Any) -> tuple[int | str, str]:
    """A setting as an integer and its unit; a word as it is."""
    unit = next((unit for suffix, unit in UNITS.items() if name.endswith(suffix)), "count")
    if isinstance(value, str):
        return value, "word"
    return (round(value * SECOND) if unit == "microseconds" else int(value)), unit


def _plugin(
    plugin: str, wanted: Plugin | None, grant: Grant | None, sources: Sources, books: Account
) -> Document | None:
    """A plugin that was granted decisions or has a budget; None of the others."""
    may = grant.held(DecisionPropose) if grant else None
    if may is None and (wanted is None or wanted.budget == Budget()):
        return None
    return {
        "id": plugin,
        "installed": grant is not None,
        "may_decide": may is not None,
        "enabled": wanted is not None and wanted.enabled,
        "markets": list(may.markets) if may and may.markets != "any" else None,
        "budget": [*_budget(plugin, wanted, may, sources, books)],
    }


def _budget(
    plugin: str, wanted: Plugin | None, may: DecisionPropose | None, sources: Sources, books: Account
) -> Iterator[Document]:
    own = wanted.budget if wanted else Budget()
    spent = _spent(plugin, books)
    for key, field in settings(Budget).items():
        configured = getattr(own, field.name)
        granted = getattr(may, GRANTED[key]) if may else 0
        value = least(granted, configured)
        source = sources.of("plugins", plugin, "budget", key)
        limit = _limit(key, value, _in_units(field.name, configured)[1], spent[key], source)
        yield _bound(limit, granted, configured)


def _bound(limit: Document, granted: int | None, configured: int) -> Document:
    return {
        **limit,
        "granted": granted,
        "configured": configured,
        "binds": _binds(granted, configured),
    }


def _binds(granted: int | None, configured: int) -> str:
    if granted is None or configured < granted:
        return "pp.toml"
    return "grant" if granted < configured else "both"


def _spent(plugin: str, books: Account) -> dict[str, int | None]:
    """How much of each bound of its budget a plugin uses, by its key."""
    ledger, at = books.ledger, books.at
    return {
        "order_usd": None,
        "day_usd": ledger.spent(plugin, at) if at is not None else 0,
        "exposure_usd": ledger.plugin_exposure(plugin),
        "orders_per_minute": ledger.sent(plugin, at) if at is not None else 0,
    }
