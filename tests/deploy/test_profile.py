"""deploy/seccomp.json in force around real commands of an ordinary user, and what Docker's own profile withholds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
OURS, WITHHELD = HERE.parents[1] / "deploy" / "seccomp.json", HERE / "withheld.json"
PP = Path(sys.executable).with_name("pp")


@pytest.fixture
def place(tmp_path):
    """A folder that the confined user can write to: root's is in the empty /tmp that it gets."""
    return Path("/tmp") if os.geteuid() == 0 else tmp_path


def confined(profile, place, *words):
    """`pp WORDS` behind `profile`, with an environment that holds nothing of the tester's."""
    environment = {"PATH": "/usr/bin:/bin", "PP_HOME": str(place / "home"), "TMPDIR": str(place)}
    command = [sys.executable, HERE / "confined.py", profile, PP, *words]
    return subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False, timeout=120, env=environment
    )


def test_all_walls_stand_behind_our_profile(place):
    done = confined(OURS, place, "doctor", "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, done.stderr, document["level"]) == (0, "", "L3")
    assert [wall for wall in document["walls"] if not wall["ok"]] == []
    assert {"read inside, 1000"} == {w["proof"] for w in document["walls"] if w["name"] == "user_id"}


def test_a_session_trades_behind_our_profile(place):
    done = confined(OURS, place, "demo", "--cycles", "20", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    result = json.loads(done.stdout)
    assert result["fills"] > 0
    assert result["record"]["verified"] is True
    assert {plugin["level"] for plugin in result["plugins"]} == {"L3"}


def test_behind_what_docker_withholds_the_doctor_refuses_and_names_wall_and_remedy(place):
    done = confined(WITHHELD, place, "doctor", "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["level"]) == (3, "L0")
    walls = {wall["name"]: wall for wall in document["walls"]}
    assert {name: wall["ok"] for name, wall in walls.items()} == {
        "namespaces": False,
        "landlock": True,
        "seccomp": True,
    }
    assert walls["namespaces"]["proof"] == "PermissionError: [Errno 1] unshare: Operation not permitted"
    assert "--security-opt seccomp=deploy/seccomp.json" in walls["namespaces"]["remedy"]


def test_behind_what_docker_withholds_nothing_runs(place):
    done = confined(WITHHELD, place, "demo", "--cycles", "1", "--json")
    assert (done.returncode, done.stdout) == (3, "")
    error, hint = done.stderr.splitlines()[-2:]
    assert error.startswith("pp: error: ")
    assert "wall namespaces: PermissionError: [Errno 1] unshare" in error
    assert "deploy/seccomp.json" in hint


def test_without_what_it_withholds_all_walls_stand(place, tmp_path):
    """Else the refusals above could come from the way the test confines."""
    nearly_open = tmp_path / "nearly_open.json"
    refused = {"names": ["reboot"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}
    nearly_open.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [refused]}))
    assert confined(nearly_open, place, "doctor").returncode == 0
