"""deploy/seccomp.json in force around real commands of an ordinary user; what Docker's own profile withholds; and what
else a container or a unit may take away.
"""

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
NONE = "none"


@pytest.fixture
def confined(tmp_path):
    """Run `pp WORDS` behind a profile, in altered surroundings, with nothing of the tester's environment."""

    def run(profile, alteration, *words, program=PP):
        # whoever gets an empty /tmp has no other place to write to
        place = Path("/tmp") if os.geteuid() == 0 or alteration != NONE else tmp_path
        environment = {"PATH": "/usr/bin:/bin", "PP_HOME": str(place / "home"), "TMPDIR": str(place)}
        command = [sys.executable, HERE / "confined.py", profile, alteration, program, *words]
        return subprocess.run(
            list(map(str, command)), capture_output=True, text=True, check=False, timeout=120, env=environment
        )

    return run


@pytest.mark.parametrize("alteration", [NONE, "read-only root"])
def test_all_walls_stand_behind_our_profile(confined, alteration):
    done = confined(OURS, alteration, "doctor", "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, done.stderr, document["level"]) == (0, "", "L3")
    assert [wall for wall in document["walls"] if not wall["ok"]] == []


@pytest.mark.parametrize("alteration", [NONE, "read-only root"])
def test_a_session_trades_behind_our_profile(confined, alteration):
    done = confined(OURS, alteration, "demo", "--cycles", "20", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    result = json.loads(done.stdout)
    assert result["fills"] > 0
    assert result["record"]["verified"] is True
    assert {plugin["level"] for plugin in result["plugins"]} == {"L3"}


def test_behind_what_docker_withholds_the_doctor_names_wall_and_remedy(confined):
    done = confined(WITHHELD, NONE, "doctor", "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, done.stderr, document["level"]) == (3, "", "L2")
    walls = {wall["name"]: wall for wall in document["walls"]}
    assert [name for name, wall in walls.items() if not wall["ok"]] == ["namespaces"]
    assert walls["namespaces"]["proof"] == "PermissionError: [Errno 1] unshare: Operation not permitted"
    assert "--security-opt seccomp=deploy/seccomp.json" in walls["namespaces"]["remedy"]


def test_behind_what_docker_withholds_plugins_run_at_the_next_level_and_it_is_said(confined):
    done = confined(WITHHELD, NONE, "demo", "--cycles", "20", "--json")
    assert done.returncode == 0
    assert done.stderr.startswith(
        "pp: warning: plugins run at level L2, not L3: wall namespaces: PermissionError"
    )
    result = json.loads(done.stdout)
    assert result["fills"] > 0
    assert {plugin["level"] for plugin in result["plugins"]} == {"L2"}


# What is asked for -> what is left without namespaces, and without Landlock as well.
ASKED = {
    ("L3", WITHHELD): None,
    ("L2", WITHHELD): "L2",
    ("L1", WITHHELD): "L2",
    ("L2", "without landlock"): None,
    ("L1", "without landlock"): "L1",
}


@pytest.mark.parametrize(("least", "profile"), ASKED, ids=lambda each: getattr(each, "name", each))
def test_never_below_the_level_that_is_asked_for(confined, tmp_path, least, profile):
    level = ASKED[least, profile]
    if profile != WITHHELD:
        withheld = json.loads(WITHHELD.read_text())
        withheld["syscalls"][0]["names"].append("landlock_create_ruleset")
        profile = tmp_path / "profile.json"
        profile.write_text(json.dumps(withheld))
    script = f"""{PP} init >/dev/null && sed -i 's/^min_level = .*/min_level = "{least}"/' $PP_HOME/pp.toml &&
        grep -q 'min_level = "{least}"' $PP_HOME/pp.toml && exec {PP} run --cycles 1 --json"""
    done = confined(profile, NONE, "-c", script, program="/bin/sh")
    if level is None:
        assert (done.returncode, done.stdout) == (3, "")
        assert "error: wall namespaces: PermissionError: [Errno 1] unshare" in done.stderr
        assert "deploy/seccomp.json" in done.stderr.splitlines()[-1]
    else:
        assert done.returncode == 0
        assert {plugin["level"] for plugin in json.loads(done.stdout)["plugins"]} == {level}


def test_without_what_it_withholds_all_walls_stand(confined, tmp_path):
    """Else the refusals above could come from the way the test confines."""
    nearly_open = tmp_path / "nearly_open.json"
    refused = {"names": ["reboot"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}
    nearly_open.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [refused]}))
    assert confined(nearly_open, NONE, "doctor").returncode == 0


@pytest.mark.parametrize(
    ("alteration", "wall", "proof", "remedy"),
    [
        ("read-only sysctl", "nested namespaces", "Read-only file system", "systempaths=unconfined"),
        ("invisible processes", "process", "hidden from the host", "ProtectProc="),
        ("processes without access", "process", "hidden from the host", "hidepid="),
    ],
)
def test_what_takes_a_wall_away_is_named(confined, alteration, wall, proof, remedy):
    done = confined(OURS, alteration, "doctor", "--json")
    assert (done.returncode, done.stderr) == (3, "")
    missing = [found for found in json.loads(done.stdout)["walls"] if not found["ok"]]
    assert [found["name"] for found in missing] == [wall]
    assert proof in missing[0]["proof"]
    assert remedy in missing[0]["remedy"]
