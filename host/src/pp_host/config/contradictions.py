"""Settings that are right alone and wrong together.

Laws: a pure table of rules over a whole Config; each names the key to change. A limit that another one makes
unreachable is a slip of the pen, and a slip in a limit is an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pp_sdk.types import MICRO

from pp_host.config.schema import Budget, Config, Risk
from pp_host.config.values import decimal_text


class Contradiction(NamedTuple):
    path: tuple[str, ...]
    what: str


def contradiction(config: Config) -> Contradiction | None:
    """The first one, or None."""
    return next(_all(config), None)


def _all(config: Config) -> Iterator[Contradiction]:
    yield from _risk(config.risk)
    for name, plugin in config.plugins.items():
        yield from _budget(("plugins", name, "budget"), plugin.budget)
    for name in config.sets:
        yield from _set(config, name)
    if MICRO % config.tape.tick_ppm:
        yield Contradiction(("tape", "tick"), "does not divide one dollar")


def _risk(risk: Risk) -> Iterator[Contradiction]:
    order, market, all_open = risk.max_order_micros, risk.max_market_micros, risk.max_exposure_micros
    yield from _not_above(("risk", "max_order_usd"), order, "risk.max_market_usd", market)
    yield from _not_above(("risk", "max_market_usd"), market, "risk.max_exposure_usd", all_open)
    if risk.min_price_ppm >= risk.max_price_ppm:
        yield Contradiction(("risk", "min_price"), "is not below risk.max_price: no price could be traded")


def _budget(path: tuple[str, ...], budget: Budget) -> Iterator[Contradiction]:
    order = budget.order_micros
    yield from _not_above((*path, "order_usd"), order, "day_usd", budget.day_micros)
    yield from _not_above((*path, "order_usd"), order, "exposure_usd", budget.exposure_micros)


def _not_above(path: tuple[str, ...], value: int, other: str, most: int) -> Iterator[Contradiction]:
    if value > most:
        yield Contradiction(
            path, f"{decimal_text(value, MICRO)} is more than {other} ({decimal_text(most, MICRO)})"
        )


def _set(config: Config, name: str) -> Iterator[Contradiction]:
    path = ("sets", name, "plugins")
    members = config.sets[name].plugins
    if not members:
        yield Contradiction(path, "names no plugin")
    for position, plugin in enumerate(members):
        if plugin in members[:position]:
            yield Contradiction(path, f"names {plugin} twice")
        if plugin not in config.plugins:
            yield Contradiction(path, f'names {plugin}, but there is no [plugins."{plugin}"]')
