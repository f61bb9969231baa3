"""Every message: who may send it, when, and what is in it.

Laws: this table is the protocol; docs/PROTOCOL.md says the same in words. One frozen struct per body, written
as a map with every field in the order listed here. A body has one spelling: what does not encode back to the
same bytes is refused. No field can hold a secret. `Configure.config` is the one untyped value and only a
plugin decodes it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta, Raw, Struct

from pp_sdk.events import Event
from pp_sdk.types import (
    MICRO,
    Account,
    Advice,
    Brief,
    Choice,
    Decision,
    Name,
    Proposal,
    RiskView,
    SnapshotRequest,
)
from pp_sdk.wire.frames import MOST_ID, ProtocolError

PROTOCOL: Final = 1

Word = Annotated[str, Meta(max_length=255)]
Line = Annotated[str, Meta(max_length=4000)]
Time = Annotated[int, Meta(ge=0, le=2**62)]
Size = Annotated[int, Meta(ge=1, le=2**32)]
VALUE_BYTES: Final = 256 * 1024
KEYS_PAGE: Final = 256  # keys in one answer
KEY_CHARACTERS: Final = 128
FILE_NAME: Final = r"\A[a-z0-9_-][a-z0-9._-]{0,63}\Z"
Key = Annotated[str, Meta(pattern=rf"\A[\x21-\x7e]{{1,{KEY_CHARACTERS}}}\Z")]
KeyPart = Annotated[str, Meta(pattern=rf"\A[\x21-\x7e]{{0,{KEY_CHARACTERS}}}\Z")]
Value = Annotated[bytes, Meta(max_length=VALUE_BYTES)]
# One line and nothing that steers a terminal: no line break, no control character but the tab.
WholeLine = Annotated[str, Meta(max_length=65_536, pattern=r"\A[\t\x20-\x7e\xa0-\U0010ffff]*\Z")]
EVENTS_MOST: Final = 64  # of one notify; with every text at its longest they fit into a frame
FAILED_CHARACTERS: Final = 500
SELECTED_MOST: Final = 1024  # markets: with the longest ids a third of a frame
Scores = Annotated[dict[Name, Annotated[int, Meta(ge=0, le=MICRO)]], Meta(max_length=SELECTED_MOST)]
HookName = Literal["configure", "snapshot", "select", "score", "decide", "advise", "notify", "flush"]


class Hello(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first frame: who is there, and which walls it has felt. `ext` is the only room for extensions."""

    protocol: int
    sdk: Word
    python: Word
    selfcheck: Annotated[dict[Word, int], Meta(max_length=64)]
    ext: Annotated[dict[Word, Word], Meta(max_length=16)] = {}


