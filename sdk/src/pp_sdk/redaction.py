"""How much of an event a grant lets an output know, by the marks in the event types.

Laws: a field without a mark is an error when this module is loaded, so that nothing is told because nobody thought of
it. Without an equity above zero there is no ratio, and an amount is not told.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, TypeVar, get_args, get_type_hints

from msgspec import Meta
from msgspec.structs import replace

from pp_sdk.events import Detail, Event
from pp_sdk.types import MICRO

E = TypeVar("E", bound=Event)
MOST: Final = 2**63 - 1  # what the wire carries


class Hidden(NamedTuple):
    """The fields of one kind that not everybody is told."""

    amounts: tuple[str, ...]
    words: tuple[str, ...]


def narrowed(event: E, detail: Detail, equity: int | None) -> E:
    """`event` as a grant of this detail shows it. `equity`: the account's worth, micro-USD; None: nobody knows it."""
    if detail == "exact":
        return event
    hidden = HIDDEN[type(event)]
    changes: dict[str, Any] = dict.fromkeys((*hidden.amounts, *hidden.words))
    if detail == "ratio" and equity is not None and equity > 0:
        for name in hidden.amounts:
            amount = getattr(event, name)
            changes[name] = None if amount is None else ratio(amount, equity)
    return replace(event, detail=detail, **changes)


def ratio(amount: int, equity: int) -> int:
    """`amount` in millionths of `equity`, rounded down; where next to nothing is left it stops at MOST."""
    return max(-MOST, min(amount * MICRO // equity, MOST))


def marks(kind: type[Event]) -> dict[str, Detail]:
    """Each field of an event type with the least detail at which it is told."""
    hints = get_type_hints(kind, include_extras=True)
    return {name: _mark(kind, name, hints[name]) for name in kind.__struct_fields__}


def _mark(kind: type[Event], name: str, hint: Any) -> Detail:
    for meta in getattr(hint, "__metadata__", ()):
        if isinstance(meta, Meta) and meta.extra and "detail" in meta.extra:
            mark: Detail = meta.extra["detail"]
            return mark
    raise TypeError(f"{kind.__name__}.{name} does not say who may be told")


def _hidden(kind: type[Event]) -> Hidden:
    found = marks(kind).items()
    return Hidden(
        tuple(name for name, mark in found if mark == "ratio"),
        tuple(name for name, mark in found if mark == "exact"),
    )


HIDDEN: Final[dict[type[Any], Hidden]] = {kind: _hidden(kind) for kind in get_args(Event)}
