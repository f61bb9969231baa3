"""Control groups: which are the host's to divide, by fake and by real hierarchies, and what they do to a process."""

import asyncio
import os
import secrets
import signal
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from pp_host.sandbox.cgroups import Cgroups
from pp_host.sandbox.launch import Launcher, discard

HERE = Cgroups.found()
real = pytest.mark.skipif(HERE is None, reason="no control groups are delegated to whoever runs this")


@pytest.fixture
def system(tmp_path):
    """system(membership, mounts, folders): a /proc that says so, and the folders below `tmp_path`."""

    def make(membership, mounts, folders=(), controllers="cpuset memory pids", procs=None):
        proc = tmp_path / "proc"
        (proc / "self").mkdir(parents=True)
        (proc / "self/cgroup").write_text("".join(f"{line}\n" for line in membership))
        lines = [
            f"30 23 0:28 {root} {tmp_path}/{point} rw,nosuid - {kind} {kind} rw{options}"
            for kind, options, root, point in mounts
        ]
        (proc / "self/mountinfo").write_text("\n".join(["21 1 0:20 / / rw - ext4 /dev/x rw", *lines]))
        for folder in folders:
            (tmp_path / folder).mkdir(parents=True)
            for name, text in {
                "cgroup.procs": procs or os.getpid(),
                "cgroup.controllers": controllers,
                "cgroup.subtree_control": "",
            }.items():
                (tmp_path / folder / name).write_text(f"{text}\n")
        return proc

    return make


V1 = (
    ["5:cpu,cpuacct:/a", "4:memory:/a", "3:pids:/b", "0::/"],
    [("cgroup", ",memory", "/", "mem"), ("cgroup", ",pids", "/", "pids")],
    ["mem/a", "pids/b"],
)
V2 = (["0::/unit"], [("cgroup2", ",nsdelegate", "/", "uni")], ["uni/unit"])


def test_v1(system, tmp_path):
    assert Cgroups.found(system(*V1)) == Cgroups(
        {"memory": tmp_path / "mem/a", "pids": tmp_path / "pids/b"}, unified=False
    )


def test_v2(system, tmp_path):
    assert Cgroups.found(system(*V2)) == Cgroups(
        dict.fromkeys(("memory", "pids"), tmp_path / "uni/unit"), unified=True
    )


def test_only_a_part_of_the_tree_is_mounted_as_in_containers(system, tmp_path):
    mounts = [("cgroup2", "", "/docker/x", "uni")]
    assert (
        Cgroups.found(system(["0::/docker/x/unit"], mounts, ["uni/unit"])).own["memory"]
        == tmp_path / "uni/unit"
    )


NOT_OURS = {
    "no control groups": ([], []),
    "v2 without the controllers": (V2[0], V2[1], V2[2], "hugetlb"),
    "v2 with somebody else in it": (*V2, "memory pids", "1"),
    "v1 without pids": (V1[0], V1[1][:1], ["mem/a"]),
    "a folder that is not there": (V2[0], V2[1]),
}


@pytest.mark.parametrize("told", NOT_OURS.values(), ids=NOT_OURS)
def test_what_is_not_the_hosts_to_divide(system, told):
    assert Cgroups.found(system(*told)) is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_what_may_not_be_written(system, tmp_path):
    proc = system(*V2)
    assert Cgroups.found(proc) is not None
    (tmp_path / "uni/unit/cgroup.procs").chmod(0o400)
    assert Cgroups.found(proc) is None


def test_with_v2_the_host_moves_aside(system, tmp_path):
    top = tmp_path / "uni/unit"
    Cgroups.found(system(*V2)).prepare()
    assert (top / "pp-host/cgroup.procs").read_text() == str(os.getpid())
    assert set((top / "cgroup.subtree_control").read_text().split()) == {"+memory", "+pids"}


def test_with_v1_it_stays(system, tmp_path):
    Cgroups.found(system(*V1)).prepare()
    assert not (tmp_path / "mem/a/pp-host").exists()


DIVIDE = """
import sys
from pathlib import Path
from pp_host.sandbox.cgroups import Cgroups
top = Path(sys.argv[1])
(top / "cgroup.procs").write_text("0")
Cgroups({"hugetlb": top}, unified=True).prepare()
print((top / "cgroup.subtree_control").read_text().split(), (top / "cgroup.procs").read_text().split())
"""


