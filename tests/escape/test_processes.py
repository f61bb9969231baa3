"""More processes, other programs, other processes' insides, other identities and priorities."""

import os

from tests.escape.case import Case, Control, gets, killed, refused, soft
from tests.escape.stage import SECRET

TRUE = "/bin/true"
ONE = gets(7)
LOWEST = "this run has the lowest priority already" if os.nice(0) == 19 and os.getuid() else ""
PROGRAM_RAN = {"status": 0}
PDEATHSIG, DUMPABLE, KEEPCAPS, NO_TSC, SECUREBITS, SUBREAPER, MERGE = 1, 4, 8, 26, 28, 36, 67  # of prctl
SECOND_HALF = 1 << 32

CASES = [
    soft("fork", ("fork",), "EAGAIN", answer=ONE),
    soft("clone", ("clone", 0), "EAGAIN", answer=ONE),
    soft("clone with high bits", ("clone", SECOND_HALF), "EAGAIN", answer=ONE),
    soft("clone3", ("clone3",), "ENOSYS", answer=ONE),
    soft("daemon", ("daemon",), "EAGAIN", answer=gets(0)),
    soft("subprocess", ("spawn",), "EAGAIN", answer=gets(0)),
    soft("posix_spawn", ("posix_spawn",), "EAGAIN", answer=gets(0)),
    Case("a shell", ("shell",), gets(127), None, Control(answer=ONE)),
    killed("execute", ("execute", TRUE), "execve", answer=PROGRAM_RAN),
    killed(
        "execute what is not there", ("execute", "/nowhere"), "execve", arguments=(TRUE,), answer=PROGRAM_RAN
    ),
    killed(
        "execute by descriptor",
        ("execute_at", 0),
        "execveat",
        arguments=(),
        made_by="opened_program",
        answer=PROGRAM_RAN,
    ),
    soft("execute memory", ("execute_memory",), "EPERM", answer=PROGRAM_RAN),
    killed("be traced", ("trace_me",), "ptrace"),
    killed("trace", ("seize", "{victim}"), "ptrace"),
    killed("trace and change", ("stop_and_write", "{victim}", "{address}"), "ptrace", changes="memory"),
    killed(
        "read another's memory",
        ("read_memory", "{victim}", "{address}"),
        "process_vm_readv",
        answer=gets(SECRET),
    ),
    killed(
        "write another's memory",
        ("write_memory", "{victim}", "{address}"),
        "process_vm_writev",
        changes="memory",
    ),
    killed("a descriptor of a process", ("pidfd", "{victim}"), "pidfd_open"),
    killed("take a descriptor", ("take_descriptor", 0), "pidfd_getfd", arguments=(), made_by="own_pidfd"),
    killed("advise on another's memory", ("advise", 0), "process_madvise", arguments=(), made_by="own_pidfd"),
    soft(
        "release another's memory",
        ("reap_memory", 0),
        "EPERM",
        arguments=(),
        made_by="own_pidfd",
        answer=refused("EINVAL"),
    ),
    killed("compare processes", ("compare", "{victim}"), "kcmp"),
    soft("move another's pages", ("move_pages", "{victim}"), "EPERM"),
    soft("migrate another's pages", ("migrate_pages", "{victim}"), "EPERM"),
    soft("read another's limits", ("read_limits", "{victim}"), "EPERM"),
    soft("set another's limits", ("set_limits", "{victim}"), "EPERM", changes="victim"),
    soft("set another's limits blindly", ("set_limits_blindly", "{victim}"), "EPERM", changes="victim"),
    soft("set an own limit", ("own_limit",), "EPERM"),
    soft("set an own limit by the older call", ("own_limit_by_older_call",), "EPERM"),
    soft("another's priority", ("priority", "{victim}"), "EPERM"),
    soft("set another's priority", ("set_priority", "{victim}"), "EPERM", changes="victim", none=LOWEST),
    soft("set an own priority", ("set_own_priority",), "EPERM", answer=gets(19)),
    soft("set another's processors", ("set_affinity", "{victim}"), "EPERM", changes="victim"),
    soft("set own processors", ("set_affinity", 0), "EPERM"),
    soft("set another's scheduler", ("set_policy", "{victim}"), "EPERM", changes="victim"),
    soft(
        "set another's scheduler in the newer way", ("set_attributes", "{victim}"), "EPERM", changes="victim"
    ),
    soft("set another's disk priority", ("set_io_priority", "{victim}"), "EPERM"),
    soft("real time", ("real_time",), "EPERM", root_only="it takes CAP_SYS_NICE"),
    soft("become root", ("become", 0), "EPERM", fresh=True),
    soft("become root in every way", ("become_all", 0), "EPERM", fresh=True),
    soft("become root for files", ("become_for_files", 0), "EPERM", fresh=True),
    soft("become root's group", ("become_group", 0), "EPERM", fresh=True),
    soft("join groups", ("join_groups",), "EPERM", root_only="it takes CAP_SETGID"),
    soft("set capabilities", ("take_capabilities",), "EPERM"),
    soft("a session", ("session",), "EPERM", answer=gets(True)),
    soft("a process group", ("group", 0), "EPERM"),
    killed("another personality", ("personality", 0x0040_0000), "personality"),
    soft("forget the parent", ("control", PDEATHSIG, 0), "EPERM"),
    soft("dumpable again", ("control", DUMPABLE, 1), "EPERM"),
    soft("dumpable with high bits", ("control", SECOND_HALF | DUMPABLE, 1), "EPERM"),
    soft("adopt orphans", ("control", SUBREAPER, 1), "EPERM"),
    soft("keep capabilities", ("control", KEEPCAPS, 1), "EPERM"),
    soft("secure bits", ("control", SECUREBITS, 0), "EPERM", fresh=True),
    soft("hide the time counter", ("control", NO_TSC, 2), "EPERM"),
    soft("merge memory", ("control", MERGE, 1), "EPERM", root_only="older kernels withhold it"),
    soft("another filter", ("another_filter",), "EPERM"),
    soft("another ruleset", ("landlock",), "EPERM"),
]


def test_attack(attempt):
    attempt()
