"""How `pp` begins and ends: on closed descriptors, and when it is interrupted before it has begun."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pp_host.app.founding import found_home
from pp_host.latch import read_latch

PP = Path(sys.executable).with_name("pp")


def in_shell(words, redirection):
    """`pp WORDS` with some of its descriptors closed: (status, stdout, stderr)."""
    line = f'exec "$0" "$@" {redirection}'
    done = subprocess.run(
        ["/bin/sh", "-c", line, PP, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_descriptor_changes_nothing_but_what_is_seen(tmp_path, closed):
    home = found_home(tmp_path / "home")
    status, out, err = in_shell(["kill", "--reason", "enough", "--home", home.root], closed)
    assert (status, err) == (0, "")
    assert ("HALTED" in out) is (">&-" not in closed.replace("2>&-", ""))
    assert read_latch(home.state) == "enough"
    assert in_shell(["audit", "verify", "--home", home.root], closed)[0] == 0
    assert in_shell(["audit", "show", "999999", "--home", home.root], closed)[0] == 1


def test_what_is_opened_later_never_takes_the_place_of_a_closed_descriptor():
    probe = (
        "import os; from pp_host.cli import entry; entry._open_standard_streams();"
        "found = [os.path.realpath(f'/proc/self/fd/{n}') for n in range(3)];"
        "raise SystemExit(found != ['/dev/null'] * 3 or os.open('/', os.O_RDONLY) < 3)"
    )
    line = 'exec "$0" "$@" <&- >&- 2>&-'
    assert subprocess.run(["/bin/sh", "-c", line, sys.executable, "-c", probe], check=False).returncode == 0


INTERRUPTED = (
    "import os, signal, time; os.kill(os.getpid(), signal.{name}); time.sleep(0.2); raise ImportError\n"
)


@pytest.mark.parametrize("module", ["typer", "msgspec"])
def test_ctrl_c_while_modules_are_read_is_silent(tmp_path, module):
    (tmp_path / f"{module}.py").write_text(INTERRUPTED.format(name="SIGINT"))
    done = subprocess.run(
        [PP, "--help"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_who_starts_pp_without_ctrl_c_keeps_it_so(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    )
    (tmp_path / "typer.py").write_text(INTERRUPTED.format(name="SIGINT"))
    done = subprocess.run(
        [PP, "--help"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert done.returncode == 1
    assert "ImportError" in done.stderr


@pytest.mark.parametrize("gone", [False, True])
def test_the_status_says_it_where_nobody_reads_the_error(gone):
    reader, writer = os.pipe()
    if gone:
        os.close(reader)
    assert subprocess.run([PP, "bogus"], stderr=writer, check=False, timeout=60).returncode == 2
    os.close(writer)
    if not gone:
        assert os.read(reader, 4096).startswith(b"pp: error: No such command")
        os.close(reader)
