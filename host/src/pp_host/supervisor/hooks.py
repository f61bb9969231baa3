"""The running plugins as the core's ports, called through pluggy.

Laws: every call passes the one monitored seam, which records it before it is made. Calls of one hook run together;
answers come back in configured order. A plugin's failure is an absent answer here; its ending is the supervisor's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, cast

import pluggy
from msgspec import Struct
from pp_sdk.hooks import PROJECT, PluginHooks
from pp_sdk.types import Proposal, RiskView, SnapshotRequest

from pp_host.errors import PluginError
from pp_host.model import Observed, Sighting
from pp_host.ports import Answer, Opinion, Picked, Record
from pp_host.supervisor.proxy import PROXIES, Proxy, Shown
from pp_host.supervisor.supervised import Supervised

CAPABILITY: Mapping[str, str] = {
    "snapshot": "",  # being asked for markets shows a source nothing
    "select": "market.read",
    "decide": "market.read",
    "advise": "risk.advise",
}

STILL_ASKED = frozenset({"strategy", "risk"})
"""Kinds that are asked although they are gone: the silence of the one selects nothing new, of the other vetoes."""


class Called(Struct, frozen=True):
    """One plugin's answer, or None, and the entry of the call."""

    proxy: Proxy
    seq: int
    answer: Any


class PluginCaller:
    """Implements ports.Sources, ports.Strategy, ports.Agents and ports.Advisers.

    order:          ids of the plugins, as configured
    advise_seconds: what risk plugins may take in a cycle, in equal shares for what each agent wishes; a share that is
    used up buys no more answers
    """

    def __init__(self, record: Record, order: Sequence[str], *, advise_seconds: float) -> None:
        self._record = record
        self._advise_seconds = advise_seconds
        self._advised: dict[str, float] = {}  # seconds of this cycle, by the agent whose wish it was
        self._order = {plugin: place for place, plugin in enumerate(order)}
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(PluginHooks)
        self._manager.add_hookcall_monitoring(self._before, lambda *_: None)
        self._cause: int | None = None
        self._entries: dict[str, int] = {}

    def admit(self, plugin: Supervised) -> None:
        """From now on hooks reach `plugin`."""
        if not self._manager.has_plugin(plugin.spec.ref.id):
            self._manager.register(PROXIES[plugin.spec.kind](plugin), name=plugin.spec.ref.id)

    def dismiss(self, plugin: Supervised) -> None:
        """From now on they do not; but one whose silence means something is still asked."""
        if plugin.spec.kind not in STILL_ASKED and self._manager.has_plugin(plugin.spec.ref.id):
            self._manager.unregister(name=plugin.spec.ref.id)

    async def snapshot(self, request: SnapshotRequest) -> Sequence[Sighting]:
        called = await self._call("snapshot", None, {"request": request})
        return [
            Sighting(source=one.proxy.plugin.spec.ref, table=one.answer, call=one.seq)
            for one in called
            if one.answer is not None
        ]

    async def select(self, observed: Observed) -> Picked:
        (one,) = await self._show("select", observed, observed.seq)
        return Picked(plugin=one.proxy.plugin.spec.ref, call=one.seq, scores=one.answer)

    def asked(self) -> tuple[str, ...]:
        who = [proxy.plugin.spec.ref.id for proxy in self._proxies("decide")]
        return tuple(sorted(who, key=self._order.__getitem__))

    async def decide(self, observed: Observed) -> Sequence[Answer]:
        self._advised.clear()
        selection = observed.selection
        called = await self._show("decide", observed, selection.seq if selection else observed.seq)
        return [
            Answer(plugin=one.proxy.plugin.spec.ref, call=one.seq, decisions=one.answer)
            for one in called
            if one.answer is not None
        ]

    async def advise(self, proposal: Proposal, view: RiskView, *, cause: int) -> Sequence[Opinion]:
        share, spent = self._share(), self._advised.get(proposal.plugin, 0.0)
        if spent >= share:
            return [self._unasked(proxy, cause, share) for proxy in self._proxies("advise")]
        clock = asyncio.get_running_loop().time
        begun = clock()
        try:
            called = await self._call("advise", cause, {"proposal": proposal, "view": view})
        finally:
            self._advised[proposal.plugin] = spent + clock() - begun
        return [Opinion(plugin=one.proxy.plugin.spec.ref, call=one.seq, advice=one.answer) for one in called]

    def _share(self) -> float:
        return self._advise_seconds / max(1, len(self._manager.hook.decide.get_hookimpls()))

    def _unasked(self, proxy: Proxy, cause: int, share: float) -> Opinion:
        why = f"not asked: advice on this agent has taken its {share:g} s of the cycle already"
        proxy.plugin.failed("advise", why, cause)
        return Opinion(plugin=proxy.plugin.spec.ref, call=cause, advice=None)

    def _proxies(self, hook: str) -> list[Proxy]:
        """Whom a call of `hook` reaches, in the order of its answers."""
        implementations = getattr(self._manager.hook, hook).get_hookimpls()
        return [cast("Proxy", implementation.plugin) for implementation in reversed(implementations)]

    async def _show(self, hook: str, observed: Observed, cause: int) -> list[Called]:
        shown = Shown(observed)
        try:
            return await self._call(hook, cause, {"observation": shown})
        finally:
            shown.close()

    async def _call(self, hook: str, cause: int | None, arguments: dict[str, Any]) -> list[Called]:
        self._cause = cause
        self._entries.clear()
        proxies = self._proxies(hook)
        awaitables: list[Awaitable[Any]] = getattr(self._manager.hook, hook)(**arguments)
        entries = dict(self._entries)
        answers = await _together(
            [
                self._answer(hook, proxy, entries, answer)
                for proxy, answer in zip(proxies, awaitables, strict=True)
            ]
        )
        called = [
            Called(proxy, entries[proxy.plugin.spec.ref.id], answer)
            for proxy, answer in zip(proxies, answers, strict=True)
        ]
        return sorted(called, key=lambda one: self._order[one.proxy.plugin.spec.ref.id])

    async def _answer(
        self, hook: str, proxy: Proxy, entries: Mapping[str, int], awaitable: Awaitable[Any]
    ) -> Any:
        """What the plugin said, or None; why it said nothing good is in the record."""
        try:
            return await awaitable
        except PluginError as error:
            proxy.plugin.failed(hook, str(error), entries[proxy.plugin.spec.ref.id])
            return None

    def _before(
        self, hook: str, implementations: Sequence[pluggy.HookImpl], arguments: Mapping[str, Any]
    ) -> None:
        for implementation in implementations:
            plugin: Supervised = cast("Proxy", implementation.plugin).plugin
            spec = plugin.spec
            plugin.calls += 1
            self._entries[spec.ref.id] = self._record.append(
                "plugin.call",
                {"hook": hook},
                cause=self._cause,
                plugin=spec.ref,
                capability=CAPABILITY[hook],
                verdict="allow",
                rule=spec.grant,
            )


async def _together(answers: Sequence[Awaitable[Any]]) -> list[Any]:
    """All of them at once."""
    if len(answers) == 1:  # no task for the common case: a tape with one agent makes 70,000 calls
        return [await answers[0]]
    return list(await asyncio.gather(*answers))
