"""`pp sandbox`: what is refused before anything starts, and what is left when an operator has enough of it."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
from pp_host.app.guest import visit
from pp_host.cli.main import main
from pp_host.errors import WallMissing
from pp_host.limits import LIMITS

from tests.cli.recorded import PP


@pytest.fixture
def refused(capsys):
    """refused("run", file): (status, stderr); nothing reached stdout."""

    def run(*words):
        status = main(["sandbox", *map(str, words)])
        told = capsys.readouterr()
        assert told.out == ""
        return status, told.err

    return run


@pytest.fixture
def script(tmp_path):
    file = tmp_path / "script.py"
    file.write_text("print('ran')")
    return file


@pytest.mark.parametrize(
    ("grant", "words", "hint"),
    [
        ("tmp=8", "--grant tmp=8: nothing that the sandbox grants", "did you mean tmp_mb=N?"),
        ("net.http", "--grant net.http: nothing that the sandbox grants", "it grants memory_mb, tmp_mb, cpu_seconds_per_call"),
        ("wall_seconds_per_call=9", "nothing that the sandbox grants", "did you mean cpu_seconds_per_call=N?"),
        ("tmp_mb", "--grant tmp_mb=: expected a whole number, got text", "limits in docs/MANIFEST.md"),
        ("tmp_mb=65", "--grant tmp_mb=65: expected a whole number <= 64", "limits in docs/MANIFEST.md"),
        ("memory_mb=31", "--grant memory_mb=31: expected a whole number >= 32", "limits in docs/MANIFEST.md"),
        ("cpu_seconds_per_call=nan", "--grant cpu_seconds_per_call=nan: expected a number >= 0.01", "limits in docs"),
    ],
)  # fmt: skip
def test_a_grant_that_is_none(refused, script, grant, words, hint):
    status, told = refused("run", "--grant", grant, script)
    assert status == 1
    assert words in told
    assert hint in told


@pytest.mark.parametrize("command", ["run", "peer"])
def test_a_file_that_cannot_be_read(refused, tmp_path, command):
    assert refused(command, tmp_path / "absent") == (
        1,
        f"pp: error: {tmp_path / 'absent'}: cannot be read: No such file or directory\npp: hint: name a file\n",
    )
    assert "Is a directory" in refused(command, tmp_path)[1]


def test_a_script_that_is_too_large(refused, tmp_path):
    file = tmp_path / "large.py"
    with file.open("wb") as large:
        large.truncate(LIMITS.sandbox.script_bytes + 1)
    status, told = refused("run", file)
    assert status == 1
    assert f"larger than {LIMITS.sandbox.script_bytes} bytes" in told


def test_a_program_that_is_none(refused, script):
    status, told = refused("exec", "no-such-program")
    assert status == 1
    assert told.startswith(
        "pp: error: no-such-program: no program that you may execute\npp: hint: name a program"
    )
    script.chmod(0o755)
    status, told = refused("exec", "--", script)
    assert status == 1
    assert "no ELF file for this machine" in told
    assert "pp sandbox run takes a Python file" in told


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's guests are foreign users")
def test_a_program_that_only_root_may_execute(refused, tmp_path):
    file = tmp_path / "closed"
    file.write_bytes(Path("/bin/true").read_bytes())
    file.chmod(0o700)
    status, told = refused("exec", "--", file)
    assert status == 1
    assert f"chmod o+rx {file}" in told
    file.chmod(0o755)
    assert main(["sandbox", "exec", "--", str(file)]) == 0


def test_a_state_that_is_none(refused, script):
    status, told = refused("peer", "--after", "stopping", script)
    assert status == 2
    assert "must be one of opened, greeted, loaded, running" in told


def test_a_deadline_out_of_bounds(refused, script):
    assert refused("run", "--seconds", "61", script)[0] == 2
    assert refused("run", "--seconds", "nan", script)[0] == 2


@pytest.mark.parametrize("command", ["run", "exec", "peer"])
def test_without_walls_nothing_runs(refused, script, monkeypatch, command):
    async def launch(plan, *, timeout_seconds):
        raise WallMissing("landlock", "absent", hint="a remedy")

    monkeypatch.setattr(visit, "launch", launch)
    file = "true" if command == "exec" else script
    assert refused(command, file) == (3, "pp: error: wall landlock: absent\npp: hint: a remedy\n")


def test_a_person_is_told_in_words(script, capsys):
    script.write_text("print('\\x1b[2Jcleared')")
    assert main(["sandbox", "run", str(script)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("level L3, ")
    assert lines[1:] == ["stdout:", "  \\x1b[2Jcleared", "stderr: nothing", "outcome ok: stopped"]


def test_ctrl_c_ends_the_guest_too(script):
    script.write_text("import time\nprint('up', flush=True)\ntime.sleep(600)")
    running = subprocess.Popen(
        [PP, "sandbox", "run", "--seconds", "60", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children")
    while not (guests := children.read_text().split()) or not is_behind_walls(guests[0]):
        assert running.poll() is None
    running.send_signal(signal.SIGINT)
    assert running.wait(timeout=20) == 130
    assert running.communicate() == (b"", b"")
    assert not [guest for guest in guests if Path(f"/proc/{guest}").exists()]


def is_behind_walls(pid):
    try:
        return "\nSeccomp:\t2\n" in Path(f"/proc/{pid}/status").read_text()
    except OSError:  # the launcher's, which has gone
        return False
