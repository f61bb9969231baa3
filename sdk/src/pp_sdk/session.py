"""A plugin as the host sees it: requests in, answers out.

Laws: only the hooks declared in `load` are ever called, and only methods marked with `@hookimpl` are hooks.
What a hook returns is checked before it is sent, so an author's slip is an error with a message and not a
broken protocol. An exception of the plugin's own is answered; SystemExit and KeyboardInterrupt end the
process.
"""

from __future__ import annotations

import os
import random
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, Final, get_args

import msgspec

from pp_sdk.archive import ArchiveError, read_archive
from pp_sdk.archive_import import ORIGIN, ArchiveFinder, ShadowError, refuse_shadows
from pp_sdk.hooks import PROJECT
from pp_sdk.host import MESSAGE_CHARACTERS, presentable
from pp_sdk.memfd import NotSealed, unseal
from pp_sdk.table import MarketTable
from pp_sdk.types import (
    MICRO,
    Advice,
    Brief,
    Choice,
    Decision,
    Keep,
    Observation,
    Shrink,
    SnapshotRequest,
    Veto,
)
from pp_sdk.wire.blocking import Cancelled, Request
from pp_sdk.wire.messages import (
    FAILED_CHARACTERS,
    Advise,
    Configure,
    Decide,
    Decided,
    Done,
    Failure,
    HookFailed,
    HookName,
    Load,
    Loaded,
    Notified,
    Notify,
    Select,
    Selected,
    Snapshot,
    Stop,
)

HOOKS: Final[tuple[HookName, ...]] = get_args(HookName)
_ADVICE: Final = Keep, Shrink, Veto
_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODERS: Final = {kind: msgspec.msgpack.Decoder(kind) for kind in (Selected, Decided, Advice)}


