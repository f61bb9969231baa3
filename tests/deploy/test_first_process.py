"""`pp` as a container's first process: the kernel keeps signals from it that it has no handler for, and it has nobody
above it; no terminal, no HOME, stdout and stderr are pipes.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from pp_host.app.founding import found_home

PP = Path(sys.executable).with_name("pp")
OWN_WORLD = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
AS_MYSELF = ["--user", "--map-current-user"] if os.geteuid() else []


def first_process(*words, **environment):
    """`pp WORDS` as process 1; the Popen of what started it."""
    return subprocess.Popen(
        list(map(str, [*OWN_WORLD, *AS_MYSELF, PP, *words])),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PATH": "/usr/bin:/bin", **environment},
    )


def inside(starter):
    """The process 1 that `starter` made, as it is called out here."""
    (child,) = psutil.Process(starter.pid).children()
    return child


@pytest.fixture
def home(tmp_path):
    return found_home(tmp_path / "home")


@pytest.fixture
def running(home):
    with first_process(
        "run", "--mode", "dry-run", PP_HOME=str(home.root), PP__HOST__CYCLE_SECONDS="1"
    ) as starter:
        for line in starter.stderr:
            if "run.start" in line:
                break
        yield starter
        starter.kill()


def test_sigterm_ends_a_session_in_good_order(running, home):
    host = inside(running)
    plugins = host.children()
    assert len(plugins) == 4  # three plugins, and what bears them
    host.send_signal(signal.SIGTERM)
    out, err = running.communicate(timeout=30)
    assert (running.returncode, "stopping" in err, "Traceback" in err) == (0, True, False)
    assert "record (pp audit verify checks it)" in out
    assert [plugin for plugin in plugins if plugin.is_running()] == []
    events = subprocess.run(
        [PP, "audit", "tail", "-n", "3", "--json", "--home", home.root], capture_output=True, check=True
    )
    assert b"host.stop" in events.stdout


def test_it_leaves_no_zombies_while_it_runs(running):
    host = inside(running)
    plugins = host.children()
    for plugin in plugins:
        plugin.kill()
    _, left = psutil.wait_procs(plugins, timeout=20)  # a zombie still has its pid
    assert left == []
    assert host.is_running()


def test_it_is_stopped_and_killed_over_its_socket_from_outside(running, home):
    """As from the machine that holds a container's volume: the pid in host.json means nothing there."""
    assert json.loads((home.state / "host.json").read_text())["pid"] == 1
    done = subprocess.run(
        [PP, "kill", "--reason", "enough", "--json", "--home", home.root],
        capture_output=True,
        text=True,
        check=False,
    )
    told = json.loads(done.stdout)
    assert (done.returncode, told["host"], told["unconfirmed"]) == (0, "answered", [])
    assert running.wait(timeout=30) == 3


def test_a_host_that_does_not_answer_is_not_claimed_to_be_gone(running, home):
    host = inside(running)
    host.suspend()
    words = ["kill", "--reason", "hung", "--json", "--home", home.root]
    done = subprocess.run([PP, *words], capture_output=True, text=True, check=False)
    told = json.loads(done.stdout)
    assert (done.returncode, told["latched"]) == (1, True)
    assert told["unconfirmed"] != []
    host.resume()
    assert subprocess.run([PP, *words], capture_output=True, check=False).returncode == 0
    assert running.wait(timeout=30) == 3


ENDING = "import os, signal, time; os.kill(os.getpid(), signal.SIGTERM); time.sleep(0.2); raise ImportError\n"


def test_sigterm_while_modules_are_read_ends_it(tmp_path):
    (tmp_path / "typer.py").write_text(ENDING)
    starter = first_process("--help", PYTHONPATH=str(tmp_path))
    out, err = starter.communicate(timeout=30)
    assert (starter.returncode, out, err) == (143, "", "")


def test_elsewhere_sigterm_means_what_it_always_does(tmp_path):
    (tmp_path / "typer.py").write_text(ENDING)
    done = subprocess.run([PP, "--help"], env={"PYTHONPATH": str(tmp_path)}, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGTERM, b"", b"")


def test_the_doctor_finds_every_wall_there(home):
    starter = first_process("doctor", "--json", PP_HOME=str(home.root))
    out, err = starter.communicate(timeout=60)
    assert (starter.returncode, err, json.loads(out)["level"]) == (0, "", "L3")
