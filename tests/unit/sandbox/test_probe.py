"""`probe` on this machine, and on one that withholds a wall."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pp_host
import pytest
from pp_host.sandbox.attest import promises
from pp_host.sandbox.probe import probe


def test_every_wall_stands_here():
    level, walls = probe()
    assert level == "L3"
    assert all(wall.ok and wall.proof and wall.remedy == "" for wall in walls)
    assert set(promises("L3", 0)) < {wall.name for wall in walls}
    proofs = {wall.name: wall.proof for wall in walls}
    assert proofs["fork"] == "tried inside, EAGAIN"
    assert proofs["process_id"] == "read inside, 1"
    assert proofs["seccomp"] == "seen from outside"


CONFINED = """
import json, sys
sys.path[:0] = {folders!r}
from confined import withhold
from pp_host.sandbox.probe import probe
for call in {calls!r}:
    withhold(call, 0, 0, 1)
level, walls = probe()
json.dump([level, [[wall.name, wall.ok, bool(wall.remedy)] for wall in walls]], sys.stdout)
"""


@pytest.fixture
def python():
    """A Python whose library everybody may read: where root runs the host, a plugin is somebody without an account."""
    closed = [up for up in Path(os.__file__).parents if not up.stat().st_mode & 0o001]
    if os.geteuid() == 0 and closed:
        found = shutil.which("python3", path="/usr/bin:/bin")
        assert found, f"{closed[0]} is closed, and no other Python is here"
        return found
    return sys.executable


# What is withheld -> the level that is left, and the walls that fall.
FALLEN = {
    "nothing": ([], "L3", []),
    "namespaces": (["unshare"], "L2", ["namespaces"]),
    "children's namespaces": (["mount"], "L2", ["empty root"]),
    "landlock": (["landlock_restrict_self"], "L1", ["landlock"]),
    "both": (["unshare", "landlock_create_ruleset"], "L1", ["namespaces", "landlock"]),
    "seccomp": (["seccomp"], "L0", ["seccomp"]),
    "all": (["unshare", "landlock_create_ruleset", "seccomp"], "L0", ["namespaces", "landlock", "seccomp"]),
}


@pytest.mark.parametrize(("withheld", "level", "fallen"), FALLEN.values(), ids=FALLEN)
def test_the_strongest_level_that_stands(python, withheld, level, fallen):
    folders = [os.path.dirname(__file__), str(Path(pp_host.__file__).parents[1])]
    code = CONFINED.format(folders=folders, calls=withheld)
    done = subprocess.run([python, "-c", code], capture_output=True, check=True, cwd="/")
    found, walls = json.loads(done.stdout)
    assert found == level
    assert [name for name, ok, _ in walls if not ok] == fallen
    assert all(ok != remedy for _, ok, remedy in walls)
    if level != "L0":
        assert {"seccomp", "internet_socket", "read_host_file"} <= {name for name, ok, _ in walls if ok}


def test_other_systems(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(asyncio, "run", lambda main: main.send(None))  # the loop itself asks for the platform
    level, walls = probe()
    assert level == "L0"
    assert [(wall.name, wall.ok, "Linux" in wall.remedy) for wall in walls] == [("namespaces", False, True)]
