"""Plugins born of one zygote: what one uses up or changes, the other does not notice."""

import asyncio
import json
import os
from contextlib import closing
from dataclasses import replace

import pytest
from pp_host.limits import LIMITS
from pp_host.sandbox.launch import Launcher, end_child

BODY = """
import json, os, threading

def main(rpc, selfcheck):
    names = {}
    for line in os.fdopen(rpc, "r", closefd=False):
        try:
            answer = repr(eval(line, names))
        except (OSError, RuntimeError) as error:
            answer = type(error).__name__
        os.write(rpc, json.dumps(answer).encode() + b"\\n")
"""
HOLD = (
    "[t.start() for t in [__import__('threading').Thread(target=__import__('time').sleep, args=(60,), daemon=True)"
    " for _ in range({})]] and 'held'"
)


class Sibling:
    def __init__(self, jailed):
        self.jailed = jailed

    def says(self, expression):
        self.jailed.rpc.sendall(expression.encode() + b"\n")
        answer = b""
        while not answer.endswith(b"\n"):
            more = self.jailed.rpc.recv(4096)
            assert more, "it has ended"
            answer += more
        return json.loads(answer)

    def end(self):
        self.jailed.rpc.close()
        end_child(self.jailed.pid, self.jailed.pidfd)
        os.close(self.jailed.stdout)
        os.close(self.jailed.stderr)


@pytest.fixture
def born(plan, tmp_path):
    """born(): one more of the same zygote."""
    package = tmp_path / "sibling.py"
    package.write_text(BODY)
    wanted = replace(plan, packages=(package,), preload=("colorsys",), entry="sibling:main", memory_mb=1024)
    siblings = []
    with closing(Launcher()) as launcher:

        def one():
            jailed = asyncio.run(launcher.launch(wanted, timeout_seconds=20))
            jailed.rpc.settimeout(30)
            siblings.append(Sibling(jailed))
            return siblings[-1]

        yield one
        for sibling in siblings:
            sibling.end()


def test_threads_are_counted_for_each_alone(born):
    one, other = born(), born()
    assert one.says(HOLD.format(LIMITS.process.processes)) == "RuntimeError"
    assert one.says(HOLD.format(1)) == "RuntimeError"
    assert other.says(HOLD.format(8)) == "'held'"


def test_a_module_that_one_changes_is_as_it_was_for_the_others(born):
    one, before = born(), born()
    assert one.says("setattr(__import__('colorsys'), 'rgb_to_hls', None)") == "None"
    assert before.says("callable(__import__('colorsys').rgb_to_hls)") == "True"
    assert born().says("callable(__import__('colorsys').rgb_to_hls)") == "True"


def test_each_is_alone_with_its_own_identity(born):
    one, other = born(), born()
    for each in (one, other):
        assert each.says("(__import__('os').getpid(), __import__('os').getuid())") == "(1, 1000)"
    theirs = (
        [os.readlink(f"/proc/{each.jailed.pid}/ns/user") for each in (one, other)]
        if not os.geteuid()
        else [1, 2]
    )
    assert theirs[0] != theirs[1]


def test_sets_have_one_order_and_randomness_is_their_own(born):
    one, other = born(), born()
    assert one.says("hash('x')") == other.says("hash('x')")
    assert one.says("__import__('os').urandom(8)") != other.says("__import__('os').urandom(8)")
    assert one.says("__import__('random').random()") != other.says("__import__('random').random()")


def test_the_end_of_one_is_not_the_others(born):
    one, other = born(), born()
    os.kill(one.jailed.pid, 9)
    os.waitid(os.P_PIDFD, one.jailed.pidfd, os.WEXITED | os.WNOWAIT)
    assert other.says("1 + 1") == "2"
    assert born().says("1 + 1") == "2"
