"""Terminals: to type into one as if it were the operator, to take one over, to open one."""

from tests.escape.case import ends, soft

LEGACY = "kernels may keep it from anybody else (dev.tty.legacy_tiocsti)"
HUNG_UP = ends("SIGHUP")
ON_TERMINAL = {"arguments": (), "made_by": "terminal"}

CASES = [
    soft("type into it", ("type_into", 0), "ENOTTY", root_only=LEGACY, **ON_TERMINAL),
    soft("type with high bits", ("type_with_high_bits", 0), "ENOTTY", root_only=LEGACY, **ON_TERMINAL),
    soft("take it", ("take", 0), "ENOTTY", arguments=(), made_by="loose_terminal"),
    soft("let go of it", ("let_go", 0), "ENOTTY", answer=HUNG_UP, **ON_TERMINAL),
    soft("come to the front", ("to_front", 0), "ENOTTY", **ON_TERMINAL),
    soft("resize it", ("resize", 0), "ENOTTY", **ON_TERMINAL),
    soft("set its modes", ("set_modes", 0), "ENOTTY", **ON_TERMINAL),
    soft("type over the wire", ("type_into", 3), "ENOTTY", root_only=LEGACY, **ON_TERMINAL),
    soft("open the session's", ("opens", "/dev/tty"), "ENOENT", "EACCES", none="a test has none"),
    soft("open the machine's", ("opens", "/dev/console"), "ENOENT", "EACCES", root_only="a device of root's"),
    soft("open its maker", ("opens", "/dev/ptmx"), "ENOENT", "EACCES"),
    soft("a new one", ("new_terminal",), "ENOENT", "EACCES"),
    soft("list them", ("listing",), "ENOENT", "EACCES"),
    soft(
        "hang it up",
        ("hang_up",),
        "EPERM",
        root_only="it takes CAP_SYS_TTY_CONFIG",
        answer=HUNG_UP,
        **ON_TERMINAL,
    ),
]


def test_attack(attempt):
    attempt()
