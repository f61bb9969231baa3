"""Something to harm: a secret file in a folder, listeners, a process. And the means to tell whether it was harmed.

Attacks from inside are aimed at a stage that must stay as it is; their controls at another that must not.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import secrets
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

CLOCK_SECONDS = 30  # more than a clock is disciplined by while a test runs
SECONDS = 10  # from a fatal signal to the end
SECRET = "0xsecret-of-the-host"
# Waits for its end; shows where it holds a secret, and lets anybody of its user trace it (Yama).
VICTIM = f"""
import ctypes, os, signal, sys
held = ctypes.create_string_buffer({SECRET.encode()!r})
ctypes.CDLL(None).prctl(0x59616d61, ctypes.c_ulong(2**64 - 1), 0, 0, 0)
print(ctypes.addressof(held), flush=True)
sys.stdin.read()
"""
LIMITS = [kind for name, kind in vars(resource).items() if name.startswith("RLIMIT_")]


class Stage:
    """In a folder of its own that everybody may enter: what keeps an attack out is not its mode."""

    def __init__(self) -> None:
        self._ends = contextlib.ExitStack()
        folder = self.folder = Path(self._ends.enter_context(tempfile.TemporaryDirectory(prefix="pp-stage-")))
        folder.chmod(0o755)
        self.secret = folder / "wallet.key"
        self.secret.write_text(SECRET)
        self.secret.chmod(0o600)
        self.link = folder / "link"
        self.link.symlink_to(self.secret)
        self.inner = folder / "inner"
        self.inner.mkdir()
        self._booted = _boot_moment()
        self._listen()
        self._victim = self._ends.enter_context(_running())
        self.victim = self._victim.pid
        self.address = int(self._victim.stdout.readline())

    def _listen(self) -> None:
        self.stream, self.datagram = str(self.folder / "stream"), str(self.folder / "datagram")
        self.abstract = f"\0pp-{secrets.token_hex(8)}"
        self._listeners = {
            name: self._ends.enter_context(_bound(family, kind, address))
            for name, family, kind, address in (
                ("tcp", socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)),
                ("udp", socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)),
                ("stream", socket.AF_UNIX, socket.SOCK_STREAM, self.stream),
                ("datagram", socket.AF_UNIX, socket.SOCK_DGRAM, self.datagram),
                ("abstract", socket.AF_UNIX, socket.SOCK_STREAM, self.abstract),
                ("abstract datagram", socket.AF_UNIX, socket.SOCK_DGRAM, self.abstract + "d"),
            )
        }
        self.tcp, self.udp = (self._listeners[name].getsockname()[1] for name in ("tcp", "udp"))

    def fill(self, argument: Any) -> Any:
        """A row's argument with this stage's own in it."""
        if not isinstance(argument, str) or "{" not in argument:
            return argument
        name = argument.strip("{}")
        if f"{{{name}}}" == argument and isinstance(value := getattr(self, name), int):
            return value
        return argument.format(**{n: v for n, v in vars(self).items() if not n.startswith("_")})

    def state(self, host: int) -> dict[str, Any]:
        """Everything an attack could change, by name; equal while nothing was. `host`: the pid of who runs it."""
        return {
            "secret": _file(self.secret),
            "folder": {str(path): os.lstat(path).st_mode for path in sorted(self.folder.rglob("*"))},
            "arrived": {name: _has_mail(each) for name, each in self._listeners.items()},
            "victim": self._victim_state(),
            "memory": self._victim_memory(),
            "host": _process(host),
            "mounts": Path("/proc/self/mountinfo").read_text(),
            "names": (os.uname().nodename, _domain_name()),
            "clock set": abs(_boot_moment() - self._booted) > CLOCK_SECONDS,
        }

    def _victim_state(self) -> object:
        code = self._victim.poll()
        if code is None:
            with contextlib.suppress(ProcessLookupError):
                return _process(self.victim)
            code = self._victim.wait(SECONDS)
        return signal.Signals(-code).name if code < 0 else code

    def _victim_memory(self) -> object:
        try:
            with open(f"/proc/{self.victim}/mem", "rb", 0) as memory:
                memory.seek(self.address)
                return memory.read(len(SECRET)).decode()
        except (ProcessLookupError, FileNotFoundError, PermissionError):
            self._victim.wait(SECONDS)  # it has none any more
            return None

    def close(self) -> None:
        self._ends.close()


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """What is not as it was, by name."""
    return {name: (was, after[name]) for name, was in before.items() if was != after[name]}


@contextlib.contextmanager
def _running() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", VICTIM], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as victim:
        try:
            yield victim
        finally:
            victim.kill()


@contextlib.contextmanager
def _bound(family: int, kind: int, address: Any) -> Iterator[socket.socket]:
    with socket.socket(family, kind) as listener:
        listener.bind(address)
        if kind == socket.SOCK_STREAM:
            listener.listen()
        yield listener


def _has_mail(listener: socket.socket) -> bool:
    return bool(select.select([listener], [], [], 0)[0])


def _file(path: Path) -> object:
    if not path.exists():
        return None
    about = path.stat()
    return path.read_text(), about.st_mode, about.st_uid, about.st_mtime_ns, about.st_nlink


def _process(pid: int) -> object:
    """Its limits, priorities and place: whatever another process could set."""
    return {
        "limits": [resource.prlimit(pid, kind) for kind in LIMITS],
        "priority": os.getpriority(os.PRIO_PROCESS, pid),
        "affinity": os.sched_getaffinity(pid),
        "policy": os.sched_getscheduler(pid),
        "session": (os.getpgid(pid), os.getsid(pid)),
        "stopped": Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in ("T", "t"),
        "killed later": Path(f"/proc/{pid}/oom_score_adj").read_text(),
    }


def _boot_moment() -> float:
    """By the clock: constant, unless somebody sets it."""
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)


def _domain_name() -> str:
    name = ctypes.create_string_buffer(256)
    ctypes.CDLL(None).getdomainname(name, len(name))
    return name.value.decode()
