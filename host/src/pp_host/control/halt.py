"""`pp kill` and `pp resume`: a halt works with the host alive, stopped or dead, and lasts.

Laws: the steps are numbered as in the design and none is skipped because an earlier one failed. What is
not certain is said to be uncertain. `append` takes the record's writer lock, writes one durable entry and
lets go.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from pp_host.control.channel import Ask, ask
from pp_host.control.identity import HostIdentity, end
from pp_host.errors import HostError, NoHost, OperatorError, Refused
from pp_host.latch import clear_latch, raise_latch
from pp_host.limits import LIMITS

Append = Callable[[str, Mapping[str, Any]], int]
HostState = Literal["answered", "ended", "absent", "unknown"]


class Halt(Struct, frozen=True, kw_only=True):
    """What `kill` achieved.

    latched: the latch is durable. recorded: seq of the record's entry, or None.
    host: "answered" (alive and halted), "ended" (killed just now), "absent" (none ran), "unknown"
    unconfirmed: in words, what could not be made certain
    """

    latched: bool
    host: HostState
    recorded: int | None
    unconfirmed: tuple[str, ...]

    @property
    def halted(self) -> bool:
        """Certain: no host can send, and none that starts later will."""
        silent = self.host in ("answered", "ended") or (self.host == "absent" and self.recorded is not None)
        return silent and (self.latched or self.recorded is not None)


def kill(state: Path, reason: str, append: Append) -> Halt:
    """Halt trading on this home. Never raises for a step that fails; see `Halt`."""
    unconfirmed: list[str] = []
    latched = _latch(state, reason, unconfirmed)  # 1
    ended = False
    deadline = time.monotonic() + LIMITS.control.lock_seconds
    while True:
        recorded = _ask(state, reason)  # 2
        if recorded is not None:
            return _halt(latched, "answered", recorded, unconfirmed)
        host = _end(state, unconfirmed)  # 3
        ended = ended or host == "ended"
        host = "ended" if ended and host == "absent" else host
        try:
            recorded = append("state.kill", {"reason": reason, "host": host, "latched": latched})  # 4
        except (HostError, OSError) as error:
            # The lock is not free: a host that is just starting, or the children of one that has just ended.
            if isinstance(error, Refused) and host != "unknown" and time.monotonic() < deadline:
                time.sleep(0.05)
                continue
            unconfirmed.append(f"the record has no entry: {error}")
        return _halt(latched, host, recorded, unconfirmed)


def _halt(latched: bool, host: HostState, recorded: int | None, unconfirmed: list[str]) -> Halt:
    return Halt(latched=latched, host=host, recorded=recorded, unconfirmed=tuple(unconfirmed))


def _latch(state: Path, reason: str, unconfirmed: list[str]) -> bool:
    try:
        raise_latch(state, reason)
    except OSError as error:
        unconfirmed.append(f"the latch could not be written: {error}")
        return False
    return True


def _ask(state: Path, reason: str) -> int | None:
    """The record's seq when the host says that it has halted; every other answer counts as none."""
    try:
        answer = ask(state, "kill", Ask(reason), timeout=LIMITS.control.kill_answer_seconds)
    except OperatorError:
        return None
    recorded = answer.get("recorded")
    return recorded if answer.get("halted") is True and isinstance(recorded, int) else None


def _end(state: Path, unconfirmed: list[str]) -> HostState:
    identity = HostIdentity.read(state)
    if identity is None:
        return "absent"
    try:
        with identity.process() as process:
            if process is None:
                return "absent"
            if end(process, LIMITS.control.exit_seconds):
                return "ended"
    except OSError as error:
        unconfirmed.append(f"the host (pid {identity.pid}) could not be signalled: {error}")
        return "unknown"
    unconfirmed.append(f"the host (pid {identity.pid}) was sent SIGKILL and has not ended")
    return "unknown"


def resume(state: Path, reason: str, append: Append) -> int:
    """Allow trading again; the record's seq. Errors: of `ask` when a host runs, else of `append`."""
    with suppress(NoHost):
        return int(ask(state, "resume", Ask(reason), timeout=LIMITS.control.answer_seconds)["recorded"])
    recorded = append("state.resume", {"reason": reason})
    clear_latch(state)  # last: a crash before leaves trading halted
    return recorded
