"""Who asks, and what the answers are made with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from pp_host.broker.quota import PerCall, TokenBucket
from pp_host.limits import LIMITS
from pp_host.model import PluginRef
from pp_host.ports import Clock, Record


class OwnValues(Protocol):
    """One plugin's values. RequestRefused says why not; then nothing has changed."""

    def get(self, name: str) -> bytes | None: ...
    def names(self, prefix: str, after: str) -> tuple[list[str], bool]: ...
    def put(self, name: str, value: bytes) -> None: ...
    def delete(self, name: str) -> bool: ...


class OwnLines(Protocol):
    """One plugin's files of lines."""

    def append(self, name: str, data: bytes) -> int:
        """Add whole lines; how many torn bytes were cut off first. RequestRefused: nothing was added."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: the connection is the identity, so this is never taken from a message.

    writes: how often it may change what it keeps; refusals, log_lines: how many before it ends. values, lines: its own,
    None without the capability. requests, read_bytes: how much before answers wait.
    """

    plugin: PluginRef
    grant: str
    writes: PerCall
    refusals: PerCall
    log_lines: PerCall
    values: OwnValues | None = None
    lines: OwnLines | None = None
    read_bytes: TokenBucket = field(
        default_factory=lambda: TokenBucket.a_second(LIMITS.keep.read_bytes_per_second)
    )
    requests: TokenBucket = field(
        default_factory=lambda: TokenBucket.a_second(LIMITS.wire.requests_per_second)
    )
    log_bytes: TokenBucket = field(
        default_factory=lambda: TokenBucket.a_minute(LIMITS.wire.log_bytes_per_minute)
    )


@dataclass(frozen=True, slots=True)
class Means:
    """What the handlers work with."""

    clock: Clock
    record: Record
