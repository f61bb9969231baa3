"""What the host hears on the listener of a plugin's filter: which fatal call was about to be made.

The kernel holds the caller, so the call does not happen; whoever hears of it ends the process. Nothing is ever
answered. Spec: the kernel's Documentation/userspace-api/seccomp_filter.rst, `struct seccomp_notif`.
"""

from __future__ import annotations

import fcntl
import select
import struct
from typing import Final

from pp_host.sandbox import syscalls

_RECEIVE: Final = 0xC050_2100  # SECCOMP_IOCTL_NOTIF_RECV
_NOTIFICATION: Final = struct.Struct(
    "=QIIiIQ6Q"
)  # id, pid, flags, then seccomp_data, which begins with the number


def fatal_call(listener: int) -> str | None:
    """The name of the call, once the descriptor is readable; None when nobody is left to make one."""
    ready = select.poll()
    ready.register(listener, select.POLLIN)
    if not any(event & select.POLLIN for _, event in ready.poll(0)):
        return None
    notification = bytearray(_NOTIFICATION.size)
    try:
        fcntl.ioctl(listener, _RECEIVE, notification)
    except OSError:  # it was killed meanwhile
        return None
    _, _, _, number, *_ = _NOTIFICATION.unpack(notification)
    return syscalls.name(number)
