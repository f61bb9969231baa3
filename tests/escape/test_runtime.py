"""What Python itself may have left lying about: modules, frames, objects; and what it can be made to load."""

import os
import sys

from tests.escape.case import LEAKS, Case, Control, gets, raises
from tests.escape.sides import HERE

ABSENT = raises("ModuleNotFoundError")
PREFIXES = (os.path.dirname(os.__file__), str(HERE), sys.prefix)

CASES = [
    Case("the host's code", ("load", "pp_host"), ABSENT),
    Case("the walls' code", ("load", "pp_host.sandbox.jail"), ABSENT),
    Case("the SDK without a grant", ("load", "msgspec"), ABSENT),
    Case("the installer", ("load", "pip"), ABSENT),
    Case("the tests' tools", ("load", "pytest"), ABSENT),
    Case("a database", ("load", "sqlite3"), raises("ImportError"), at_l1=ABSENT),
    Case("modules of the host", ("modules",), gets([]), None, Control(made_by="host_module")),
    Case(
        "forgotten modules of the host",
        ("modules_in_memory",),
        gets([]),
        None,
        Control(made_by="host_module"),
    ),
    Case("objects of the host", ("objects",), gets([]), None, Control(made_by="host_module")),
    Case(
        "functions of the host",
        ("frames",),
        gets([]),
        None,
        Control(answer=gets(["_errno_of"]), arguments=(True,)),
    ),
    Case("host paths", ("paths", *PREFIXES), gets([]), LEAKS),
    Case(
        "host paths in frames",
        ("paths_in_frames", False, *PREFIXES),
        gets([]),
        None,
        Control(answer=gets(["attempt"]), arguments=(True, "lambda")),
    ),
    Case("the main module", ("main_module",), gets([])),
]


def test_attack(attempt):
    attempt()
