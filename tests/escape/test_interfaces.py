"""Parts of the kernel that few programs need and many exploits begin with."""

import os

from tests.escape.case import gets, killed, refused, soft

WHOLE_MACHINE = "it acts on the whole machine, whatever namespace it is called in"
PROCESSOR = "it opens the processor's ports to this process: only root may, and then it is done"

UNCONTROLLED = {
    "restart": ("reboot", 0xFEE1_DEAD, 0x2812_1969, 0x0123_4567),
    "load a kernel": ("kexec_load",),
    "load a kernel from a file": ("kexec_file_load", 0, 0, 0, 0, 8),
    "load a module": ("init_module",),
    "load a module from a file": ("finit_module",),
    "remove a module": ("delete_module", "pp_nowhere"),
    "swap": ("swapon", "/pp-nowhere"),
    "no swap": ("swapoff", "/pp-nowhere"),
    "account for processes": ("acct",),
    "quotas": ("quotactl",),
}

CASES = [
    killed(
        "a map for kernel programs",
        ("bpf_map",),
        "bpf",
        root_only="kernels withhold it (unprivileged_bpf_disabled)",
    ),
    killed("performance counters", ("perf",), "perf_event_open"),
    killed("page faults", ("user_faults",), "userfaultfd"),
    killed("a ring", ("ring",), "io_uring_setup"),
    killed("enter a ring", ("enter_ring", 0), "io_uring_enter", arguments=(), made_by="new_ring"),
    killed(
        "register with a ring", ("register_ring", 0), "io_uring_register", arguments=(), made_by="new_ring"
    ),
    soft("the older queue", ("old_queue",), "EPERM"),
    killed("add a key", ("key",), "add_key", fresh=True),
    killed("request a key", ("request_key",), "request_key", fresh=True, answer=refused("ENOKEY")),
    killed("a keyring", ("keyring",), "keyctl", fresh=True),
    *(killed(name, ("plain", *call), call[0], none=WHOLE_MACHINE) for name, call in UNCONTROLLED.items()),
    soft("watch files", ("watch_files",), "EPERM"),
    killed("watch all files", ("watch_all_files",), "fanotify_init"),
    killed("kernel's messages", ("kernel_log",), "syslog", root_only="kernels withhold it (dmesg_restrict)"),
    killed("profiling cookies", ("plain", "lookup_dcookie"), "lookup_dcookie", answer=refused("ENOSYS")),
    soft("splice", ("splice",), "EPERM"),
    soft("tee", ("tee",), "EPERM"),
    killed("lend memory to a pipe", ("lend_memory",), "vmsplice"),
    soft("secret memory", ("secret_memory",), "EPERM"),
    soft("barriers on every processor", ("barrier",), "EPERM"),
    soft("a key of protection", ("protection_key",), "EPERM"),
    soft("a call without a name", ("unknown", 9999), "EPERM", answer=refused("ENOSYS")),
    killed("a negative call", ("unknown", -1), "SIGSYS", answer=refused("ENOSYS")),
    soft(
        "a setting of the kernel", ("writes", "/proc/sys/net/ipv4/ip_forward"), "ENOENT", "EACCES", fresh=True
    ),
    soft("another device", ("opens", "/dev/zero"), "ENOENT", "EACCES"),
    soft(
        "kernel's messages by device",
        ("opens", "/dev/kmsg"),
        "ENOENT",
        "EACCES",
        root_only="a device of root's",
    ),
]
if os.uname().machine == "x86_64":
    CASES += [
        killed("the second set of numbers", ("other_numbers",), "SIGSYS", answer=refused("ENOSYS")),
        soft("the 32-bit calls", ("older_numbers",), "EPERM", answer=gets(True)),
        killed("segments", ("segments",), "modify_ldt"),
        killed("the ports", ("plain", "iopl", 3), "iopl", none=PROCESSOR),
        killed("some ports", ("plain", "ioperm", 0, 1, 1), "ioperm", none=PROCESSOR),
    ]


def test_attack(attempt):
    attempt()
