"""Each kind of machine that lacks a wall gets its own remedy."""

import errno
import os
import sys

import pytest
from pp_host.sandbox.walls import Surroundings, elsewhere, missing, remedy, surroundings

MOST, UNPRIVILEGED = "user/max_user_namespaces", "kernel/unprivileged_userns_clone"
APPARMOR = "kernel/apparmor_restrict_unprivileged_userns"


def around(*, is_root=False, is_confined=False, **settings):
    names = {"most": MOST, "unprivileged": UNPRIVILEGED, "apparmor": APPARMOR}
    return Surroundings(is_root, is_confined, {names[key]: value for key, value in settings.items()})


CASES = {
    "switched off": ("namespaces", errno.ENOSPC, around(most="0"), "`sysctl -w user.max_user_namespaces=10000`"),
    "old Debian": ("namespaces", errno.EPERM, around(unprivileged="0"), "-w kernel.unprivileged_userns_clone=1`"),
    "Ubuntu": ("user namespace", errno.EACCES, around(apparmor="1"), "AppArmor withholds user namespaces"),
    "Ubuntu's mount": ("empty root", errno.EACCES, around(apparmor="1", most="9"), "apparmor_parser -r"),
    "Docker": ("namespaces", errno.EPERM, around(is_confined=True, most="9"), "a seccomp filter withholds"),
    "Docker's root": ("namespaces", errno.EPERM, around(is_root=True, is_confined=True), "as an ordinary user"),
    "Docker's profile": ("namespaces", errno.EPERM, around(is_confined=True), "seccomp=deploy/seccomp.json"),
    "Docker's AppArmor": ("empty root", errno.EACCES, around(), "docker-default denies every mount: "),
    "read-only /proc/sys": ("nested namespaces", errno.EROFS, around(), "systempaths=unconfined"),
    "hidden /proc/sys": ("nested namespaces", errno.ENOENT, around(is_confined=True), "(ProcSubset=): "),
    "Docker on Ubuntu": ("namespaces", errno.EPERM, around(is_confined=True, apparmor="1"), "with the profile told there"),
    "no device": ("empty root", errno.ENOENT, around(is_confined=True), "CONFIG_USER_NS=y"),
    "a unit's filter": ("host name", errno.EPERM, around(is_confined=True), "like deploy/probablyprofit.service"),
    "no filter": ("host name", errno.EPERM, around(), "CONFIG_USER_NS=y"),
    "root without rights": ("namespaces", errno.EPERM, around(is_root=True), "lacks CAP_SYS_ADMIN"),
    "root on Ubuntu": ("namespaces", errno.EINVAL, around(is_root=True, apparmor="1"), "CONFIG_USER_NS=y"),
    "old kernel": ("landlock", errno.ENOSYS, around(), "5.13 or later built with CONFIG_SECURITY_LANDLOCK=y"),
    "Landlock off": ("landlock", errno.EOPNOTSUPP, around(), "`lsm=landlock,...`"),
    "Landlock withheld": ("landlock", errno.EPERM, around(is_confined=True), "a seccomp filter withholds"),
    "filters withheld": ("seccomp", errno.EPERM, around(is_confined=True), "a seccomp filter withholds"),
    "no filters": ("seccomp", errno.EINVAL, around(), "CONFIG_SECCOMP_FILTER=y"),
    "private Python": ("packages", errno.EACCES, around(), f"`chmod -R o+rX {os.path.dirname(os.__file__)}`"),
    "root's private files": ("packages", errno.EACCES, around(is_root=True), "as an id with no account"),
    "broken package": ("preload", 0, around(), "may import only the plan's packages"),
    "nothing known": ("rlimits", errno.EPERM, around(), ""),
}  # fmt: skip


@pytest.mark.parametrize(("wall", "number", "where", "expected"), CASES.values(), ids=CASES)
def test_remedies(wall, number, where, expected):
    found = remedy(wall, number, where)
    assert expected in found if expected else found == ""


def test_ubuntu_remedy_is_a_whole_command():
    program = os.path.realpath(sys.executable)
    profile = f"abi <abi/4.0>, profile probablyprofit {program} flags=(unconfined) {{ userns, }}"
    assert f"`echo '{profile}' > /etc/apparmor.d/probablyprofit && " in remedy(
        "namespaces", 1, around(apparmor="1")
    )


def test_surroundings_are_read_off_proc(tmp_path):
    (tmp_path / "self").mkdir()
    (tmp_path / "self/status").write_text("Name:\tx\nSeccomp:\t2\nSeccomp_filters:\t1\n")
    (tmp_path / "sys/user").mkdir(parents=True)
    (tmp_path / "sys/user/max_user_namespaces").write_text("0\n")
    assert surroundings(tmp_path) == Surroundings(os.geteuid() == 0, is_confined=True, settings={MOST: "0"})
    (tmp_path / "self/status").write_text("Name:\tx\nSeccomp:\t0\n")
    assert not surroundings(tmp_path).is_confined


def test_refusals_name_the_wall():
    refusal = missing("landlock", errno.ENOSYS, "OSError: x")
    assert str(refusal) == "wall landlock: OSError: x"
    assert (refusal.wall, refusal.why, refusal.exit_status) == ("landlock", "OSError: x", 3)
    assert "CONFIG_SECURITY_LANDLOCK" in refusal.hint


def test_other_systems(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert str(elsewhere()) == "wall namespaces: darwin has none"
    assert "Linux 5.13" in elsewhere().hint
