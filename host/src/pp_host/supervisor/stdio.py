"""What a plugin writes to stdout and stderr: read at once, bounded, split into lines. Nothing of it is trusted."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable

from pp_host.limits import LIMITS

CHUNK = 16_384  # little at a time: the event loop serves others between two reads
LINE = 4_000
KEPT_LINES = 50


class StdioDrain:
    """Keeps the last lines of one pipe; `on_flood` is called once when it exceeds its limit."""

    def __init__(self, fd: int, on_line: Callable[[str], None], on_flood: Callable[[], None]) -> None:
        self._fd = fd
        self._on_line = on_line
        self._on_flood = on_flood
        self._partial = b""
        self._loop = asyncio.get_running_loop()
        self._open = True
        self._minute = self._loop.time()
        self._this_minute = 0
        self._second = self._loop.time()
        self._this_second = 0
        self._untold = 0
        self.last_lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._loop.add_reader(fd, self._read)

    def _read(self) -> None:
        try:
            chunk = os.read(self._fd, CHUNK)
        except BlockingIOError:
            return
        if not chunk:
            self.close()
            return
        if not self._flooded(len(chunk)):
            self._take(chunk)

    def _take(self, chunk: bytes) -> None:
        *lines, self._partial = (self._partial + chunk).split(b"\n")
        for line in lines:
            self._tell(line)
        if len(self._partial) > LINE:
            self._tell(self._partial)
            self._partial = b""

    def _flooded(self, size: int) -> bool:
        now = self._loop.time()
        if now - self._minute >= 60.0:
            self._minute, self._this_minute = now, 0
        within = self._this_minute <= LIMITS.process.stdout_bytes_per_minute
        self._this_minute += size
        if self._this_minute <= LIMITS.process.stdout_bytes_per_minute:
            return False
        if within:
            self._on_flood()
        return True

    def _tell(self, line: bytes) -> None:
        """Pass a line on; of more than a second may carry only the number is told."""
        if not line.strip():
            return
        now = self._loop.time()
        if now - self._second >= 1.0:
            self._second, self._this_second = now, 0
        if self._this_second >= LIMITS.process.stdout_lines_per_second:
            self._untold += 1
            return
        self._this_second += 1
        text = line[:LINE].decode("utf-8", "replace")
        if self._untold:
            text, self._untold = f"({self._untold} lines left out) {text}", 0
        self.last_lines.append(text)
        self._on_line(text)

    def close(self) -> None:
        """Read what is left without waiting, then let go of the pipe."""
        if not self._open:
            return
        self._open = False
        self._loop.remove_reader(self._fd)
        self._finish()
        os.close(self._fd)

    def _finish(self) -> None:
        while rest := self._rest():
            self._this_minute += len(rest)
            self._take(rest)
        for line in self._partial.splitlines():
            self._tell(line)
        self._partial = b""

    def _rest(self) -> bytes:
        room = LIMITS.process.stdout_bytes_per_minute - self._this_minute
        try:
            return os.read(self._fd, min(CHUNK, room)) if room > 0 else b""
        except BlockingIOError:
            return b""


class Transcript(StdioDrain):
    """All that one pipe said, within the same limit, for whoever put its writer there."""

    def __init__(self, fd: int, on_flood: Callable[[], None]) -> None:
        super().__init__(fd, lambda _: None, on_flood)
        self._said = bytearray()

    def _take(self, chunk: bytes) -> None:
        self._said += chunk
        super()._take(chunk)

    @property
    def text(self) -> str:
        return self._said.decode("utf-8", "replace")
