"""Meeting points in the kernel, where plugins could talk to each other or leave something behind."""

from tests.escape.case import Case, raises, soft

CASES = [
    soft("a shared segment", ("shared_segment",), "EPERM", fresh=True),
    soft("attach a segment", ("attach", 0), "EPERM", fresh=True, arguments=(), made_by="made_segment"),
    soft("semaphores", ("semaphores",), "EPERM", fresh=True),
    soft("messages", ("messages",), "EPERM", fresh=True),
    soft("a message queue", ("queue",), "EPERM", fresh=True),
    soft("shared memory by name", ("posix_memory", "/pp-escape"), "ENOENT", "EACCES"),
    soft("a semaphore by name", ("posix_semaphore", "/pp-escape"), "ENOENT", "EACCES"),
    soft("memory as a file", ("memory_file",), "EPERM"),
    Case(
        "shared memory by Python", ("by_library",), raises("ImportError"), at_l1=raises("ModuleNotFoundError")
    ),
]


def test_attack(attempt):
    attempt()
