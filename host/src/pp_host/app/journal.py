"""The record as the core's port: what a plugin did is an actor of the record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from pp_host.model import PluginRef
from pp_host.record.entry import HOST, Actor
from pp_host.record.log import Record


class Journal:
    """Implements ports.Record."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._actors: dict[PluginRef, Actor] = {}

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
        return self._record.append(
            event,
            subject,
            cause=cause,
            actor=self._actor(plugin),
            capability=capability,
            verdict=verdict,
            rule=rule,
        )

    async def durable(self, seq: int) -> None:
        await self._record.durable(seq)

    def _actor(self, plugin: PluginRef | None) -> Actor:
        if plugin is None:
            return HOST
        actor = self._actors.get(plugin)
        if actor is None:
            actor = self._actors[plugin] = Actor(
                kind="plugin", id=plugin.id, version=plugin.version, digest=plugin.digest
            )
        return actor
