"""The host's files: to read, to list, to learn that they exist, to change."""

import os

from tests.escape.case import LEAKS, Case, gets, killed, refused, soft
from tests.escape.stage import SECRET

READ = gets(SECRET)
CLOSED = refused("EACCES")
HOME = os.path.expanduser("~")

CASES = [
    soft("read a secret", ("read", "{secret}"), "ENOENT", "EACCES", answer=READ),
    soft("read the accounts", ("read_some", "/etc/passwd"), "ENOENT", "EACCES"),
    soft("read through a link", ("read", "{link}"), "ENOENT", "EACCES", answer=READ),
    soft("climb out by dots", ("read", "/dev/../{secret}"), "ENOENT", "EACCES", answer=READ),
    soft("climb out of the library", ("climb_from_library", "{secret}"), "ENOENT", "EACCES", answer=READ),
    soft("open in the newer way", ("open_by_openat2", "{secret}"), "EPERM", answer=READ),
    soft("own start environment", ("read_some", "/proc/self/environ"), "ENOENT", "EACCES"),
    soft("a process's environment", ("read_some", "/proc/{victim}/environ"), "ENOENT", "EACCES"),
    soft("a process's command line", ("read_some", "/proc/{victim}/cmdline"), "ENOENT", "EACCES"),
    soft("a process's memory map", ("read_some", "/proc/{victim}/maps"), "ENOENT", "EACCES"),
    soft(
        "a process's memory", ("read_at", "/proc/{victim}/mem", "{address}"), "ENOENT", "EACCES", answer=READ
    ),
    soft("own memory as a file", ("read_some", "/proc/self/maps"), "ENOENT", "EACCES"),
    soft("kernel's symbols", ("read_some", "/proc/kallsyms"), "ENOENT", "EACCES"),
    soft("the machine's id", ("read_some", "/etc/machine-id"), "ENOENT", "EACCES"),
    soft("the boot's id", ("read_some", "/proc/sys/kernel/random/boot_id"), "ENOENT", "EACCES"),
    soft("the mounts", ("read_some", "/proc/self/mountinfo"), "ENOENT", "EACCES"),
    soft("the control groups", ("read_some", "/proc/self/cgroup"), "ENOENT", "EACCES"),
    soft("list the home", ("listing", HOME), "ENOENT", "EACCES"),
    soft("list a folder", ("listing", "{folder}"), "ENOENT", "EACCES"),
    soft("list processes", ("listing", "/proc"), "ENOENT", "EACCES"),
    soft("list descriptors", ("listing", "/proc/self/fd"), "ENOENT", "EACCES"),
    soft("list the system's libraries", ("listing", "/usr/lib"), "ENOENT", "EACCES"),
    soft("list the kernel's settings", ("listing", "/sys/kernel"), "ENOENT", "EACCES"),
    soft("list the root", ("listing", "/"), "EACCES"),
    soft("list the devices", ("listing", "/dev"), "EACCES"),
    Case("how long a file is", ("size", "{secret}"), refused("ENOENT"), LEAKS, at_l1=CLOSED),
    Case("whether a file exists", ("exists", "{secret}"), refused("ENOENT"), LEAKS, at_l1=CLOSED),
    Case("whether a process exists", ("exists", "/proc/{victim}"), refused("ENOENT"), LEAKS, at_l1=CLOSED),
    Case("where a link leads", ("target", "{link}"), refused("ENOENT"), LEAKS, at_l1=CLOSED),
    Case("a descriptor without rights", ("handle", "{secret}"), refused("ENOENT"), LEAKS, at_l1=CLOSED),
    soft("such a one opened again", ("reopen", "{secret}"), "ENOENT", "EACCES", answer=READ),
    soft("extended attributes", ("attributes", "{secret}"), "EPERM"),
    soft("how full a disk is", ("file_system", "{folder}"), "EPERM"),
    soft("another working folder", ("change_folder", "{folder}"), "EPERM"),
    killed("a file's handle", ("file_handle", "{secret}"), "name_to_handle_at"),
    killed(
        "open by handle",
        ("open_file_handle", "{secret}", 0, ""),
        "open_by_handle_at",
        root_only="it takes CAP_DAC_READ_SEARCH over the whole machine",
        arguments=("{secret}",),
        made_by="handle_of",
        answer=READ,
    ),
    soft("overwrite a secret", ("overwrite", "{secret}"), "ENOENT", "EACCES", changes="secret"),
    soft("create beside it", ("create", "{folder}/new"), "ENOENT", "EACCES", changes="folder"),
    soft("an unnamed file", ("unnamed", "{folder}"), "ENOENT", "EACCES"),
    soft(
        "write into the root",
        ("create", "/new"),
        "EROFS",
        "EACCES",
        arguments=("{folder}/new",),
        changes="folder",
    ),
    soft(
        "write among the devices",
        ("create", "/dev/new"),
        "EROFS",
        "EACCES",
        arguments=("{folder}/new",),
        changes="folder",
    ),
    soft(
        "write into /tmp",
        ("create", "/tmp/new"),
        "EROFS",
        "EACCES",
        arguments=("{folder}/new",),
        changes="folder",
    ),
    soft(
        "write into /var/tmp",
        ("create", "/var/tmp/new"),
        "ENOENT",
        "EACCES",
        arguments=("{folder}/new",),
        changes="folder",
    ),
    soft(
        "write beside a module",
        ("create_beside", "json"),
        "EROFS",
        "EACCES",
        arguments=("{secret}",),
        changes="folder",
    ),
    soft(
        "overwrite a module",
        ("overwrite_module", "json"),
        "EROFS",
        "EACCES",
        arguments=("{secret}",),
        changes="secret",
    ),
    soft(
        "overwrite the attack",
        ("overwrite_module", "attacks.files"),
        "EROFS",
        "EACCES",
        arguments=("{secret}",),
        changes="secret",
    ),
    soft("shorten", ("shorten", "{secret}"), "EPERM", changes="secret"),
    soft("remove", ("remove", "{secret}"), "EPERM", changes="secret"),
    soft("move", ("move", "{secret}"), "EPERM", changes="folder"),
    soft("a second name", ("link", "{secret}"), "EPERM", changes="folder"),
    soft("a link to elsewhere", ("point", "{folder}"), "EPERM", changes="folder"),
    soft("a folder", ("folder", "{folder}"), "EPERM", changes="folder"),
    soft("change the mode", ("mode", "{secret}"), "EPERM", changes="secret"),
    soft("change a descriptor's mode", ("mode_of_descriptor", 2), "EPERM"),
    soft("change the owner", ("owner", "{secret}"), "EPERM"),
    soft("change the times", ("times", "{secret}"), "EPERM", changes="secret"),
    soft("set an attribute", ("set_attribute", "{secret}"), "EPERM"),
    soft("name a socket", ("named_socket", "{folder}"), "EACCES", changes="folder"),
    killed("a named pipe", ("fifo", "{folder}"), "mknodat", changes="folder"),
    killed(
        "a device",
        ("device", "{folder}/null"),
        "mknodat",
        root_only="device nodes take CAP_MKNOD over the whole machine",
        changes="folder",
    ),
]


def test_attack(attempt):
    attempt()
