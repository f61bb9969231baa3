"""What a process learns of the machine without opening anything."""

import os

from tests.escape.case import LEAKS, Case, Control, Holding, gets, raises, refused, soft
from tests.escape.sides import MARK

SECRET = gets("secret")
ACCOUNT = gets(os.getuid() or 231_072)

CASES = [
    Case("environment", ("environment",), gets({}), None, Control(answer=gets(Holding("secret")))),
    Case("environment of C", ("in_environment", MARK), gets(None), None, Control(answer=SECRET)),
    Case(
        "environment on the start stack",
        ("on_start_stack", MARK),
        gets(False),
        None,
        Control(answer=gets(True)),
    ),
    Case("arguments", ("arguments",), gets([""]), None, Control(answer=gets(Holding("python")))),
    Case("the interpreter's path", ("executable",), gets(""), LEAKS, Control(answer=gets(Holding("python")))),
    Case("the interpreter's folder", ("prefix",), gets("/python"), LEAKS),
    Case(
        "the interpreter's path in memory",
        ("program",),
        LEAKS,
        LEAKS,
        Control(answer=gets(Holding("python"))),
    ),
    Case("host name", ("host_name",), gets("plugin"), LEAKS, Control(answer=gets(os.uname().nodename))),
    Case("domain name", ("domain_name",), gets("plugin"), LEAKS),
    Case("own pid", ("own_pid",), gets(1), LEAKS),
    Case("parent's pid", ("parent",), gets(0), LEAKS),
    Case("user", ("user",), gets(1000), ACCOUNT, Control(answer=gets(os.getuid()))),
    soft("groups", ("groups",), "EPERM"),
    soft("session", ("session",), "EPERM"),
    Case("accounts", ("account", "daemon"), raises("KeyError"), None, Control(answer=gets(1))),
    Case("kernel", ("kernel",), LEAKS, LEAKS, Control(answer=gets(os.uname().release))),
    Case("since when it runs", ("since_boot",), LEAKS, LEAKS),
    Case("load", ("load",), LEAKS, LEAKS),
    Case("processors", ("processors",), LEAKS, LEAKS, Control(answer=gets(len(os.sched_getaffinity(0))))),
    Case("memory", ("memory",), LEAKS, LEAKS, Control(answer=gets(os.sysconf("SC_PHYS_PAGES")))),
    Case("working folder", ("working_folder",), gets("/"), None),
    Case("time zone", ("time_zone",), refused("ENOENT"), LEAKS, at_l1=refused("EACCES")),
]


def test_attack(attempt):
    attempt()
