"""What is open already, and what can be done with it and with files that others read too."""

from tests.escape.case import Case, Control, gets, refused, soft

CASES = [
    Case("what is open", ("open_ones",), gets([0, 1, 2, 3]), None, Control(made_by="forgotten"), alone=True),
    Case(
        "read what was forgotten",
        ("read_beyond", 4),
        refused("EBADF"),
        None,
        Control(arguments=(), made_by="forgotten"),
        alone=True,
    ),
    soft("read the output", ("read_output", 1), "EBADF", arguments=(), made_by="reading_end"),
    soft("reopen the output", ("reopen_output", 1), "ENOENT", "EACCES", arguments=(), made_by="writing_end"),
    soft("open another's input", ("open_another", "/proc/{victim}/fd/0"), "ENOENT", "EACCES"),
    soft("enlarge a pipe", ("enlarge", 1), "EPERM", arguments=(), made_by="writing_end"),
    soft("signals for a pipe", ("signals_for", 1), "ENOTTY", arguments=(), made_by="writing_end"),
    soft("watch a shared folder", ("watch_folder",), "EPERM", at_l1="EACCES"),
    soft("a lease on a shared file", ("lease",), "EPERM", at_l1="EACCES"),
    soft("a lock on a shared file", ("lock",), "EPERM", at_l1="EACCES"),
    soft("look for a lock", ("look_for_lock",), "EPERM", at_l1="EACCES"),
    soft("a lock by descriptor", ("lock_descriptor",), "EPERM", at_l1="EACCES"),
    soft("a lock on the whole", ("lock_whole",), "EPERM", at_l1="EACCES"),
    soft("send a file to a pipe", ("send_file",), "EPERM", at_l1="EACCES"),
    soft("copy between files", ("copy_file", "{folder}/copy"), "ENOENT", "EACCES", changes="folder"),
    soft("change the working folder", ("change_working_folder",), "EPERM", at_l1="EACCES"),
]


def test_attack(attempt):
    attempt()
