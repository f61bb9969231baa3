"""Machine code of one's own, and memory with other rights than it should have."""

from tests.escape.case import Case, Control, ends, gets, raises, soft

RAN = gets(42)

CASES = [
    soft("code in a page", ("code_at_once",), "EPERM", answer=RAN),
    soft("an executable page", ("executable_page",), "EPERM"),
    soft("an executable file", ("executable_file",), "EPERM", at_l1="EACCES"),
    soft("code made executable", ("code_later",), "EPERM", answer=RAN),
    soft("code made executable by key", ("code_by_key",), "EPERM"),
    soft("rewrite the C library", ("rewrite_code",), "EPERM"),
    soft("an executable stack", ("executable_stack",), "EPERM"),
    Case("a library of the system", ("load_library", "libBrokenLocale.so.1"), raises("OSError")),
    soft("a library in memory", ("load_memory_library",), "EPERM"),
    Case(
        "an extension that was not loaded in time",
        ("load_extension",),
        raises("ImportError"),
        at_l1=raises("ModuleNotFoundError"),
    ),
    Case("a callback", ("callback",), raises("MemoryError"), None, Control(answer=RAN)),
    soft("lock memory", ("lock",), "EPERM"),
    soft("lock a page", ("lock_page",), "EPERM"),
    soft("bind memory", ("bind",), "EPERM"),
    soft("a policy for memory", ("policy",), "EPERM"),
    soft("remap pages", ("remap",), "EPERM"),
    soft("what others have read", ("cached",), "EPERM", at_l1="EACCES"),
    Case("crash", ("crash",), ends("SIGSEGV"), None, Control(answer=ends("SIGSEGV"))),
]


def test_attack(attempt):
    attempt()
