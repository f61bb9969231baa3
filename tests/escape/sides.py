"""The two programs that a table's rows are sent to: a warden inside whose walls they fail, and an outside."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TOP = HERE.parents[1]
MARK = "PP_MARK_OF_THE_HOST"
OUTSIDE = "import sys; sys.path += {folders!r}; from attacks import agent; agent.serve_outside()"


class Program:
    """Answers one JSON line with another."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.pid = process.pid

    def asks(self, *request: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"{self._process.args} has ended"
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextlib.contextmanager
def outside() -> Iterator[Program]:
    """No walls: a bare Python with the attacks, and something in its environment worth finding."""
    folders = [str(HERE), str(TOP / "host/src"), sysconfig.get_path("purelib")]
    command = [sys.executable, "-P", "-S", "-c", OUTSIDE.format(folders=folders)]
    with _running(command, {MARK: "secret"}) as program:
        yield program


@contextlib.contextmanager
def warden(level: str, folder: Path) -> Iterator[Program]:
    command = [sys.executable, "-m", "tests.escape.warden", level, str(folder)]
    with _running(command, {MARK: "secret"}) as program:
        yield program


@contextlib.contextmanager
def _running(command: list[str], environment: dict[str, str]) -> Iterator[Program]:
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        cwd=TOP,
        start_new_session=True,
    ) as process:
        yield Program(process)