class Refused(Exception):
    """The answer is an error with this code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Session:
    """One plugin object, from load to stop."""

    def __init__(self) -> None:
        self.hooks: dict[HookName, Callable[..., Any]] = {}
        self._brief: Brief | None = None
        self._answers: Mapping[str, Callable[[Any, int], Any]] = {
            "load": self._load,
            "configure": self._configure,
            "snapshot": self._snapshot,
            "select": self._select,
            "decide": self._decide,
            "advise": self._advise,
            "notify": self._notify,
            "stop": self._stop,
        }

    def adopt(self, plugin: object, declared: Sequence[HookName]) -> None:
        """Take these hooks of `plugin`, as far as it has them."""
        self.hooks = {name: hook for name, hook in marked_hooks(plugin).items() if name in declared}

    def answer(self, request: Request) -> Any:
        """The reply's body, or a Failure. Closes the request's descriptor."""
        try:
            return self._answers[request.method](request.body, -1 if request.fd is None else request.fd)
        except Refused as refusal:
            return Failure(code=refusal.code, message=presentable(refusal))
        except NotSealed as error:
            return Failure(code="not_sealed", message=presentable(error))
        except Cancelled as cancelled:
            return Failure(code="cancelled", message=presentable(cancelled))
        except Exception as error:  # noqa: BLE001  # the border to a stranger's code; the host and stderr are told
            traceback.print_exception(error)
            return Failure(code="plugin_error", message=describe(error))
        finally:
            if request.fd is not None:
                os.close(request.fd)

    def _load(self, body: Load, fd: int) -> Loaded:
        try:
            files = read_archive(unseal(fd, body.archive_bytes))
            refuse_shadows(files)
        except (ArchiveError, ShadowError) as error:
            raise Refused("load_error", str(error)) from error
        sys.meta_path.append(ArchiveFinder(files))
        random.seed(0)  # a forked process inherits its parent's state, and `configure` comes after the import
        self.adopt(getattr(import_module(body.module), body.object), body.hooks)
        return Loaded(hooks=[name for name in HOOKS if name in self.hooks])

    def _configure(self, body: Configure, fd: int) -> Done:
        random.seed(body.seed)
        self._brief = body.brief
        if "configure" in self.hooks:
            self.hooks["configure"](body.config)
        return Done()

    def _snapshot(self, body: SnapshotRequest, fd: int) -> Snapshot:
        table = self._hook("snapshot")(body)
        if not isinstance(table, MarketTable):
            raise Refused("bad_answer", f"snapshot must return a MarketTable, not {type(table).__name__}")
        return Snapshot(table=bytes(table.block))

    def _select(self, body: Select, fd: int) -> Selected:
        hook = self._hook("select")
        markets = MarketTable.trusted(unseal(fd, body.table_bytes))
        ids = hook(Observation(now=body.now, markets=markets, brief=self._brief))
        if not isinstance(ids, list) or not all(isinstance(name, str) for name in ids):
            raise Refused("bad_answer", "select must return a list of market ids")
        if len(set(ids)) != len(ids):
            raise Refused("bad_answer", "select: a market stands twice")
        choices = [Choice(market=name, score=self._score(markets, name)) for name in ids]
        selected: Selected = checked("select", Selected(markets=choices), Selected)
        return selected

    def _score(self, markets: MarketTable, market: str) -> int:
        """Parts per million."""
        row = markets.get(market)
        if row is None:
            raise Refused("bad_answer", f"select: {market!r} is not among the markets that were shown")
        if "score" not in self.hooks:
            return MICRO
        score = self.hooks["score"](row)
        if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1:
            raise Refused("bad_answer", f"score: expected a number from 0 to 1 for {market!r}, got {score!r}")
        return round(score * MICRO)

    def _decide(self, body: Decide, fd: int) -> Decided:
        hook = self._hook("decide")
        markets = MarketTable.trusted(unseal(fd, body.table_bytes))
        scores = None if body.scores is None else {name: score / MICRO for name, score in body.scores.items()}
        wishes = hook(
            Observation(now=body.now, markets=markets, account=body.account, brief=self._brief, scores=scores)
        )
        if not isinstance(wishes, list) or not all(isinstance(wish, Decision) for wish in wishes):
            raise Refused("bad_answer", "decide must return a list of Decision")
        decided: Decided = checked("decide", Decided(decisions=wishes), Decided)
        return decided

    def _advise(self, body: Advise, fd: int) -> Advice:
        opinion = self._hook("advise")(body.proposal, body.view)
        if not isinstance(opinion, _ADVICE):
            raise Refused("bad_answer", "advise must return Keep, Shrink or Veto")
        advice: Advice = checked("advise", opinion, Advice)
        return advice

    def _notify(self, body: Notify, fd: int) -> Notified:
        told = self._tell(body)
        if "flush" not in self.hooks or (error := raised(self.hooks["flush"])) is None:
            return told
        traceback.print_exception(error)
        why = describe(error, FAILED_CHARACTERS)
        lost = [HookFailed(index=index, message=why) for index in range(told.handled)]
        return Notified(handled=told.handled, failed=lost)

    def _tell(self, body: Notify) -> Notified:
        hook = self._hook("notify")
        begun = time.monotonic_ns()
        failed: list[HookFailed] = []
        for index, event in enumerate(body.events):
            if index and time.monotonic_ns() - begun > body.patience * 1000:
                return Notified(handled=index, failed=failed)
            if (error := raised(hook, event)) is not None:
                if not failed:
                    traceback.print_exception(error)
                failed.append(HookFailed(index=index, message=describe(error, FAILED_CHARACTERS)))
        return Notified(handled=len(body.events), failed=failed)

    def _stop(self, body: Stop, fd: int) -> Done:
        return Done()

    def _hook(self, name: HookName) -> Callable[..., Any]:
        try:
            return self.hooks[name]
        except KeyError:
            raise Refused("no_hook", f"this plugin has no hook {name!r}, or did not declare it") from None


def raised(hook: Callable[..., Any], *arguments: Any) -> Exception | None:
    """Call `hook`; the error of the plugin's own that it raised, if any."""
    try:
        hook(*arguments)
    except Cancelled:
        raise
    except Exception as error:  # noqa: BLE001  # the border to a stranger's code; what it did not fail on goes on
        return error
    return None


def marked_hooks(plugin: object) -> dict[HookName, Callable[..., Any]]:
    """The methods of `plugin` that carry `@hookimpl` and have a hook's name."""
    found = {name: getattr(plugin, name, None) for name in HOOKS}
    return {name: hook for name, hook in found.items() if callable(hook) and hasattr(hook, f"{PROJECT}_impl")}


def checked(hook: str, value: Any, kind: Any) -> Any:
    """What `hook` returned, as its type says. Raises Refused."""
    try:
        return _DECODERS[kind].decode(_ENCODER.encode(value))
    except (msgspec.MsgspecError, TypeError, OverflowError, UnicodeError) as error:
        raise Refused("bad_answer", f"{hook}: {error}") from error


def describe(error: BaseException, most: int = MESSAGE_CHARACTERS) -> str:
    """Type, text, and the last line of the plugin's own code that took part, in `most` characters."""
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(ORIGIN)]
    where = f" ({own[-1].filename}:{own[-1].lineno} in {own[-1].name})" if own else ""
    return (presentable(f"{type(error).__name__}: {error}")[: max(0, most - len(where))] + where)[:most]
