"""What a plugin may ask of its host, from anywhere in its code: `log` and `clock` here, more in `pp_sdk.storage`.

Laws: one process runs one plugin, so there is one current host, and only the runner (or the fake host of a
test) sets it. Without one, asking is an error: nothing here quietly falls back to the machine's own clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal, Protocol

from pp_sdk.wire.messages import ClockNow, LogWrite

MESSAGE_CHARACTERS: Final = 4000
Level = Literal["debug", "info", "warning", "error"]


class Link(Protocol):
    """A connection to a host."""

    def call(self, method: str, body: Any) -> Any: ...
    def event(self, method: str, body: Any) -> None: ...


class NoHost(RuntimeError):
    """Plugin code was called by nobody that could answer it."""


class _Current:
    link: Link | None = None


def link() -> Link:
    """The current host. Raises NoHost."""
    if _Current.link is None:
        raise NoHost("no host here: run the plugin under `pp`, or under pp_sdk.testing.FakeHost in a test")
    return _Current.link


@contextmanager
def attached(to: Link) -> Iterator[None]:
    """Make `to` the current host."""
    before, _Current.link = _Current.link, to
    try:
        yield
    finally:
        _Current.link = before


class Log:
    """Lines for the record; long ones are cut at 4,000 characters. May be used from any thread."""

    def debug(self, message: str) -> None:
        self._write("debug", message)

    def info(self, message: str) -> None:
        self._write("info", message)

    def warning(self, message: str) -> None:
        self._write("warning", message)

    def error(self, message: str) -> None:
        self._write("error", message)

    def _write(self, level: Level, message: str) -> None:
        link().event("log.write", LogWrite(level=level, message=presentable(message)))


class Clock:
    """The venue's time; in a backtest it is the tape's."""

    def now(self) -> int:
        """Microseconds UTC."""
        answer: int = link().call("clock.now", ClockNow()).now
        return answer


def presentable(message: object) -> str:
    """Any object's text as it may travel: valid UTF-8 and not too long."""
    text = str(message)
    if len(text) > MESSAGE_CHARACTERS:
        text = text[: MESSAGE_CHARACTERS - 1] + "…"
    return text.encode("utf-8", "replace").decode()


log: Final = Log()
clock: Final = Clock()
