"""The suite can fail: what each outcome of a row is called, and what the tally says of it."""

import pytest

from tests.escape.case import LEAKS, Case, Control, Verdict, gets, judge, killed, refused, soft
from tests.escape.tally import table

READ = soft("read", ("read", "x"), "ENOENT", "EACCES", answer=gets("secret"))
TOLD = killed("trace", ("trace",), "ptrace")
NOT_TRIED = soft("restart", ("restart",), "EPERM", none="one machine")
NARROW = Case("stat", ("size", "x"), refused("ENOENT"), LEAKS, Control(answer=gets(1)))
CLOSED = Case(
    "stat", ("size", "x"), refused("ENOENT"), LEAKS, Control(answer=gets(1)), at_l1=refused("EACCES")
)
SECRET, ENOENT, EACCES, ENOSYS = gets("secret"), refused("ENOENT"), refused("EACCES"), refused("ENOSYS")
ENDED = "made a system call that no plugin may make: "

# row, level, inside, harm, outside -> verdict
JUDGED = {
    "as promised": (READ, "L3", ENOENT, {}, SECRET, "blocked"),
    "another level's promise": (READ, "L3", EACCES, {}, SECRET, "otherwise"),
    "that level": (READ, "L2", EACCES, {}, SECRET, "blocked"),
    "it got in": (READ, "L3", SECRET, {}, SECRET, "escaped"),
    "a canary changed": (READ, "L3", ENOENT, {"secret": (1, 2)}, SECRET, "escaped"),
    "the control failed": (READ, "L3", ENOENT, {}, EACCES, "invalid"),
    "the control got something else": (READ, "L3", ENOENT, {}, gets("nothing"), "invalid"),
    "this kernel has no such thing": (READ, "L3", ENOENT, {}, ENOSYS, "uncontrolled"),
    "no safe control": (NOT_TRIED, "L3", refused("EPERM"), {}, None, "uncontrolled"),
    "no safe control, and it got in": (NOT_TRIED, "L3", gets(None), {}, None, "escaped"),
    "named": (TOLD, "L3", {"violation": ENDED + "ptrace"}, {}, gets(0), "blocked"),
    "named otherwise": (TOLD, "L3", {"violation": ENDED + "mount"}, {}, gets(0), "otherwise"),
    "killed unnamed": (TOLD, "L3", {"violation": ENDED + "SIGSYS"}, {}, gets(0), "otherwise"),
    "killed unnamed where nobody can be told": (
        TOLD,
        "L2",
        {"violation": ENDED + "SIGSYS"},
        {},
        gets(0),
        "blocked",
    ),
    "merely refused": (TOLD, "L3", refused("EPERM"), {}, gets(0), "otherwise"),
    "a documented leak": (NARROW, "L2", gets(1), {}, gets(1), "leak"),
    "a leak where there should be none": (NARROW, "L3", gets(1), {}, gets(1), "escaped"),
    "the level below where nothing is said of it": (READ, "L1", EACCES, {}, SECRET, "blocked"),
    "a leak that the level below has not": (CLOSED, "L1", EACCES, {}, gets(1), "blocked"),
    "a leak that was stopped": (NARROW, "L2", ENOENT, {}, gets(1), "otherwise"),
}


@pytest.mark.parametrize(
    ("row", "machine", "inside", "harm", "control", "verdict"), JUDGED.values(), ids=JUDGED
)
def test_what_came_of_it(row, machine, inside, harm, control, verdict):
    assert judge(row, machine, inside, harm, control) == verdict


def test_the_tally_counts_by_level_and_group():
    head, *rows = table([("L3", "files", "blocked"), ("L3", "files", "escaped"), ("L3", "ipc", "blocked")])
    assert head.split() == ["level", "group", *Verdict]
    assert [row.split() for row in rows] == [
        ["L3", "files", "1", "0", "0", "1", "0", "0"],
        ["L3", "ipc", "1", "0", "0", "0", "0", "0"],
        ["L3", "all", "2", "0", "0", "1", "0", "0"],
    ]
