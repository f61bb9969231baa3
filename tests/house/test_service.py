"""deploy/'s unit, image and compose file agree with the host that they start, and with each other."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import defaultdict

import pytest
import yaml
from pp_host.errors import OperatorError, Refused
from pp_host.limits import LIMITS

INSTALLED = "/opt/probablyprofit"
EXPOSURE_MOST = 2.0  # of 10; what the walls need costs 1.6 of it
OLDEST = 250  # `security --offline`


def analyzer():
    """The version of systemd-analyze here, or 0."""
    if shutil.which("systemd-analyze") is None:
        return 0
    said = subprocess.run(["systemd-analyze", "--version"], capture_output=True, text=True, check=True).stdout
    return int(re.search(r"\d+", said)[0])


systemd = pytest.mark.skipif(analyzer() < OLDEST, reason=f"needs systemd-analyze {OLDEST} or later")


@pytest.fixture(scope="module")
def unit(root):
    """Setting -> its values, of the whole unit; section names do not collide."""
    found = defaultdict(list)
    for line in (root / "deploy" / "probablyprofit.service").read_text(encoding="utf-8").splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found[name].append(value)
    return found


@pytest.fixture
def local(root, tmp_path):
    """The unit with its drop-in as if this checkout were installed, for tools that look for the program."""
    place = tmp_path / "probablyprofit.service"
    text = (root / "deploy" / place.name).read_text(encoding="utf-8")
    place.write_text(text.replace(INSTALLED, str(root)))
    drop_ins = tmp_path / f"{place.name}.d"
    drop_ins.mkdir()
    for drop_in in (root / "deploy" / drop_ins.name).iterdir():
        text = drop_in.read_text(encoding="utf-8")
        (drop_ins / drop_in.name).write_text(text.replace(INSTALLED, str(root)))
    return place


def analyzed(*words):
    done = subprocess.run(
        ["systemd-analyze", "--no-pager", *map(str, words)], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


@systemd
def test_the_unit_is_understood(local):
    status, said = analyzed("verify", "--man=no", "--recursive-errors=no", local)
    assert (status, said) == (0, "")


@systemd
def test_a_misspelt_unit_is_seen(local):
    local.write_text(local.read_text() + "\n[Service]\nProtectSistem=strict\n")
    assert "ProtectSistem" in analyzed("verify", "--man=no", "--recursive-errors=no", local)[1]


@systemd
def test_the_unit_exposes_little(local):
    status, said = analyzed("security", "--offline=true", f"--threshold={EXPOSURE_MOST * 10:.0f}", local)
    assert "Overall exposure level" in said
    assert status == 0, said


@systemd
def test_an_open_unit_exceeds_the_bound(local):
    text = local.read_text()
    for line in (
        "NoNewPrivileges=yes",
        "CapabilityBoundingSet=",
        "ProtectSystem=strict",
        "PrivateNetwork=yes",
    ):
        assert f"\n{line}\n" in text
        text = text.replace(f"\n{line}\n", "\n")
    local.write_text(text)
    assert analyzed("security", "--offline=true", f"--threshold={EXPOSURE_MOST * 10:.0f}", local)[0] != 0


def test_the_unit_leaves_the_host_the_time_it_needs(unit):
    (seconds,) = unit["TimeoutStopSec"]
    assert float(seconds.removesuffix("s")) > LIMITS.control.stop_seconds + LIMITS.control.answer_seconds
    assert unit["KillMode"] == ["mixed"]


def test_a_start_that_a_person_has_to_look_at_is_not_tried_again(unit):
    usage = 2
    most = {OperatorError.exit_status, usage, Refused.exit_status}
    assert set(map(int, unit["RestartPreventExitStatus"][0].split())) == most


def test_the_unit_takes_no_wall_away(unit):
    """Tried under systemd 252; each of these was answered by a wall of that name that does not stand."""
    assert {"ProtectKernelTunables", "ProtectHostname", "ProtectProc", "ProcSubset"} & set(unit) == set()
    assert set(unit["RestrictNamespaces"][0].split()) == {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup"}
    allowed = unit["SystemCallFilter"][0].split()
    assert {"@mount", "seccomp", "sethostname", "setdomainname", "landlock_restrict_self"} <= set(allowed)
    assert unit["NoNewPrivileges"] == ["yes"]


@pytest.fixture(scope="module")
def service(root):
    text = (root / "deploy" / "compose.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text)["services"]["pp"]


def test_the_compose_file_gives_nothing_away(service, root):
    assert service["cap_drop"] == ["ALL"]
    assert service["read_only"] is True
    assert service["network_mode"] == "none"
    options = dict(option.split("=", 1) for option in service["security_opt"])
    assert options == {
        "no-new-privileges": "true",
        "seccomp": "seccomp.json",
        "systempaths": "unconfined",
        "apparmor": "unconfined",
    }
    assert (root / "deploy" / options["seccomp"]).is_file()
    assert {"privileged", "cap_add", "devices", "pid", "ipc", "user"} & set(service) == set()


def test_the_compose_file_leaves_the_host_the_time_it_needs(service):
    assert float(service["stop_grace_period"].removesuffix("s")) > LIMITS.control.stop_seconds
    assert service["stop_signal"] == "SIGTERM"


@pytest.fixture(scope="module")
def dockerfile(root):
    return (root / "deploy" / "Dockerfile").read_text(encoding="utf-8")


def test_the_image_is_built_from_pinned_things_and_runs_as_nobody_special(dockerfile):
    tag = re.search(r"^ARG PYTHON=(\S+)$", dockerfile, re.MULTILINE)[1]
    assert re.fullmatch(r"3\.\d+-slim-[a-z]+", tag)
    assert re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE) == ["python:${PYTHON}"] * 2
    assert "--require-hashes --only-binary :all: -r requirements.lock" in dockerfile
    final = dockerfile.rpartition("\nFROM ")[2]
    assert re.findall(r"^USER (\S+)$", final, re.MULTILINE) == ["10001:10001"]
    assert json.loads(re.search(r"^ENTRYPOINT (.+)$", final, re.MULTILINE)[1]) == ["pp"]
    assert "pip uninstall --yes" in final
    assert re.findall(r"^ADD |curl|wget|apt-get", dockerfile, re.MULTILINE) == []


def test_what_the_image_copies_is_there_and_sent(dockerfile, root):
    sent = (root / ".dockerignore").read_text(encoding="utf-8").split()
    copied = [
        word
        for words in re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE)
        for word in words.split()
    ]
    assert copied == ["requirements.lock", "LICENSE", "sdk", "host", "plugins_builtin"]
    for word in copied:
        assert (root / word).exists()
        assert f"!{word}" in sent
    assert "*" in sent


def test_image_unit_and_users_agree_on_the_home(dockerfile, unit, service, root):
    volume = re.search(r"^VOLUME (\S+)$", dockerfile, re.MULTILINE)[1]
    assert f"PP_HOME={volume}/home" in dockerfile
    assert service["volumes"] == [f"home:{volume}"]
    assert unit["Environment"] == [f"PP_HOME={volume}/home"]
    assert volume == f"/var/lib/{unit['StateDirectory'][0]}"
    assert (
        unit["User"][0] in (root / "deploy" / "probablyprofit.sysusers").read_text(encoding="utf-8").split()
    )
