"""Attacks that fail with an errno, one table: the process survives each and gets nothing."""

import os
import socket

import pytest
from pp_host.sandbox import syscalls

NUMBERS = syscalls.native().numbers
HOST = os.getpid()
X86_64 = os.uname().machine == "x86_64"

# What no wall but the empty root answers.
FILES = {
    "passwd": ("read_file", "/etc/passwd"),
    "own environment": ("read_file", "/proc/self/environ"),
    "host environment": ("read_file", f"/proc/{HOST}/environ"),
    "existence": ("stat", "/etc/passwd"),
    "home": ("list_folder", os.path.expanduser("~")),
    "processes": ("list_folder", "/proc"),
    "descriptors": ("list_folder", "/proc/self/fd"),
    "host library": ("list_folder", "/usr/lib"),
}
SOCKETS = {
    "tcp": (socket.AF_INET, socket.SOCK_STREAM),
    "tcp6": (socket.AF_INET6, socket.SOCK_STREAM),
    "udp": (socket.AF_INET, socket.SOCK_DGRAM),
    "unix stream": (socket.AF_UNIX, socket.SOCK_STREAM),
    "unix datagram": (socket.AF_UNIX, socket.SOCK_DGRAM),
    "netlink": (socket.AF_NETLINK, socket.SOCK_RAW),
}
PRIVILEGED_SOCKETS = {
    "raw": (socket.AF_INET, socket.SOCK_RAW),
    "packet": (socket.AF_PACKET, socket.SOCK_RAW),
    "vsock": (socket.AF_VSOCK, socket.SOCK_STREAM),
    "crypto": (socket.AF_ALG, socket.SOCK_SEQPACKET),
}


@pytest.mark.parametrize("attack", FILES.values(), ids=FILES)
def test_host_files_do_not_exist(prisoner, outside, attack):
    assert prisoner.tries(*attack) == {"errno": "ENOENT"}
    assert "value" in outside(*attack)


def test_secret_file_is_out_of_reach(prisoner, outside, tmp_path):
    secret = tmp_path / "wallet.key"
    secret.write_text("0xsecret")
    assert prisoner.tries("read_file", str(secret)) == {"errno": "ENOENT"}
    assert outside("read_file", str(secret)) == {"value": "0xsecret"}


@pytest.mark.parametrize("attack", SOCKETS.values(), ids=SOCKETS)
def test_sockets(prisoner, outside, attack):
    assert prisoner.tries("open_socket", *attack) == {"errno": "EACCES"}
    assert outside("open_socket", *attack) == {"value": None}


@pytest.mark.parametrize("attack", PRIVILEGED_SOCKETS.values(), ids=PRIVILEGED_SOCKETS)
def test_sockets_that_not_everyone_may_open_anyway(prisoner, attack):
    assert prisoner.tries("open_socket", *attack) == {"errno": "EACCES"}


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_SEQPACKET], ids=["datagram", "seqpacket"])
def test_pairs_that_could_be_aimed_elsewhere(prisoner, outside, kind):
    assert prisoner.tries("socket_pair", kind) == {"errno": "EACCES"}
    assert outside("socket_pair", kind) == {"value": None}


def test_stream_pair_is_allowed(prisoner):
    assert prisoner.tries("socket_pair", socket.SOCK_STREAM) == {"value": None}


def test_send_to_an_address(prisoner, outside):
    assert prisoner.tries("send_to", "/") == {"errno": "EACCES"}
    assert outside("send_to", "/") == {"errno": "EISCONN"}


def test_names_are_not_resolved(prisoner, outside):
    assert "value" not in prisoner.tries("resolve", "localhost")
    assert "value" in outside("resolve", "localhost")


@pytest.mark.parametrize("attack", ["fork", "spawn"])
def test_no_second_process(prisoner, outside, attack):
    assert prisoner.tries(attack) == {"errno": "EAGAIN"}
    assert "value" in outside(attack)


SIGNALS = {
    "kill the host": (("kill", HOST, 0), "EPERM"),
    "kill everyone": (("kill", -1, 0), "EPERM"),
    "a thread of the host": (("kill_thread", HOST), "EPERM"),
    "queue for the host": (("queue_signal", HOST), "EPERM"),
    "the host's limits": (("read_limits", HOST), "EPERM"),
    "the host's priority": (("set_priority", HOST), "EPERM"),
}


@pytest.mark.parametrize(("attack", "expected"), SIGNALS.values(), ids=SIGNALS)
def test_the_host_is_out_of_reach(prisoner, attack, expected):
    assert prisoner.tries(*attack) == {"errno": expected}


