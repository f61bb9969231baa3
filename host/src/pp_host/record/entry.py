"""One entry of the record: what may stand in it, and its only spelling in bytes.

Laws: an entry is encoded once; those bytes are the leaf of the tree and are never made again to verify.
`encode` takes nothing from a caller that `decode` would refuse, and `encode(decode(body)) == body` for every
body that is accepted: JSON without spaces, keys sorted and ASCII, no floats, at most
limits.record.entry_bytes. docs/RECORD.md tells it to strangers.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from enum import Enum
from functools import lru_cache
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from pp_host.errors import EntryRefused, RecordError
from pp_host.limits import LIMITS

EVENTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "host.start": "A host took the writer lock and began a session.",
        "host.stop": "It let go of it: after a run, a stop, a kill or a start that failed; a crash leaves none.",
        "trust.add": "A publisher's key was enrolled.",
        "plugin.install": "A verified package was installed with a grant; digests, of its briefs too.",
        "plugin.refused": "A package failed a check, by number.",
        "plugin.remove": "A plugin was removed: digest, and what was erased of what it kept.",
        "plugin.start": "A plugin's process began: digest, grant, level, pid.",
        "plugin.exit": "A plugin's process ended: how and why.",
        "plugin.quarantine": "A plugin will not be started again in this run.",
        "plugin.call": "The host called a plugin; an output's call carries events: how many of each kind.",
        "plugin.failed": "A plugin gave no good answer: why.",
        "plugin.log": "A line a plugin wrote.",
        "capability.deny": "A plugin asked for something its grant does not hold.",
        "storage.put": "A plugin kept a value: key, size and digest.",
        "storage.delete": "A plugin forgot a key.",
        "storage.append": "A plugin added lines to a file of its own: how many, and their digest.",
        "storage.read": "How often a plugin read what it keeps, over the whole run.",
        "deposit": "Money put into an account from outside.",
        "snapshot": "What a source showed.",
        "observation": "What the host made of the snapshots: the moment agents decide on.",
        "selection": "Which markets may be bought: a strategy's choice, or its last one that stands.",
        "decision": "A plugin's wish to trade.",
        "verdict": "The host's judgement of a decision: approved, reduced or denied, by which limit.",
        "advice": "A risk plugin's answer on a verdict: keep, shrink, veto, or silence.",
        "order.intent": "An order about to be sent; durable before it is.",
        "order.ack": "The venue took the order.",
        "order.fill": "A trade of the order.",
        "order.done": "The order has ended and will trade no more.",
        "order.in_doubt": "The venue may or may not have the order.",
        "order.void": "Proof that the order never traded and never will.",
        "settlement": "A market resolved and paid out.",
        "state.kill": "Trading was halted.",
        "state.resume": "An operator allowed trading again.",
        "run.start": "A run began: mode, plugins, seed, brief, digests of settings and tape.",
        "run.end": "A run ended, and its totals.",
    }
)

Natural = Annotated[int, Meta(ge=0)]
Timestamp = Annotated[
    str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z\Z")
]


class Actor(Struct, frozen=True, forbid_unknown_fields=True):
    """Who acted. A plugin has its id, version and package digest; an operator an id; the host none."""

    kind: Literal["host", "plugin", "operator"]
    id: str = ""
    version: str = ""
    digest: str = ""


HOST: Final = Actor("host")


class Entry(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`seq` is the leaf's index, `ts` UTC to the microsecond, `mono_ns` the monotonic clock of boot `boot`.

    `cause` is the seq of the entry that led here. `subject` holds integers, strings, booleans, nulls, and
    lists and string-keyed maps of these.
    """

    v: Literal[1] = 1
    seq: Natural
    ts: Timestamp
    mono_ns: Natural
    boot: str
    run: str
    actor: Actor
    event: str
    capability: str = ""
    verdict: Literal["", "allow", "deny", "error"] = ""
    rule: str = ""
    cause: Natural | None = None
    subject: dict[str, Any]


