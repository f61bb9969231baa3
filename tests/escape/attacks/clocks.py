"""The machine's time, and timers of one's own."""

import struct

from attacks.kernel import call

CLOCK_REALTIME, CLOCK_MONOTONIC = 0, 1
NOTHING = bytes(208)  # `struct timex` that asks for no change


def set_clock():
    return call("clock_settime", CLOCK_REALTIME, struct.pack("=qq", 0, 0))


def set_time():
    return call("settimeofday", struct.pack("=qq", 0, 0), 0)


def look_at_adjustment():
    return call("adjtimex", bytearray(NOTHING)) >= 0


def look_at_clocks_adjustment():
    return call("clock_adjtime", CLOCK_REALTIME, bytearray(NOTHING)) >= 0


def timer():
    return call("timerfd_create", CLOCK_MONOTONIC, 0) >= 0


def offsets(text):
    """Of a time namespace: another monotonic clock for children."""
    with open("/proc/self/timens_offsets", "w") as file:
        return file.write(text)


def another_time():
    call("unshare", 0x80)
    return ("monotonic 1000 0",)
