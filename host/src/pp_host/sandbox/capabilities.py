"""Capabilities: the child drops every one, and the bounding set, so that none can come back."""

from __future__ import annotations

import errno
import struct
from typing import Final

from pp_host.sandbox import abi
from pp_host.sandbox.plan import Cell

_PR_CAPBSET_READ: Final = 23
_PR_CAPBSET_DROP: Final = 24
_PR_CAP_AMBIENT: Final = 47
_AMBIENT_CLEAR_ALL: Final = 4
_HEADER: Final = struct.pack("=Ii", 0x2008_0522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
_NONE: Final = bytes(24)  # effective, permitted, inheritable; low words, then high
_MOST: Final = 64


def drop_all(_: Cell) -> None:
    """The bounding set first: dropping it takes CAP_SETPCAP, which goes with the rest."""
    for capability in range(_MOST):
        try:
            abi.prctl(_PR_CAPBSET_DROP, capability)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            break  # past the last capability that this kernel knows
    abi.prctl(_PR_CAP_AMBIENT, _AMBIENT_CLEAR_ALL)
    abi.call("capset", _HEADER, _NONE)


def held() -> int:
    """How many capabilities this process has or could get, over all sets."""
    sets = bytearray(_NONE)
    abi.call("capget", _HEADER, sets)
    return int.from_bytes(sets, "little").bit_count() + sum(map(_in_bounding_set, range(_MOST)))


def _in_bounding_set(capability: int) -> int:
    try:
        return abi.prctl(_PR_CAPBSET_READ, capability)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return 0
