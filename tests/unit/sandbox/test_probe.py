"""`probe` on this machine, and on one that withholds a wall."""

import asyncio
import os
import subprocess
import sys

import pytest
from pp_host.sandbox.attest import ATTEMPTS, READINGS
from pp_host.sandbox.probe import probe


def test_every_wall_stands_here():
    level, walls = probe()
    assert level == "L3"
    assert all(wall.ok and wall.proof and wall.remedy == "" for wall in walls)
    assert set(ATTEMPTS["L3"] | READINGS["L3"]) < {wall.name for wall in walls}
    proofs = {wall.name: wall.proof for wall in walls}
    assert proofs["fork"] == "tried inside, EAGAIN"
    assert proofs["process_id"] == "read inside, 1"
    assert proofs["seccomp"] == "seen from outside"


CONFINED = """
import sys
sys.path.insert(0, {folder!r})
from confined import withhold
from pp_host.sandbox.probe import probe
withhold({call!r}, 0, 0, 1)
level, walls = probe()
print(level, [(wall.name, wall.ok, bool(wall.remedy)) for wall in walls])
"""


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("unshare", "L0 [('namespaces', False, True), ('landlock', True, False), ('seccomp', True, False)]"),
        ("landlock_restrict_self", "L0 [('landlock', False, True), ('seccomp', True, False)]"),
        ("seccomp", "L0 [('seccomp', False, True), ('landlock', True, False)]"),
    ],
)
def test_what_is_missing_and_what_is_not(call, expected):
    code = CONFINED.format(folder=os.path.dirname(__file__), call=call)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout.decode().strip() == expected


def test_other_systems(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(asyncio, "run", lambda main: main.send(None))  # the loop itself asks for the platform
    level, walls = probe()
    assert level == "L0"
    assert [(wall.name, wall.ok, "Linux" in wall.remedy) for wall in walls] == [("namespaces", False, True)]
