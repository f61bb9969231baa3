"""`pp kill` against a real host: alive, stopped and dead. It stays latched, the record holds it and verifies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pp_host.app.founding import found_home, install_folder
from pp_host.cli.main import main
from pp_host.control import HostIdentity
from pp_host.trust.keys import SigningKey
from pp_host.trust.truststore import TrustStore

PP = Path(sys.executable).with_name("pp")


@pytest.fixture
def home(tmp_path):
    return found_home(tmp_path / "home")


@pytest.fixture
def said(home, capsys):
    """Run a command in this process: its exit status and its JSON document."""

    def run(*arguments):
        status = main([*arguments, "--home", str(home.root), "--json"])
        out = capsys.readouterr().out
        return status, json.loads(out) if out else None

    return run


@pytest.fixture
def host(home, said):
    """A real host in the middle of a session, with its plugins."""
    environ = {**os.environ, "PP__HOST__CYCLE_SECONDS": "0.2"}
    with subprocess.Popen([PP, "run", "--home", home.root], env=environ, stderr=subprocess.PIPE) as process:
        try:
            _wait_for_a_cycle(process, said)
            yield process
        finally:
            process.kill()


def _wait_for_a_cycle(process, said):
    deadline = time.monotonic() + 60
    while not (said("status")[1] or {}).get("cycles"):
        assert time.monotonic() < deadline
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)


def run_once(home):
    command = [PP, "run", "--cycles", "1", "--home", home.root]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def entries(said, event):
    return [entry["subject"] for entry in said("audit", "tail", "--event", event)[1]["entries"]]


@pytest.mark.parametrize(
    ("before", "found", "ended"),
    [
        (None, "answered", 3),
        (signal.SIGSTOP, "ended", -signal.SIGKILL),
        (signal.SIGKILL, "absent", -signal.SIGKILL),
    ],
    ids=["alive", "stopped", "dead"],
)
def test_kill_works_and_stays(home, host, said, before, found, ended):
    if before is not None:
        host.send_signal(before)
    if before == signal.SIGKILL:
        host.wait(20)
    status, document = said("kill", "--reason", "enough")
    assert (status, document["halted"], document["host"]) == (0, True, found)
    assert host.wait(20) == ended
    assert [entry["reason"] for entry in entries(said, "state.kill")] == ["enough"]
    refused = run_once(home)
    assert (refused.returncode, "pp: error: halted: enough\n" in refused.stderr) == (3, True)
    assert said("audit", "verify")[0] == 0
    assert said("resume", "--reason", "all clear")[0] == 0
    assert said("status")[1]["latched"] is None


def test_after_resume_it_runs_again(home, said):
    assert said("kill", "--reason", "enough")[0] == 0
    assert run_once(home).returncode == 3
    assert said("resume", "--reason", "all clear")[0] == 0
    assert run_once(home).returncode == 0


def test_stop_ends_it_in_good_order_and_latches_nothing(home, host, said):
    second = run_once(home)
    assert (second.returncode, "another host is writing this record" in second.stderr) == (3, True)
    pid = HostIdentity.read(home.state).pid
    status, document = said("stop")
    assert (status, document["stopped"], document["pid"]) == (0, True, pid)
    assert host.wait(20) == 0
    assert entries(said, "state.kill") == []
    assert said("status")[1]["latched"] is None


def test_a_latch_file_that_goes_missing_lowers_nothing(home, said):
    assert said("kill", "--reason", "enough")[0] == 0
    (home.state / "KILL").unlink()
    refused = run_once(home)
    assert (refused.returncode, "pp: error: halted: enough\n" in refused.stderr) == (3, True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_good_order_and_latches_nothing(home, host, said, number):
    host.send_signal(number)
    assert host.wait(20) == 0
    assert said("audit", "tail", "-n", "1")[1]["entries"][0]["event"] == "host.stop"
    assert said("status")[1]["latched"] is None
    assert said("audit", "verify")[0] == 0


def test_what_an_operator_does_meanwhile_is_written_down_by_the_running_host(home, host, said, tmp_path):
    assert said("plugin", "keygen", str(tmp_path / "key"))[0] == 0
    status, _ = said("trust", "add", str(tmp_path / "key.pub"), "--plugins", "org.example.*")
    assert status == 0
    assert entries(said, "trust.add")[-1]["plugins"]
    (tmp_path / "x-1.0.0.ppz").write_bytes(b"junk")
    assert said("plugin", "install", str(tmp_path / "x-1.0.0.ppz"), "--yes")[0] == 3
    assert entries(said, "plugin.refused")[-1]["check"] == 1
    assert host.poll() is None
    assert said("stop")[0] == 0
    assert said("audit", "verify")[0] == 0


@pytest.mark.parametrize("how", ["stop", signal.SIGINT, "kill"])
def test_whoever_ends_it_every_plugin_has_its_end_and_outputs_hear_of_it(home, host, said, how):
    host.send_signal(how) if isinstance(how, signal.Signals) else said(how)
    host.wait(20)
    started, exited = entries(said, "plugin.start"), entries(said, "plugin.exit")
    assert len(started) == 3
    assert sorted(start["pid"] for start in started) == sorted(gone["pid"] for gone in exited)
    assert {gone["outcome"] for gone in exited} == {"ok"}
    told = [call["kinds"] for call in entries(said, "plugin.call") if call["hook"] == "notify"]
    assert "run.start" in told[0]
    assert told[-1]["run.end"] == 1


def test_a_start_can_be_left_and_leaves_no_process(home, said, tmp_path):
    """One plugin takes long to come up; the others are running already when the operator loses patience."""
    text = home.config_file.read_text()
    slow = install_slow(home, tmp_path)
    home.config_file.write_text(f'{text}\n[plugins."{slow}"]\n')
    with subprocess.Popen([PP, "run", "--home", home.root], stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 60
            while len(entries(said, "plugin.start")) < 3:
                assert time.monotonic() < deadline
                assert process.poll() is None
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0
        finally:
            process.kill()
    assert sorted(s["pid"] for s in entries(said, "plugin.start")) == sorted(
        e["pid"] for e in entries(said, "plugin.exit")
    )
    assert run_once_without(home, slow, said) == 0


def install_slow(home, tmp_path):
    folder = tmp_path / "slow"
    folder.mkdir()
    (folder / "plugin.yaml").write_text(SLOW)
    (folder / "body.py").write_text(
        "import time\nfrom pp_sdk import hookimpl\n\nclass Slow:\n    @hookimpl\n    def configure(self, config):\n"
        "        time.sleep(600)\n\n    @hookimpl\n    def decide(self, observation):\n        return []\n\nplugin = Slow()\n"
    )
    key = SigningKey.read((home.keys / "dev").read_bytes(), bytes)
    return install_folder(home, folder, key, TrustStore.open(home.trust_file))


def run_once_without(home, plugin, said):
    text = home.config_file.read_text()
    home.config_file.write_text(
        text.replace(f'[plugins."{plugin}"]\n', f'[plugins."{plugin}"]\nenabled = false\n')
    )
    return run_once(home).returncode


SLOW = """schema: probablyprofit/plugin/v1
id: test.slow
version: 1.0.0
kind: agent
title: A test
summary: Takes ten minutes to come up.
license: MIT
authors: [{name: Tester}]
api: {sdk: ">=1,<2", python: ">=3.11"}
entry: {module: body, object: plugin, runtime: python}
hooks: [decide]
capabilities:
  - {use: market.read, reason: a}
  - {use: decision.propose, max_order_usd: 1, max_day_usd: 1, reason: b}
limits: {wall_seconds_per_call: 1}
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_that_keep_coming_end_it_and_its_record_is_whole(home, host, said, number):
    while host.poll() is None:
        host.send_signal(number)
        time.sleep(0.004)
    assert host.returncode in {0, 130, -number}  # the last of them may come when only words are left to say
    assert len(entries(said, "plugin.start")) == len(entries(said, "plugin.exit")) == 3
    assert said("audit", "tail", "-n", "1")[1]["entries"][0]["event"] == "host.stop"
    assert said("audit", "verify")[0] == 0
