"""The machine's time, and timers of one's own."""

from tests.escape.case import killed, soft

WHOLE_MACHINE = "there is one clock, whatever namespace it is set in"

CASES = [
    killed("set the clock", ("set_clock",), "clock_settime", none=WHOLE_MACHINE),
    killed("set the time", ("set_time",), "settimeofday", none=WHOLE_MACHINE),
    killed("adjust the time", ("look_at_adjustment",), "adjtimex"),
    killed("adjust a clock", ("look_at_clocks_adjustment",), "clock_adjtime"),
    soft("a timer by descriptor", ("timer",), "EPERM"),
    soft(
        "another time", ("offsets", ""), "ENOENT", "EACCES", fresh=True, arguments=(), made_by="another_time"
    ),
]


def test_attack(attempt):
    attempt()
