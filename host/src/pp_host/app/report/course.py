"""A run's course as its entries tell it: which plugins started, how often each was called, what went wrong."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from types import MappingProxyType

from pp_host.app.report.shapes import PluginPart, Trouble
from pp_host.record.entry import Entry

TROUBLES = 100  # the newest; all are counted
TELLING: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "plugin.failed": ("hook", "why"),
        "plugin.exit": ("outcome", "detail"),
        "plugin.quarantine": ("outcome", "detail"),
        "capability.deny": ("method", "code"),
        "order.done": ("order", "status", "detail"),
        "order.in_doubt": ("order", "detail"),
        "order.void": ("order", "detail"),
        "state.kill": ("reason",),
    }
)
"""Events that may mean that something went wrong, and what of their subjects says so."""
ASKING = ("plugin.call", "plugin.failed")
EVENTS = ("run.start", "run.end", "state.resume", "plugin.start", "plugin.call", *TELLING)


class RunCourse:
    """Takes a run's entries in their order; others than those of EVENTS change nothing."""

    def __init__(self) -> None:
        self.opening: Entry | None = None
        self.ending: Entry | None = None
        self.halted = ""
        self.troubles: deque[Trouble] = deque(maxlen=TROUBLES)
        self.troubled = 0
        self.agents: set[str] = set()
        self._starts: dict[str, Entry] = {}
        self._counts: Counter[tuple[str, str]] = Counter()  # by event and plugin

    def take(self, entry: Entry) -> None:
        match entry.event:
            case "run.start":
                self.opening = entry
            case "run.end":
                self.ending = entry
            case "plugin.start":
                self._starts[entry.actor.id] = entry
            case "state.kill":
                self.halted = str(entry.subject.get("reason", "")) or "no reason given"
            case "state.resume":
                self.halted = ""
        if entry.event in ASKING and entry.subject.get("hook") == "decide":
            self.agents.add(entry.actor.id)
        if entry.event in TELLING and _is_trouble(entry):
            self._trouble(entry)
        if entry.actor.kind == "plugin" and (entry.event != "plugin.exit" or _is_trouble(entry)):
            self._counts[entry.event, entry.actor.id] += 1

    def plugins(self, spent: Mapping[str, int]) -> list[PluginPart]:
        """Those that were meant to run, in configured order, and any other that started; `spent` by plugin."""
        named = self.opening.subject.get("plugins", ()) if self.opening else ()
        return [self._part(plugin, spent.get(plugin, 0)) for plugin in dict.fromkeys([*named, *self._starts])]

    def _part(self, plugin: str, spent: int) -> PluginPart:
        start = self._starts.get(plugin)
        return PluginPart(
            id=plugin,
            version=start.actor.version if start else "",
            digest=start.actor.digest if start else "",
            grant=start.rule if start else "",
            starts=self._counts["plugin.start", plugin],
            calls=self._counts["plugin.call", plugin],
            failures=self._counts["plugin.failed", plugin],
            falls=self._counts["plugin.exit", plugin],
            spent=spent,
            quarantined=self._counts["plugin.quarantine", plugin] > 0,
        )

    def _trouble(self, entry: Entry) -> None:
        told = [str(entry.subject[name]) for name in TELLING[entry.event] if entry.subject.get(name)]
        who = entry.actor.id if entry.actor.kind == "plugin" else ""
        self.troubled += 1
        self.troubles.append(
            Trouble(seq=entry.seq, ts=entry.ts, event=entry.event, plugin=who, text=": ".join(told))
        )


def _is_trouble(entry: Entry) -> bool:
    """An end that was asked for is none, nor is an order that ended without being rejected."""
    if entry.event == "plugin.exit":
        return entry.verdict == "error"
    return entry.event != "order.done" or entry.subject.get("status") == "rejected"