class _FromCaller(Struct, frozen=True):
    """The fields whose types nothing has checked when an entry is encoded."""

    run: str
    actor: Actor
    capability: str
    verdict: Literal["", "allow", "deny", "error"]
    rule: str
    cause: Natural | None


_ENCODER: Final = msgspec.json.Encoder(order="sorted")
_DECODER: Final = msgspec.json.Decoder(Entry)
_FROM_CALLER: Final = msgspec.json.Decoder(_FromCaller)
_SCALARS: Final = frozenset({int, str, bool, type(None)})


def encode(entry: Entry) -> bytes:
    """The entry's bytes; EntryRefused when `decode` would not take them.

    Enums and structs in the subject are written as their values and fields.
    """
    try:
        body = _ENCODER.encode(entry)
        _FROM_CALLER.decode(body)
        _check(entry, body)
    except (TypeError, ValueError, RecursionError) as error:
        raise EntryRefused(f"record entry {entry.event}: {error}") from error
    return body


def decode(body: bytes) -> Entry:
    """The entry in `body`; RecordError when it is not one, or not spelled as `encode` spells it."""
    try:
        entry = _DECODER.decode(body)
        _check(entry, body)
        canonical = _ENCODER.encode(entry) == body
    except (TypeError, ValueError, RecursionError) as error:
        raise RecordError(f"not an entry: {error}") from error
    if not canonical:
        raise RecordError("not an entry: not in canonical form")
    return entry


def as_map(subject: Mapping[str, Any] | Struct) -> dict[str, Any]:
    """A subject as the dict it is written from; EntryRefused for a struct that is written as a list."""
    built = msgspec.to_builtins(subject) if isinstance(subject, Struct) else dict(subject)
    if not isinstance(built, dict):
        raise EntryRefused(f"record entry: a {type(subject).__name__} is not written as a map")
    return built


def timestamp(micros: int) -> str:
    """Microseconds UTC as `2026-01-31T23:59:59.000001Z`."""
    second, rest = divmod(micros, 1_000_000)
    return f"{_second(second)}.{rest:06d}Z"


@lru_cache(maxsize=1)  # entries come by the thousand within one second
def _second(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


def _check(entry: Entry, body: bytes) -> None:
    """What the types do not say; ValueError."""
    if len(body) > LIMITS.record.entry_bytes:
        raise ValueError(f"{len(body)} bytes, more than {LIMITS.record.entry_bytes}")
    if entry.cause is not None and entry.cause >= entry.seq:
        raise ValueError(f"cause {entry.cause} does not come before {entry.seq}")
    _check_values(entry.subject, LIMITS.record.subject_levels)
    if not body.isascii():  # some value or key is not; values may be
        _check_keys(msgspec.to_builtins(entry.subject))


def _check_values(value: Any, levels: int) -> None:
    """Refuse floats, above all NaN, which JSON would quietly turn into null."""
    if not levels:
        raise ValueError(f"subject: nested deeper than {LIMITS.record.subject_levels} levels")
    inside: Iterable[Any]
    if isinstance(value, dict):
        inside = value.values()
    elif isinstance(value, list | tuple):
        inside = value
    elif isinstance(value, Struct):
        inside = [getattr(value, name) for name in value.__struct_fields__]
    elif isinstance(value, Enum):
        inside = (value.value,)
    else:
        raise ValueError(f"subject: holds a {type(value).__name__}")
    for each in inside:
        if type(each) not in _SCALARS:
            _check_values(each, levels - 1)


def _check_keys(value: Any) -> None:
    if isinstance(value, dict):
        for key in value:
            if not key.isascii():
                raise ValueError(f"subject: key {key!r} is not ASCII")
    if isinstance(value, dict | list | tuple):
        for each in value.values() if isinstance(value, dict) else value:
            _check_keys(each)
