"""How commands reach a running host, and how trading is halted when the host does not answer.

Laws: one user, one home: the socket is 0600 in the home and a peer of another uid is not heard. A frame is
bounded in size and time before it is believed. A process is signalled only through a pidfd whose identity
was checked. Only `resume` clears the latch, and only after the record has the reason.
"""

from __future__ import annotations

from pp_host.control.channel import Ask, ask
from pp_host.control.halt import Halt, kill, resume
from pp_host.control.identity import HostIdentity, has_ended
from pp_host.control.server import ControlServer, Handler

__all__ = [
    "Ask",
    "ControlServer",
    "Halt",
    "Handler",
    "HostIdentity",
    "ask",
    "has_ended",
    "kill",
    "resume",
]
