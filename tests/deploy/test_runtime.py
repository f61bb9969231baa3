"""The image's settings under a real container runtime: runc, which Docker starts containers with. Root only; where runc
is not installed, test_profile.py stands in for it.

The container's root holds nothing but what is bound into it: the system's programs, this checkout and its Python.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PP = Path(sys.executable).with_name("pp")
IMAGE_USER = 10001  # of deploy/Dockerfile; no account here, as in an image that somebody else made
SYSTEM = ["/usr", "/bin", "/lib", "/lib64", "/etc"]
READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]  # as Docker has them
MASKED = ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"]
pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("runc") is None, reason="needs root and runc"
)


def mounted(target, kind, *options, source=None):
    return {"destination": str(target), "type": kind, "source": str(source or kind), "options": list(options)}


@pytest.fixture(scope="module")
def service():
    return yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8"))["services"]["pp"]


@pytest.fixture
def contained(tmp_path, service):
    """Run `pp WORDS` in a container set up as the compose file says."""

    def run(*words, system_paths="unconfined", user=IMAGE_USER):
        (tmp_path / "root" / "tmp").mkdir(parents=True)
        (tmp_path / "root" / "tmp").chmod(0o1777)  # a tmpfs takes the mode of what it covers
        home = tmp_path / "home"
        home.mkdir()
        os.chown(home, user, user)
        binds = {Path(path) for path in SYSTEM if Path(path).exists()} | {
            ROOT,
            Path(sys.base_prefix).resolve(),
        }
        confined = system_paths == "confined"
        config = {
            "ociVersion": "1.0.2",
            "process": {
                "user": {"uid": user, "gid": user},
                "args": list(map(str, [PP, *words])),
                "cwd": "/",
                "env": ["PATH=/usr/bin:/bin", "PP_HOME=/data/home"],
                "capabilities": {"bounding": [], "effective": [], "permitted": []},
                "noNewPrivileges": "no-new-privileges=true" in service["security_opt"],
            },
            "root": {"path": "root", "readonly": service["read_only"]},
            "mounts": [
                mounted("/proc", "proc"),
                mounted("/dev", "tmpfs", "nosuid", "mode=755"),
                mounted("/dev/shm", "tmpfs", "nosuid", "noexec", "nodev"),
                mounted("/sys", "sysfs", "nosuid", "noexec", "nodev", "ro"),
                mounted("/tmp", "tmpfs", "nosuid", "noexec", "nodev"),
                *(mounted(path, "bind", "rbind", "ro", source=path) for path in sorted(binds)),
                mounted("/data", "bind", "rbind", "rw", source=home),
            ],
            "linux": {
                "namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount")],
                "seccomp": json.loads((ROOT / "deploy" / "seccomp.json").read_text(encoding="utf-8")),
                "readonlyPaths": READ_ONLY if confined else [],
                "maskedPaths": MASKED if confined else [],
            },
        }
        (tmp_path / "config.json").write_text(json.dumps(config))
        runc = [
            "runc",
            "--root",
            str(tmp_path / "state"),
            "run",
            "--bundle",
            str(tmp_path),
            f"pp-test-{os.getpid()}",
        ]
        return subprocess.run(
            runc, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120
        )

    return run


def test_every_wall_stands_in_the_container(contained):
    done = contained("doctor", "--json")
    assert (done.returncode, done.stderr, json.loads(done.stdout)["level"]) == (0, "", "L3")


def test_a_session_trades_in_the_container(contained):
    done = contained("demo", "--cycles", "20", "--json", "--home", "/data/home")
    assert (done.returncode, done.stderr) == (0, "")
    result = json.loads(done.stdout)
    assert result["fills"] > 0
    assert {plugin["level"] for plugin in result["plugins"]} == {"L3"}


def test_dockers_system_paths_take_a_wall_away(contained):
    done = contained("doctor", "--json", system_paths="confined")
    assert done.returncode == 3
    walls = {wall["name"]: wall for wall in json.loads(done.stdout)["walls"] if not wall["ok"]}
    assert list(walls) == ["nested namespaces"]
    assert "systempaths=unconfined" in walls["nested namespaces"]["remedy"]


def test_root_without_rights_is_told_to_be_somebody_else(contained):
    done = contained("doctor", "--json", user=0)
    assert done.returncode == 3
    walls = {wall["name"]: wall for wall in json.loads(done.stdout)["walls"] if not wall["ok"]}
    assert list(walls) == ["namespaces", "foreign user"]
    assert all("as an ordinary user" in wall["remedy"] for wall in walls.values())
