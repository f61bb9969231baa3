"""The broker's desk for a guest: the same tables and quotas as for any plugin, and nothing that is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import anyio.lowlevel
from msgspec import Struct

from pp_host.broker.asker import Asker, Means
from pp_host.broker.quota import PerCall
from pp_host.broker.table import Broker, Desk
from pp_host.clock import SystemClock
from pp_host.limits import LIMITS
from pp_host.model import PluginRef
from pp_host.supervisor.spec import PluginSpec


def desk(spec: PluginSpec) -> Desk:
    """Where this guest asks and is heard."""
    limits, once = LIMITS.wire, _OneCall()
    asker = Asker(
        spec.ref,
        spec.grant,
        writes=PerCall(LIMITS.keep.writes_per_call, once),
        refusals=PerCall(limits.refusals_per_call, once),
        log_lines=PerCall(limits.log_lines_per_call, once),
    )
    return Desk(Broker(Means(SystemClock(), _Unkept())), asker)


@dataclass(frozen=True, slots=True)
class _OneCall:
    """A guest is called once."""

    calls: int = 1
    hook_calls: int = 1


@dataclass(frozen=True, slots=True)
class _Unkept:
    """In place of a record, which a guest has none of: entries are numbered and let go."""

    _numbers: count[int] = field(default_factory=count)

    def append(
        self,
        event: str,
        subject: Mapping[str, Any] | Struct,
        *,
        cause: int | None = None,
        plugin: PluginRef | None = None,
        capability: str = "",
        verdict: str = "",
        rule: str = "",
    ) -> int:
        return next(self._numbers)

    async def durable(self, seq: int) -> None:
        await anyio.lowlevel.checkpoint()
