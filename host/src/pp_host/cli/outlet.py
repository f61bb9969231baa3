"""Writing to a reader who may be slow, stopped or gone, without ever waiting for it.

Laws: `write` returns at once; a thread of its own does the waiting. What the reader is too late for is left out and
its lines are counted; a reader who is gone misses the rest. Neither delays or ends what is being told.
"""

from __future__ import annotations

import os
import select
import threading
from collections import deque

WAITING_CHARS = 256 * 1024  # as much as a plugin may print in a minute
LAST_SECONDS = 1.0  # at the end, for what still waits


class Outlet:
    """A descriptor, as rich writes to a text file."""

    encoding = "utf-8"

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._changed = threading.Condition()
        self._waiting: deque[str] = deque()
        self._held = 0  # characters that wait or are being written
        self._left_out = 0
        self._thread: threading.Thread | None = None
        self._closed = False

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def flush(self) -> None:
        """Nothing to do: `write` has passed everything on."""

    def write(self, text: str) -> int:
        """Pass `text` on, or leave it out where too much waits already."""
        with self._changed:
            if not self._closed and self._held + len(text) <= WAITING_CHARS:
                self._put(self._notice() + text)
            elif not self._closed:
                self._left_out += text.count("\n")
        return len(text)

    def close(self) -> None:
        """Give the reader a moment for what still waits; the rest is dropped."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or not (self._held or self._left_out), LAST_SECONDS)
            self._end()

    def _put(self, text: str) -> None:
        if not text:
            return
        self._held += len(text)
        self._waiting.append(text)
        if self._thread is None:
            self._thread = threading.Thread(target=self._deliver, name="outlet", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _notice(self) -> str:
        left_out, self._left_out = self._left_out, 0
        return f"({left_out} lines left out: nobody read them in time)\n" if left_out else ""

    def _end(self) -> None:
        self._closed = True
        self._waiting.clear()
        self._changed.notify_all()

    def _deliver(self) -> None:
        try:
            while text := self._next():
                _write(self._descriptor, text.encode(errors="backslashreplace"))
                with self._changed:
                    self._held -= len(text)
                    self._put("" if self._waiting else self._notice())
                    self._changed.notify_all()
        except OSError:  # nobody reads any more
            with self._changed:
                self._end()

    def _next(self) -> str:
        """What to write next, once there is something; empty at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._waiting)
            return "" if self._closed else self._waiting.popleft()


def _write(descriptor: int, data: bytes) -> None:
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:  # whoever shares the terminal made it so
            select.select((), (descriptor,), ())