@pytest.mark.parametrize("attack", [("kill", HOST, 0), ("read_limits", HOST)], ids=["kill", "limits"])
def test_the_host_is_within_reach_without_walls(outside, attack):
    assert "value" in outside(*attack)


WRITES = {
    "/x": "EROFS",
    "/python/x": "EROFS",
    "/python/lib/usercustomize.py": "EROFS",
    "/python/lib/os.py": "EROFS",
    "/python/site/attacker.py": "EROFS",
    "/dev/x": "EROFS",
    "/tmp/x": "EROFS",
    "/dev/shm/x": "ENOENT",
    "/var/tmp/x": "ENOENT",
}


@pytest.mark.parametrize(("path", "expected"), WRITES.items(), ids=WRITES)
def test_nothing_can_be_written(prisoner, path, expected):
    assert prisoner.tries("write_file", path) == {"errno": expected}


def test_writing_works_without_walls(outside, tmp_path):
    assert outside("write_file", str(tmp_path / "x")) == {"value": 1}


# name -> (attack, errno): calls that no list names are refused with EPERM, whatever their arguments.
CALLS = {
    "setuid": (("become", 0), "EPERM"),
    "setgid": (("become_group", 0), "EPERM"),
    "capset": (("raw", NUMBERS["capset"], 0, 0), "EPERM"),
    "seccomp": (("raw", NUMBERS["seccomp"], 0, 0, 0), "EPERM"),
    "landlock": (("raw", NUMBERS["landlock_restrict_self"], 0, 0), "EPERM"),
    "memfd": (("raw", NUMBERS["memfd_create"], 0, 0), "EPERM"),
    "clone3": (("raw", NUMBERS["clone3"], 0, 0), "ENOSYS"),
    "affinity": (("set_affinity",), "EPERM"),
    "raise a limit": (("raise_limit",), "EPERM"),
    "forget the parent": (("prctl", 1, 0), "EPERM"),
    "dumpable again": (("prctl", 4, 1), "EPERM"),
    "prctl with high bits": (("prctl", 1 << 32 | 4, 1), "EPERM"),
    "type into the terminal": (("ioctl", 0x5412), "ENOTTY"),
    "type with high bits": (("ioctl", 1 << 32 | 0x5412), "ENOTTY"),
    "executable memory": (("executable_memory",), "EPERM"),
    "memory made executable": (("make_executable",), "EPERM"),
    "an unknown call": (("raw", 9999), "EPERM"),
}
if X86_64:
    CALLS |= {
        "shared memory": (("raw", 29, 0, 4096, 0o1600), "EPERM"),
        "message queue": (("raw", 240, 0, 0o100, 0o600, 0), "EPERM"),
        "inotify": (("raw", 253), "EPERM"),
        "chmod": (("raw", 90, 0, 0), "EPERM"),
        "symlink": (("raw", 88, 0, 0), "EPERM"),
        "setsid": (("raw", 112), "EPERM"),
        "setpgid": (("raw", 109, 0, 0), "EPERM"),
        "real-time class": (("raw", 144, 0, 1, 0), "EPERM"),
        "lock memory": (("raw", 151, 1), "EPERM"),
    }


@pytest.mark.parametrize(("attack", "expected"), CALLS.values(), ids=CALLS)
def test_calls(prisoner, attack, expected):
    assert prisoner.tries(*attack) == {"errno": expected}


WORKING_OUTSIDE = [
    "affinity",
    "raise a limit",
    "forget the parent",
    "dumpable again",
    "executable memory",
    "memory made executable",
]


@pytest.mark.parametrize("name", WORKING_OUTSIDE)
def test_calls_work_without_walls(outside, name):
    assert "value" in outside(*CALLS[name][0])


ABSENT = ["pp_host", "pp_host.sandbox.jail", "msgspec", "pip", "pytest", "sqlite3"]


@pytest.mark.parametrize("name", ABSENT)
def test_only_the_granted_packages_can_be_imported(prisoner, name):
    assert prisoner.tries("import_module", name)["error"] in ("ModuleNotFoundError", "ImportError")


def test_site_packages_of_the_host_are_hidden(prisoner):
    for folder in ("site-packages", "dist-packages"):
        answer = prisoner.tries("list_folder", f"/python/lib/{folder}")
        assert answer in ({"value": []}, {"errno": "ENOENT"})


def test_it_is_still_alive(prisoner):
    assert prisoner.tries("identity")["value"] == {"pid": 1, "ppid": 0, "uid": 1000, "name": "plugin"}
