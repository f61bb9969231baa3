"""Questions to the record: single entries, the newest, a stream of some kinds, and why an order came about.

Laws: reads only, beside a running writer too. Each entry it hands out is in canonical form; that it is the
one that was signed is verify.py's to say.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pp_host.errors import OperatorError, RecordError
from pp_host.record.entry import Entry, decode
from pp_host.record.store import DAMAGE_HINT, Store

MOST = 2**63 - 1  # of a seq that SQLite can hold


@dataclass(frozen=True, slots=True)
class Why:
    """How an order came about.

    `chain` leads from the order's last fill (its last entry where none) by `cause` to the beginning, and from
    an observation to the snapshot that showed the order's market; `life` is every entry of the order, oldest
    first; `plugins` the start, with digest and grant, of each plugin in the chain; `start` that of the order's run.
    """

    order: str
    chain: tuple[Entry, ...]
    life: tuple[Entry, ...]
    plugins: tuple[Entry, ...]
    start: Entry | None


class RecordReader:
    """One connection for questions. Made by `open`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @classmethod
    @contextmanager
    def open(cls, state_dir: Path) -> Iterator[RecordReader]:
        """RecordError when there is no record in `state_dir`."""
        store = Store.for_reading(state_dir)
        try:
            yield cls(store)
        finally:
            store.close()

    @property
    def size(self) -> int:
        """How many entries there are now."""
        return self._store.size()

    def entry(self, seq: int) -> Entry:
        """Entry `seq`; OperatorError when the record does not reach so far."""
        for entry in self._entries("seq = ?", (seq,)):
            return entry
        raise OperatorError(f"the record has no entry {seq}", hint="pp audit tail shows the newest entries")

    def entries(
        self,
        events: Collection[str] = (),
        *,
        run: str = "",
        account: str = "",
        first: int = 0,
        stop: int = MOST,
    ) -> Iterator[Entry]:
        """Entries from seq `first` up to before `stop`, oldest first, streamed; only of these events, run, account."""
        where = ["seq >= ? AND seq < ?"]
        values: list[object] = [first, stop, *events]
        if events:
            where.append(f"event IN ({','.join('?' * len(events))})")
        if run:
            where.append("run = ?")
            values.append(run)
        for entry in self._entries(" AND ".join(where), values):
            if not account or entry.subject.get("account") == account:
                yield entry

    def tail(self, count: int, *, plugin: str = "", event: str = "", verdict: str = "") -> list[Entry]:
        """The newest `count` entries that match, oldest of them first."""
        newest = self._entries("event = ?" if event else "1", (event,) if event else (), newest_first=True)
        found: deque[Entry] = deque()
        for entry in newest:
            if len(found) == count:
                break
            if (not plugin or plugin in plugins_of(entry)) and (not verdict or entry.verdict == verdict):
                found.appendleft(entry)
        return list(found)

    def why(self, prefix: str) -> Why:
        """How the order whose id begins with `prefix` came about; OperatorError when none or several do."""
        life = self._life(prefix)
        fills = [entry for entry in life if entry.event == "order.fill"]
        chain = list(self._chain((fills or life)[-1]))
        start = next(self._entries("event = 'run.start' AND run = ?", (life[0].run,)), None)
        return Why(life[0].subject["order"], tuple(chain), tuple(life), tuple(self._starts(chain)), start)

    def chain(self, seq: int) -> Iterator[Entry]:
        """From entry `seq` by `cause` to the beginning, as in `Why`. OperatorError: there is no such entry."""
        return self._chain(self.entry(seq))

    def _chain(self, effect: Entry) -> Iterator[Entry]:
        snapshot: object = None
        yield effect
        while (cause := _cause(effect, snapshot)) is not None:
            effect = self._linked(cause)
            yield effect
            if effect.event == "verdict":
                snapshot = effect.subject.get("snapshot")

    def _life(self, prefix: str) -> list[Entry]:
        orders: dict[str, list[Entry]] = {}
        for entry in self._entries("event GLOB 'order.*'"):
            order = entry.subject.get("order")
            if isinstance(order, str) and order.startswith(prefix):
                orders.setdefault(order, []).append(entry)
        if not orders:
            hint = "pp audit tail --event order.intent shows orders"
            raise OperatorError(f"the record has no order {prefix!r}", hint=hint)
        if len(orders) > 1:
            hint = f"give more of it, such as {min(orders)}"
            raise OperatorError(f"{len(orders)} orders begin with {prefix!r}", hint=hint)
        return next(iter(orders.values()))

    def _linked(self, seq: int) -> Entry:
        for entry in self._entries("seq = ?", (seq,)):
            return entry
        raise RecordError(f"the record is damaged: entry {seq}, a cause, is missing", hint=DAMAGE_HINT)

    def _starts(self, chain: Sequence[Entry]) -> Iterator[Entry]:
        """The last start before its first part in the chain, for each plugin there."""
        # The chain runs backwards, so the oldest entry that names a plugin is the one that stays.
        wanted = {plugin: entry.seq for entry in chain for plugin in plugins_of(entry)}
        starts: dict[str, Entry] = {}
        for start in self._entries("event = 'plugin.start'"):
            for plugin in plugins_of(start):
                if start.seq < wanted.get(plugin, 0):
                    starts[plugin] = start
        yield from sorted(starts.values(), key=lambda start: start.seq)

    def _entries(
        self, where: str = "1", values: Collection[object] = (), *, newest_first: bool = False
    ) -> Iterator[Entry]:
        for seq, _, _, body in self._store.rows(where, list(values), newest_first=newest_first):
            try:
                yield decode(body)
            except RecordError as error:
                raise RecordError(f"the record is damaged: entry {seq}: {error}", hint=DAMAGE_HINT) from error


def _cause(entry: Entry, snapshot: object) -> int | None:
    """What led to `entry`: of an observation of several snapshots, `snapshot` where it is one of them."""
    seen = entry.subject.get("snapshots") if entry.event == "observation" else None
    if isinstance(seen, list) and isinstance(snapshot, int) and snapshot in seen and snapshot < entry.seq:
        return snapshot
    return entry.cause


def plugins_of(entry: Entry) -> set[str]:
    """Ids of the plugins an entry is about: who acted, and whom its subject names."""
    named = {entry.subject.get("plugin")}
    if entry.actor.kind == "plugin":
        named.add(entry.actor.id)
    if entry.event.startswith("plugin."):
        named.add(entry.subject.get("id"))
    return {name for name in named if isinstance(name, str) and name}
