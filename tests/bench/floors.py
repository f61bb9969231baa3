"""The floors: the least that any program on this machine would take for the same, in a few lines each.

A floor shares nothing with what is measured against it but the interpreter.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

SPIN_SECONDS = 30
PYTHON = os.path.realpath(sys.executable)

_ECHO = """
import socket, sys
peer, size, answer = socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]), bytes(int(sys.argv[3]))
while peer.recv(size, socket.MSG_WAITALL):
    peer.sendall(answer)
"""
_FORKS = """
import gc, os, signal, sys
sys.path[:0] = sys.argv[2:]
import pp_sdk.runner
gc.freeze()
for _ in range(int(sys.argv[1])):
    pid = os.fork()
    if not pid:
        signal.pause()
    print(pid, flush=True)
sys.stdin.read()
"""


@contextmanager
def echo(question: int, answer: int) -> Iterator[Callable[[], object]]:
    """A raw ping-pong: `question` bytes over a socketpair to another process, `answer` bytes back."""
    ours, theirs = socket.socketpair()
    command = [PYTHON, "-I", "-S", "-c", _ECHO, str(theirs.fileno()), str(question), str(answer)]
    with ours, subprocess.Popen(command, pass_fds=(theirs.fileno(),)) as other:
        theirs.close()
        sent = bytes(question)

        def ask() -> None:
            ours.sendall(sent)
            ours.recv(answer, socket.MSG_WAITALL)

        try:
            yield ask
            assert other.poll() is None, "the echo died while it was measured"
        finally:
            other.kill()


def bare_start() -> None:
    """`python -I -c pass`, from start to exit."""
    subprocess.run([PYTHON, "-I", "-c", "pass"], check=True, stdin=subprocess.DEVNULL)


def spinning_fork() -> int:
    """A forked process that spins; its pid. Should nobody kill it, an alarm does."""
    pid = os.fork()
    if not pid:
        signal.alarm(SPIN_SECONDS)
        while True:
            pass
    return pid


def kill(pid: int) -> None:
    """From the signal to the reaped process."""
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


@contextmanager
def forks(number: int, packages: tuple[Path, ...]) -> Iterator[list[int]]:
    """Pids of so many bare forks of one interpreter that has imported the SDK's runner, and of nothing else."""
    folders = [str(folder) for folder in dict.fromkeys(package.parent for package in packages)]
    command = [PYTHON, "-I", "-S", "-c", _FORKS, str(number), *folders]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True, text=True
    ) as parent:
        assert parent.stdout is not None
        try:
            yield [int(parent.stdout.readline()) for _ in range(number)]
        finally:
            os.killpg(parent.pid, signal.SIGKILL)
