"""A host for tests: runs a plugin in this process, through the real messages, without walls.

Laws: everything that passes is encoded, decoded and checked as between processes, so what works here works
there, as far as the walls allow it. Time stands where the test puts it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Self

from pp_sdk import __version__
from pp_sdk.archive_import import ArchiveFinder, refuse_shadows
from pp_sdk.events import Event
from pp_sdk.host import attached
from pp_sdk.memfd import seal
from pp_sdk.session import HOOKS, Session
from pp_sdk.table import MarketRow, MarketTable, build
from pp_sdk.testing.markets import START
from pp_sdk.testing.storage import FakeStorage
from pp_sdk.types import (
    Account,
    Advice,
    Brief,
    Choice,
    Decision,
    Proposal,
    RiskView,
    SnapshotRequest,
)
from pp_sdk.wire.blocking import Request
from pp_sdk.wire.connection import (
    Connection,
    ErrorReceived,
    EventReceived,
    RemoteError,
    ReplyReceived,
    RequestReceived,
)
from pp_sdk.wire.messages import (
    EVENTS_MOST,
    METHODS,
    PROTOCOL,
    Advise,
    Configure,
    Decide,
    Failure,
    Hello,
    Load,
    Loaded,
    LogWrite,
    Notified,
    Notify,
    Now,
    Select,
    Side,
    decode_body,
)

PATIENCE: Final = 100_000  # microseconds, as the host has it


class FakeHost:
    """Runs one plugin: an object, or a folder whose module of the same name holds `plugin`.

    `now` is the time the plugin is told, in microseconds; set it as you like. `logs` collects what it logs.
    `storage` is what it may keep, nothing unless you hand one over.
    Answers arrive as the host would get them; an error answer raises RemoteError. A folder's modules stay
    importable until `close`, or the end of a `with`.
    """

    def __init__(
        self,
        plugin: object,
        config: dict[str, Any] | None = None,
        *,
        seed: int = 0,
        now: int = START,
        account: Account | None = None,
        brief: Brief | None = None,
        storage: FakeStorage | None = None,
    ) -> None:
        self.now = now
        self.storage = storage or FakeStorage()
        self.account = account
        self.logs: list[LogWrite] = []
        self._host = Connection(Side.HOST)
        self._plugin = Connection(Side.PLUGIN)
        self._session = Session()
        self._finder: ArchiveFinder | None = None
        self._namesakes: dict[str, ModuleType] = {}
        self._tell_hello()
        self._load(plugin)
        self._ask("configure", Configure(config=config or {}, seed=seed, now=now, brief=brief))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Forget a folder's modules."""
        if self._finder is not None:
            sys.meta_path.remove(self._finder)
            for name in [name for name, module in sys.modules.items() if self._finder.made(module)]:
                del sys.modules[name]
            sys.modules.update(self._namesakes)
            self._finder = None

    def snapshot(self, *held: str) -> MarketTable:
        """A source's markets."""
        reply = self._ask("snapshot", SnapshotRequest(now=self.now, held=held))
        return MarketTable.decode(reply.table)

    def select(self, *rows: MarketRow, table: MarketTable | None = None) -> list[Choice]:
        """A strategy's choice among these rows or this table, best first; scores in parts per million."""
        shown = build(rows) if table is None else table
        body = Select(now=self.now, table_bytes=len(shown.block))
        choices: list[Choice] = self._ask("select", body, fd=seal(shown.block)).markets
        return choices

    def decide(
        self, *rows: MarketRow, table: MarketTable | None = None, scores: Mapping[str, int] | None = None
    ) -> list[Decision]:
        """An agent's wishes, for these rows or this table; `scores` in parts per million, as a strategy gave them."""
        shown = build(rows) if table is None else table
        body = Decide(
            now=self.now,
            table_bytes=len(shown.block),
            account=self.account,
            scores=None if scores is None else dict(scores),
        )
        decisions: list[Decision] = self._ask("decide", body, fd=seal(shown.block)).decisions
        return decisions

    def advise(self, proposal: Proposal, view: RiskView) -> Advice:
        """A risk plugin's advice."""
        advice: Advice = self._ask("advise", Advise(proposal=proposal, view=view))
        return advice

    def notify(self, *events: Event) -> None:
        """Tell an output plugin, one event after the other. RemoteError: the first error that its hook raised."""
        waiting = list(events)
        while waiting:
            body = Notify(events=waiting[:EVENTS_MOST], patience=PATIENCE)
            reply: Notified = self._ask("notify", body)
            if reply.failed:
                raise RemoteError(Failure(code="plugin_error", message=reply.failed[0].message))
            del waiting[: reply.handled]

    def call(self, method: str, body: Any) -> Any:
        """The plugin's side asks; used by pp_sdk.host."""
        number, data = self._plugin.request(method, body)
        (request,) = self._host.receive(data)
        assert isinstance(request, RequestReceived)
        asked = decode_body(request.body, METHODS[method].request)
        answer = Now(now=self.now) if method == "clock.now" else self.storage.answer(method, asked)
        if isinstance(answer, Failure):
            self._plugin.receive(self._host.fail(number, answer))
            raise RemoteError(answer)
        (reply,) = self._plugin.receive(self._host.reply(number, answer))
        assert isinstance(reply, ReplyReceived)
        return decode_body(reply.body, METHODS[method].reply)

    def event(self, method: str, body: Any) -> None:
        """The plugin's side tells; used by pp_sdk.host."""
        (event,) = self._host.receive(self._plugin.event(method, body))
        assert isinstance(event, EventReceived)
        self.logs.append(decode_body(event.body, LogWrite))

    def _tell_hello(self) -> None:
        hello = Hello(protocol=PROTOCOL, sdk=__version__, python=sys.version.split()[0], selfcheck={}, ext={})
        self._host.receive(self._plugin.event("hello", hello))

    def _load(self, plugin: object) -> None:
        load = Load(archive_bytes=1, module="plugin", object="plugin", hooks=list(HOOKS))
        number, data = self._host.request("load", load)
        self._plugin.receive(data)
        with attached(self):
            self._session.adopt(self._import(plugin) if isinstance(plugin, Path) else plugin, HOOKS)
        self._host.receive(self._plugin.reply(number, Loaded(hooks=list(self._session.hooks))))

    def _import(self, folder: Path) -> object:
        files = {
            path.relative_to(folder).as_posix(): memoryview(path.read_bytes())
            for path in sorted(folder.rglob("*"))
            if path.is_file() and _is_packed(path.relative_to(folder))
        }
        refuse_shadows(files)
        self._finder = finder = ArchiveFinder(files)
        # A folder called like the plugin's module, on sys.path or imported already, must not stand for it.
        namesakes = [name for name in sys.modules if finder.find_spec(name.partition(".")[0])]
        self._namesakes = {name: sys.modules.pop(name) for name in namesakes}
        sys.meta_path.insert(0, finder)
        return import_module(folder.resolve().name).plugin

    def _ask(self, method: str, body: Any, fd: int | None = None) -> Any:
        self.storage.called(len(body.events) if isinstance(body, Notify) else 1)
        number, data = self._host.request(method, body)
        (received,) = self._plugin.receive(data)
        assert isinstance(received, RequestReceived)
        with attached(self):
            request = Request(number, method, decode_body(received.body, METHODS[method].request), fd)
            answer = self._session.answer(request)
        say = self._plugin.fail if isinstance(answer, Failure) else self._plugin.reply
        (reply,) = self._host.receive(say(number, answer))
        if isinstance(reply, ErrorReceived):
            raise RemoteError(reply.failure)
        assert isinstance(reply, ReplyReceived)
        return decode_body(reply.body, METHODS[method].reply)


def _is_packed(path: Path) -> bool:
    """Whether a file of a plugin's folder can be part of its package: its tests are not the plugin's."""
    return path.parts[0] != "tests" and "__pycache__" not in path.parts