def real_v2():
    """A v2 hierarchy that root may divide by some controller, as most kernels mount one beside v1."""
    for point in (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified")):
        listed = point / "cgroup.controllers"
        if (
            os.geteuid() == 0
            and listed.exists()
            and "hugetlb" in listed.read_text()
            and os.access(point, os.W_OK)
        ):
            return point
    return None


@pytest.mark.skipif(real_v2() is None, reason="needs root and a v2 hierarchy with a controller to spare")
def test_the_kernel_lets_a_v2_group_be_divided_that_way():
    point = real_v2()
    before = (point / "cgroup.subtree_control").read_text()
    (point / "cgroup.subtree_control").write_text("+hugetlb")
    top = point / f"pp-test-{os.getpid()}"
    top.mkdir()
    try:
        done = subprocess.run(
            [sys.executable, "-c", DIVIDE, top], capture_output=True, text=True, check=False
        )
        assert (done.stdout.strip(), done.stderr) == ("['hugetlb'] []", "")
    finally:
        (top / "pp-host").rmdir()
        top.rmdir()
        if "hugetlb" not in before:
            (point / "cgroup.subtree_control").write_text("-hugetlb")


HOG = "import os\ndef main(rpc, _):\n    hoard = [b'x' * (1 << 20) for _ in range(200)]\n    os.write(rpc, b'had it all')\n"
BUSY = """
import os, threading, time
def main(rpc, _):
    begun = 0
    try:
        for begun in range(60):
            threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    except RuntimeError:
        os.write(rpc, str(begun).encode())
    os._exit(0)
"""


@pytest.fixture
def caged(plan, tmp_path):
    """caged(code, **bounds): one process in a group with these bounds, and wider ones of its own."""
    package = tmp_path / "caged.py"

    class Tight(Cgroups):
        def hold(self, pid, *, memory_mb, processes):
            return super().hold(pid, **{"memory_mb": memory_mb, "processes": processes} | self.bounds)

    made = []

    def run(code, **bounds):
        package.write_text(code)
        Tight.bounds = bounds
        with closing(Launcher(Tight(HERE.own, HERE.unified))) as launcher:
            wanted = replace(plan, packages=(package,), entry="caged:main", memory_mb=1024)
            jailed = asyncio.run(launcher.launch(wanted, timeout_seconds=20))
        made.append(jailed)
        jailed.rpc.settimeout(30)
        answer = jailed.rpc.recv(99)
        ended = os.waitid(os.P_PIDFD, jailed.pidfd, os.WEXITED | os.WNOWAIT)
        return answer, ended.si_status, jailed.cage.ended_for_memory()

    yield run
    for jailed in made:
        folders = set(jailed.cage.groups.values())
        discard(jailed)
        assert [folder for folder in folders if folder.exists()] == []


@real
def test_memory_beyond_the_group_is_the_end(caged):
    assert caged(HOG, memory_mb=64) == (b"", signal.SIGKILL, True)


@real
def test_memory_within_it_is_not(caged):
    answer, _, for_memory = caged(HOG, memory_mb=400)
    assert (answer, for_memory) == (b"had it all", False)


@real
def test_threads_beyond_the_group_are_refused(caged):
    answer, status, _ = caged(BUSY, processes=8)
    assert (int(answer), status) == (7, 0)


@real
def test_a_group_that_cannot_be_bounded_is_not_left(monkeypatch):
    monkeypatch.setattr(secrets, "token_hex", lambda _: f"only-of-{os.getpid()}")
    with pytest.raises(OSError, match="Invalid argument"):
        HERE.hold(os.getpid(), memory_mb=-7 * 2**50, processes=8)
    assert not [found for folder in HERE.own.values() for found in folder.glob(f"pp-*-only-of-{os.getpid()}")]


@real
def test_what_a_killed_host_left_is_removed_and_nothing_else(plan):
    nobody = 2**22 + 1  # beyond the largest process id
    names = {"left": f"pp-{nobody}-aa", "ours": f"pp-{os.getpid()}-bb", "foreign": f"other-{nobody}"}
    groups = {name: [folder / each for folder in HERE.own.values()] for name, each in names.items()}
    for group in {one for several in groups.values() for one in several}:
        group.mkdir()
    try:
        HERE.prepare()
        assert {name: [group.exists() for group in several] for name, several in groups.items()} == {
            "left": [False, False], "ours": [True, True], "foreign": [True, True],
        }  # fmt: skip
    finally:
        for group in {one for several in groups.values() for one in several if one.exists()}:
            group.rmdir()