class Load(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Import the plugin. The archive rides with this frame as one sealed descriptor."""

    archive_bytes: Size
    module: Word
    object: Word
    hooks: Annotated[list[HookName], Meta(max_length=8)]


class Loaded(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The hooks the object really has."""

    hooks: Annotated[list[HookName], Meta(max_length=8)]


class Configure(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The operator's settings, the seed of the plugin's random numbers, the time, and the run's brief."""

    config: dict[str, Any]
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    now: Time
    brief: Brief | None = None


class Done(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """It is done; there is nothing to tell."""


class Snapshot(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A source's markets: one market table block."""

    table: bytes


class Select(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The markets, for a strategy. The table rides with this frame as one sealed descriptor."""

    now: Time
    table_bytes: Size


class Selected(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Best first, each market once."""

    markets: Annotated[list[Choice], Meta(max_length=SELECTED_MOST)]


class Decide(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An observation. Its market table rides with this frame as one sealed descriptor."""

    now: Time
    table_bytes: Size
    account: Account | None
    scores: Scores | None = None


class Decided(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    decisions: Annotated[list[Decision], Meta(max_length=256)]


class Advise(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    proposal: Proposal
    view: RiskView


class Notify(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Events in order, for the hook one by one. After `patience` microseconds no further one is begun."""

    events: Annotated[list[Event], Meta(min_length=1, max_length=EVENTS_MOST)]
    patience: Time


class HookFailed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The hook, or `flush` after it, raised an error on the event at `index`."""

    index: Annotated[int, Meta(ge=0, lt=EVENTS_MOST)]
    message: Annotated[str, Meta(max_length=FAILED_CHARACTERS)]


class Notified(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many of the events, from the first, the hook was called with, and where it failed; the rest come again."""

    handled: Annotated[int, Meta(ge=1, le=EVENTS_MOST)]
    failed: Annotated[list[HookFailed], Meta(max_length=EVENTS_MOST)]


class Stop(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Finish, answer, and leave."""


class Cancel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The answer to request `id` is no longer wanted; it must still be sent."""

    id: Annotated[int, Meta(ge=1, le=MOST_ID)]


class LogWrite(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    level: Literal["debug", "info", "warning", "error"]
    message: Line


class ClockNow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask for the time: the venue's, virtual in a backtest."""


class Now(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    now: Time


class KvGet(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Key


class KvValue(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """None: nothing is kept under that key."""

    value: Value | None


class KvPut(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Key
    value: Value


class KvDelete(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Key


class KvKeys(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask for keys that begin with `prefix` and come after `after`, in the order of their bytes."""

    prefix: KeyPart
    after: KeyPart


class KvPage(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first of them; where `more` is true there are others behind the last."""

    names: Annotated[list[Key], Meta(max_length=KEYS_PAGE)]
    more: bool


class FileAppend(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Add whole lines to the end of a file of the plugin's own; each is given without its line break."""

    file: Annotated[str, Meta(pattern=FILE_NAME)]
    lines: Annotated[list[WholeLine], Meta(min_length=1, max_length=1000)]


class Failure(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of an error: a short code for programs, a message for people."""

    code: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,63}\Z")]
    message: Line


class Side(StrEnum):
    HOST = "host"
    PLUGIN = "plugin"


class State(StrEnum):
    """Where a connection stands; it only moves downwards."""

    OPENED = "opened"  # nothing said yet
    GREETED = "greeted"  # hello was said
    LOADED = "loaded"  # load was answered
    RUNNING = "running"  # configure was answered
    STOPPING = "stopping"  # stop was said


class Method(NamedTuple):
    """One method. `reply` is None for events; `moves` is the state it leads to, once said or answered."""

    sender: Side
    request: Any
    reply: Any
    states: frozenset[State]
    moves: State | None = None
    fds: int = 0


_ALIVE: Final = frozenset({State.GREETED, State.LOADED, State.RUNNING, State.STOPPING})
_STOPPABLE: Final = frozenset({State.GREETED, State.LOADED, State.RUNNING})
_RUNNING: Final = frozenset({State.RUNNING})
_KEEPING: Final = frozenset({State.LOADED, State.RUNNING, State.STOPPING})  # from its `configure` on

METHODS: Final[dict[str, Method]] = {
    "hello": Method(Side.PLUGIN, Hello, None, frozenset({State.OPENED}), moves=State.GREETED),
    "load": Method(Side.HOST, Load, Loaded, frozenset({State.GREETED}), moves=State.LOADED, fds=1),
    "configure": Method(Side.HOST, Configure, Done, frozenset({State.LOADED}), moves=State.RUNNING),
    "snapshot": Method(Side.HOST, SnapshotRequest, Snapshot, _RUNNING),
    "select": Method(Side.HOST, Select, Selected, _RUNNING, fds=1),
    "decide": Method(Side.HOST, Decide, Decided, _RUNNING, fds=1),
    "advise": Method(Side.HOST, Advise, Advice, _RUNNING),
    "notify": Method(Side.HOST, Notify, Notified, _RUNNING),
    "stop": Method(Side.HOST, Stop, Done, _STOPPABLE, moves=State.STOPPING),
    "cancel": Method(Side.HOST, Cancel, None, _ALIVE),
    "log.write": Method(Side.PLUGIN, LogWrite, None, _ALIVE),
    "clock.now": Method(Side.PLUGIN, ClockNow, Now, _ALIVE),
    "kv.get": Method(Side.PLUGIN, KvGet, KvValue, _KEEPING),
    "kv.put": Method(Side.PLUGIN, KvPut, Done, _KEEPING),
    "kv.delete": Method(Side.PLUGIN, KvDelete, Done, _KEEPING),
    "kv.keys": Method(Side.PLUGIN, KvKeys, KvPage, _KEEPING),
    "file.append": Method(Side.PLUGIN, FileAppend, Done, _KEEPING),
}

_ENCODER: Final = msgspec.msgpack.Encoder()


_DECODERS: Final = {
    kind: msgspec.msgpack.Decoder(kind)
    for method in METHODS.values()
    for kind in (method.request, method.reply, Failure)
}


def decode_body(body: Raw | bytes, kind: Any) -> Any:
    """A body as one of the types in METHODS. Raises ProtocolError for any other shape or spelling."""
    try:
        value = _DECODERS[kind].decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolError(f"body is not what the protocol says: {error}") from error
    if _ENCODER.encode(value) != bytes(body):
        raise ProtocolError("body is not canonical")
    return value
