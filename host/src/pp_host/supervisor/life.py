"""A plugin's life as one table.

Rule 1: everything that may happen to a plugin, and what follows, is in TRANSITIONS. Rule 2: what is not in the table
cannot happen; asking for it is a bug of ours. Rule 3: nothing leads out of quarantine; the next run starts
anew.
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType

from pp_host.limits import LIMITS, SupervisionLimits


class Life(StrEnum):
    NEW = "new"
    STARTING = "starting"
    RUNNING = "running"
    BACKOFF = "backoff"
    STOPPING = "stopping"
    STOPPED = "stopped"
    QUARANTINED = "quarantined"


class Happening(StrEnum):
    START = "start"
    READY = "ready"
    FAILED = "failed"
    GIVEN_UP = "given_up"
    STOP = "stop"
    GONE = "gone"


TRANSITIONS = MappingProxyType(
    {
        (Life.NEW, Happening.START): Life.STARTING,
        (Life.NEW, Happening.STOP): Life.STOPPED,
        (Life.STARTING, Happening.READY): Life.RUNNING,
        (Life.STARTING, Happening.FAILED): Life.BACKOFF,
        (Life.STARTING, Happening.GIVEN_UP): Life.QUARANTINED,
        (Life.STARTING, Happening.STOP): Life.STOPPING,
        (Life.RUNNING, Happening.FAILED): Life.BACKOFF,
        (Life.RUNNING, Happening.GIVEN_UP): Life.QUARANTINED,
        (Life.RUNNING, Happening.STOP): Life.STOPPING,
        (Life.BACKOFF, Happening.START): Life.STARTING,
        (Life.BACKOFF, Happening.STOP): Life.STOPPED,
        (Life.STOPPING, Happening.GONE): Life.STOPPED,
    }
)


class Outcome(StrEnum):
    """How a process ended: a closed set."""

    OK = "ok"
    ERROR = "error"
    VIOLATION = "violation"
    SIGNALED = "signaled"
    TIMEOUT = "timeout"
    LIMIT = "limit"
    SETUP_ERROR = "setup_error"


RESTARTABLE = frozenset({Outcome.OK, Outcome.ERROR, Outcome.SIGNALED, Outcome.TIMEOUT, Outcome.LIMIT})


class Patience:
    """How often a plugin may fail before it is given up: `restarts` within the window, each wait twice the last."""

    def __init__(self, limits: SupervisionLimits = LIMITS.supervision) -> None:
        self._limits = limits
        self._failures: list[float] = []

    def next_wait(self, now: float, jitter: float) -> float | None:
        """Seconds to wait before the next start after a failure at `now` (monotonic), or None: give up.

        jitter: 0..1, spreads the wait over its upper half so that plugins which died together do not return together.
        """
        horizon = now - self._limits.restart_window_seconds
        self._failures = [at for at in self._failures if at > horizon] + [now]
        if len(self._failures) > self._limits.restarts:
            return None
        wait: float = self._limits.backoff_first_seconds * 2 ** (len(self._failures) - 1)
        return min(wait, self._limits.backoff_most_seconds) * (0.5 + 0.5 * jitter)
