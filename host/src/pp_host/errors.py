"""Every error the host raises on purpose, split by who is to blame.

    HostError
    ├── OperatorError        bad input or state; exit 1
    │   ├── NoHost           nobody listens on the control socket
    │   └── Refused          policy says no (signature, capability, level, limit, kill); exit 3
    │       └── WallMissing  a wall of the sandbox cannot be built here, or does not stand
    ├── PluginError          a plugin failed; exit 4
    │   ├── PluginViolation  it broke the protocol or touched a wall
    │   ├── PluginTimeout    it did not answer by its deadline
    │   ├── RequestRefused   it asked for something well-formed that policy refuses; it goes on
    │   ├── PluginUnstarted  its process ended before it was ready
    │   └── PluginGone       its process ended
    ├── VenueError           the venue failed; exit 4
    │   └── InDoubt          the venue may or may not have done it
    ├── RecordError          the record cannot be trusted or written; nothing may trade
    └── EntryRefused         a caller offered an entry the record does not take; shorten it or mend the caller

Anything else that reaches the command line is a bug of ours; exit 70.
"""

from __future__ import annotations

from typing import Any, ClassVar


class HostError(Exception):
    """`str(error)` is one line for a person; `hint` is the remedy, or empty where there is none."""

    exit_status: ClassVar[int] = 70

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class OperatorError(HostError):
    exit_status = 1


class NoHost(OperatorError):
    """Nobody listens: no host runs, or it is just starting or ending. Whoever takes the lock knows."""


class Refused(OperatorError):
    exit_status = 3


class WallMissing(Refused):
    """`wall` is its name, `why` what was seen; nothing runs behind the walls that are left."""

    def __init__(self, wall: str, why: str, *, hint: str) -> None:
        super().__init__(f"wall {wall}: {why}", hint=hint)
        self.wall = wall
        self.why = why


class PluginError(HostError):
    exit_status = 4


class PluginViolation(PluginError):
    pass


class PluginTimeout(PluginError):
    pass


class PluginGone(PluginError):
    pass


class PluginUnstarted(PluginError):
    """`ending`: how its process ended before it was ready, as supervisor.process tells it."""

    def __init__(self, message: str, ending: Any) -> None:
        super().__init__(message)
        self.ending = ending


class RequestRefused(PluginError):
    """`code` is the short word that the plugin is told."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class VenueError(HostError):
    exit_status = 4


class InDoubt(VenueError):
    pass


class RecordError(HostError):
    exit_status = 1


class EntryRefused(HostError, ValueError):
    pass
