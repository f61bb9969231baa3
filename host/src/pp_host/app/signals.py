"""What Ctrl-C, SIGTERM and a closed terminal mean to a session.

Laws: until `heed` they interrupt, as Python has it for Ctrl-C; from then on nothing interrupts, up to the end of the
block, so that whatever comes while a run closes leaves its record whole. One that is ignored (nohup) stays ignored.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_HEEDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signals:
    """The process's handlers of these signals. Made by `taken`."""

    def __init__(self) -> None:
        self._heard: Callable[[], None] | None = None

    @classmethod
    @contextmanager
    def taken(cls) -> Iterator[Signals]:
        """Handle them until the block ends. In the main thread only."""
        signals = cls()
        before = {number: signal.getsignal(number) for number in _HEEDED}
        ours = {number: old for number, old in before.items() if old is not signal.SIG_IGN}
        try:
            for number in ours:
                signal.signal(number, signals._received)
            yield signals
        finally:
            for number, old in ours.items():
                signal.signal(number, old)

    def heed(self, heard: Callable[[], None]) -> None:
        """From now on tell `heard`, which must not block; it runs between any two instructions of the main thread."""
        self._heard = heard

    def _received(self, _number: int, _frame: FrameType | None) -> None:
        if self._heard is None:
            raise KeyboardInterrupt
        self._heard()
