"""Capabilities: the child drops every one, and the bounding set, so that none can come back."""

from __future__ import annotations

import errno
import struct
from typing import Final

from pp_host.sandbox import abi
from pp_host.sandbox.plan import SandboxPlan

_PR_CAPBSET_READ: Final = 23
_PR_CAPBSET_DROP: Final = 24
_PR_CAP_AMBIENT: Final = 47
_AMBIENT_CLEAR_ALL: Final = 4
_HEADER: Final = struct.pack("=Ii", 0x2008_0522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
_NONE: Final = bytes(24)  # effective, permitted, inheritable; low words, then high
_MOST: Final = 64


def drop_all(plan: SandboxPlan) -> None:
    """The bounding set first: dropping it takes CAP_SETPCAP, which goes with the rest.

    Without a user namespace an ordinary user has no say in it, and root's zygote has dropped it already.
    """
    if plan.level == "L3":
        drop_bounding_set()
    abi.prctl(_PR_CAP_AMBIENT, _AMBIENT_CLEAR_ALL)
    abi.call("capset", _HEADER, _NONE)


def drop_bounding_set() -> None:
    for capability in range(_MOST):
        try:
            abi.prctl(_PR_CAPBSET_DROP, capability)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            break  # past the last capability that this kernel knows


def held() -> int:
    """How many capabilities this process has, over its own sets."""
    sets = bytearray(_NONE)
    abi.call("capget", _HEADER, sets)
    return int.from_bytes(sets, "little").bit_count()


def within_bounds() -> int:
    """How many capabilities it could get by starting a program, if it could."""
    return sum(map(_in_bounding_set, range(_MOST)))


def _in_bounding_set(capability: int) -> int:
    try:
        return abi.prctl(_PR_CAPBSET_READ, capability)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return 0
