"""The judge: a process that keeps every promise passes, and any single broken one refuses."""

import asyncio
import json
import os
import signal

import pytest
from pp_host.errors import Refused, WallMissing
from pp_host.sandbox import selfcheck
from pp_host.sandbox.attest import ATTEMPTS, attest, promises
from pp_host.sandbox.launch import launch
from pp_host.sandbox.plan import LEVELS

PROMISED = promises("L3", 0)


@pytest.fixture(scope="module")
def canary(plan):
    """A living process behind all walls, and what its self-check saw."""
    jailed = asyncio.run(launch(plan, timeout_seconds=20))
    jailed.rpc.setblocking(True)
    yield jailed.pid, json.loads(jailed.rpc.recv(65536))
    jailed.rpc.close()
    signal.pidfd_send_signal(jailed.pidfd, signal.SIGKILL)
    os.waitpid(jailed.pid, 0)
    for fd in (jailed.pidfd, jailed.stdout, jailed.stderr):
        os.close(fd)


def test_all_walls_stand(canary):
    pid, seen = canary
    assert seen == PROMISED
    standing = attest(pid, "L3", seen)
    assert {"seccomp", "no new privileges", "pid namespace", "session", "empty CapEff", *PROMISED} <= set(
        standing
    )
    if os.geteuid() == 0:
        assert {"foreign user", "net namespace", "mnt namespace", "user namespace"} <= set(standing)


@pytest.mark.parametrize("name", PROMISED)
def test_one_broken_promise_refuses(canary, name):
    pid, seen = canary
    with pytest.raises(WallMissing, match=f"^wall {name}: promised {PROMISED[name]}, found 99$"):
        attest(pid, "L3", seen | {name: 99})


def test_self_check_must_be_whole(canary):
    pid, seen = canary
    shorter = {name: value for name, value in seen.items() if name != "fork"}
    for reported in (shorter, seen | {"more": 0}, {}):
        with pytest.raises(WallMissing, match="^wall self-check: promised"):
            attest(pid, "L3", reported)


def test_a_process_without_walls_is_refused_whatever_it_reports():
    with pytest.raises(WallMissing, match=r"^wall seccomp: promised \['2'\], found \['0'\]$") as refusal:
        attest(os.getpid(), "L3", PROMISED)
    assert "pp doctor" in refusal.value.hint


def test_a_process_that_is_gone(canary):
    with pytest.raises(WallMissing, match="^wall process: 4194305 has ended or is hidden"):
        attest(4_194_305, "L3", PROMISED)


def test_a_level_that_nothing_is_promised_for(canary):
    pid, seen = canary
    with pytest.raises(Refused, match="^wall level: nothing is promised for 'L9'$"):
        attest(pid, "L9", seen)


def test_child_and_host_speak_of_the_same_things():
    for level in LEVELS:
        assert set(selfcheck.ATTEMPTS) == set(ATTEMPTS[level])
        assert {*selfcheck.ATTEMPTS, *selfcheck.READINGS} == set(promises(level, 0))
