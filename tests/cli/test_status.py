"""`pp status`, once and watched: a host that runs, comes, hangs and goes."""

from __future__ import annotations

import os
import pty
import re
import selectors
import signal
import subprocess
import time
from contextlib import contextmanager

import pytest

from tests.cli.recorded import AGENT, PP, START, written

RUNNING = ["home", "running", "pid", "run", "mode", "cycles", "latched", "trading", "plugins", "record"]


@contextmanager
def hosting(home):
    """A host that runs on the home; ended with the block if it has not been."""
    environ = {**os.environ, "PP__HOST__CYCLE_SECONDS": "0.2"}
    command = [PP, "run", "--home", home.root]
    with subprocess.Popen(
        command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def until(asked, wanted, seconds=60):
    """What `asked` says once `wanted` of it holds."""
    deadline = time.monotonic() + seconds
    while not wanted(found := asked()):
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found


@contextmanager
def watching(home, *words):
    """`pp status --watch` into a pipe, and a function that reads until what was printed matches."""
    command = [PP, "status", "--watch", "--every", "0.2", "--home", home.root, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            yield process, lambda pattern: read_until(process.stdout.fileno(), pattern)
        finally:
            process.kill()


def read_until(descriptor, pattern, seconds=60):
    found, deadline = b"", time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while not re.search(pattern, found.decode(errors="replace")):
            assert time.monotonic() < deadline, found
            if selector.select(0.2):
                chunk = os.read(descriptor, 65_536)
                assert chunk, found
                found += chunk
    return found.decode(errors="replace")


def test_a_running_host_is_shown_in_tables_and_in_one_document(home, said, told):
    with hosting(home):
        document = until(lambda: said(home.root, "status"), lambda found: found.get("cycles"))
        status, out, err = told(home.root, "status")
    assert set(RUNNING) <= document.keys()
    assert (status, err) == (0, "")
    assert document["run"] in out
    assert re.search(r"trading +│ active", out)
    for plugin in document["plugins"]:
        assert re.search(rf"{plugin['id']} .* {plugin['pid']} ", out)
    for title in ("Host", "Plugins", "Money", "Decisions and verdicts"):
        assert title in out


def test_what_happened_is_asked_beside_a_running_host(home, said):
    section = f'[plugins."{AGENT}"]\n'
    text = home.config_file.read_text()
    assert section in text
    home.config_file.write_text(
        text.replace(section, section + "config = {memory = 1000}\n")
    )  # it only looks on
    with hosting(home):
        run = until(lambda: said(home.root, "status"), lambda found: found.get("cycles"))["run"]
        lines = until(lambda: said(home.root, "logs", AGENT)["lines"], lambda found: found)
        assert [(line["event"], line["run"]) for line in lines] == [("plugin.start", run)]
        held = until(lambda: said(home.root, "positions"), lambda found: found["observed"]["equity"])
        assert held["observed"]["equity"] == 1_000_000_000
        assert said(home.root, "risk", "show")["observed_at"] > 0
        assert said(home.root, "decisions", "--run", "latest")["decisions"] == []
        for view in ("orders", "fills"):
            assert said(home.root, view, "--run", run)[view] == []


def test_without_a_host_the_last_run_is_shown(demo, said, told):
    home, result = demo
    document = said(home, "status")
    last = document["last_run"]
    assert (document["running"], last["run"], last["equity"]) == (False, result["run"], result["equity_end"])
    assert (last["equity_start"], last["cash_start"], last["exposure_start"]) == (
        1_000_000_000,
        1_000_000_000,
        0,
    )
    assert (document["orders"], document["fills"]) == (result["orders"], result["fills"])
    status, out, _ = told(home, "status")
    assert status == 0
    assert out.startswith("no host is running; what the record says:\n")
    change = (result["equity_end"] - result["equity_start"]) // 1_000_000
    assert result["run"] in out
    assert f"({'+' if change >= 0 else ''}{change + (change < 0)}." in out
    assert AGENT.rpartition(".")[2] in out


def test_a_home_in_which_nothing_ran(home, said, told):
    assert said(home.root, "status")["last_run"] is None
    assert "no host is running" in told(home.root, "status")[1]


def test_strangers_words_are_escaped(home, told):
    written(home, START, ("state.kill", {"reason": "x"}, None))
    (home.state / "KILL").write_text("\x1b[2Jbad\u202e")
    status, out, _ = told(home.root, "status")
    assert status == 0
    assert not set("\x1b\u202e") & set(out)


def test_a_host_that_comes_and_goes_is_watched_until_ctrl_c(home, said):
    with watching(home) as (process, read):
        assert "Last run" in read("no host is running")
        with hosting(home) as host:
            seen = read(r"trading +│ active")
            assert re.search(r"equity +│ \$ 1,000\.00", seen) or read(r"equity +│ \$ 1,000\.00")
            assert said(home.root, "stop")["stopped"]
            assert host.wait(20) == 0
        read(r"no host is running[^$]*Last run")
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert process.stderr.read() == b""


def test_a_host_that_hangs_is_shown_and_not_the_end(home, said):
    with hosting(home) as host:
        until(lambda: said(home.root, "status"), lambda found: found.get("cycles"))
        host.send_signal(signal.SIGSTOP)
        with watching(home) as (process, read):
            read("the host does not answer: .*pp kill")
            host.send_signal(signal.SIGCONT)
            read(r"trading +│ active")
            assert process.poll() is None


def test_a_terminal_gets_its_screen_back(demo):
    home, result = demo
    ours, theirs = pty.openpty()
    environ = {**os.environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "40"}
    command = [PP, "status", "--watch", "--home", home]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environ) as process:
        try:
            assert "\x1b[?1049h" in read_until(ours, result["run"])
            process.send_signal(signal.SIGINT)
            seen = read_until(ours, r"\x1b\[\?1049l")
            assert process.wait(20) == 0
            assert "Traceback" not in seen
        finally:
            process.kill()
            os.close(ours)
            os.close(theirs)


@pytest.mark.parametrize(
    ("words", "status", "line"),
    [
        (["--watch", "--json"], 1, "pp status: --watch and --json do not go together"),
        (["--every", "3"], 1, "pp status: --every is said with --watch"),
        (["--watch", "--every", "0"], 2, "Invalid value for '--every'"),
        (["--watch", "--every", "nan"], 2, "Invalid value for '--every'"),
        (["--watch", "--every", "99999"], 2, "Invalid value for '--every'"),
    ],
)
def test_what_does_not_go_together_is_one_line(demo, told, words, status, line):
    home, _ = demo
    found, out, err = told(home, "status", *words)
    assert (found, out) == (status, "")
    assert err.startswith(f"pp: error: {line}")
    assert err.splitlines()[1].startswith("pp: hint: ")
