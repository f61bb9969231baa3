"""Starting: what succeeds, what is refused by name, and what is left behind (nothing)."""

import asyncio
import errno
import json
import os
import select
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from pp_host.errors import Refused, WallMissing
from pp_host.sandbox.launch import end_child, launch

CONFINED = Path(__file__).with_name("confined.py")


def descriptors():
    return sorted(os.listdir("/proc/self/fd"))


def children():
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


@pytest.fixture(autouse=True)
def nothing_is_left():
    before = descriptors(), children()
    yield
    assert (descriptors(), children()) == before


def start(plan, timeout_seconds=20.0):
    return asyncio.run(launch(plan, timeout_seconds=timeout_seconds))


def end(jailed):
    jailed.rpc.close()
    end_child(jailed.pid, jailed.pidfd)
    os.close(jailed.stdout)
    os.close(jailed.stderr)


def test_returns_a_child_of_the_host(plan):
    jailed = start(plan)
    try:
        assert not os.get_blocking(jailed.rpc.fileno())
        assert not any(map(os.get_inheritable, (jailed.rpc.fileno(), jailed.stdout, jailed.stderr)))
        assert str(jailed.pid) in children()
        assert len(children()) == 1
    finally:
        end(jailed)


def test_the_seed_decides_the_order_of_sets(plan, tmp_path):
    package = tmp_path / "seeded.py"
    package.write_text("import os\ndef main(rpc, _):\n    os.write(rpc, str(hash('x')).encode())\n")
    hashes = []
    for seed in (1, 1, 2):
        jailed = start(replace(plan, packages=(package,), entry="seeded:main", hash_seed=seed))
        jailed.rpc.setblocking(True)
        hashes.append(jailed.rpc.recv(99))
        end(jailed)
    assert hashes[0] == hashes[1] != hashes[2]


def test_several_at_once(plan):
    async def four():
        return await asyncio.gather(*(launch(plan, timeout_seconds=20) for _ in range(4)))

    jailed = asyncio.run(four())
    assert len({each.pid for each in jailed}) == 4
    for each in jailed:
        end(each)


def test_the_loop_goes_on_during_a_start(plan):
    async def beside():
        ticks = 0
        starting = asyncio.create_task(launch(plan, timeout_seconds=20))
        while not starting.done():
            await asyncio.sleep(0.001)
            ticks += 1
        return await starting, ticks

    jailed, ticks = asyncio.run(beside())
    end(jailed)
    assert ticks > 5


def test_preloaded_modules_come_from_the_view(plan, tmp_path):
    package = tmp_path / "early"
    package.mkdir()
    (package / "__init__.py").write_text("import os\nCAN_READ = os.access('/python/lib/os.py', os.R_OK)\n")
    (package / "entry.py").write_text(
        "import os, sys\ndef main(rpc, _):\n"
        "    early = sys.modules['early']\n"
        "    os.write(rpc, f'{early.__file__} {early.CAN_READ}'.encode())\n"
    )
    jailed = start(replace(plan, packages=(package,), preload=("early",), entry="early.entry:main"))
    jailed.rpc.setblocking(True)
    assert jailed.rpc.recv(999) == b"/python/site/early/__init__.py True"
    end(jailed)


def test_a_plan_without_packages(plan):
    jailed = start(replace(plan, packages=(), entry="builtins:print"))
    os.waitid(os.P_PIDFD, jailed.pidfd, os.WEXITED | os.WNOWAIT)
    assert os.read(jailed.stdout, 4096).startswith(b"3 {'read_host_file': 2,")
    end(jailed)


REFUSED_PLANS = {
    "level": ({"level": "L4"}, "level L4 is none", "one of L3, L2, L1"),
    "scratch space": ({"level": "L2", "tmp_mb": 1}, "wall private /tmp: level L2 has none", "L3"),
    "absent package": ({"packages": (Path("/nowhere/x"),)}, "wall empty root: FileNotFoundError: .Errno 2.", ""),
    "absent preload": ({"preload": ("nowhere",)}, "wall preload: ModuleNotFoundError: .*'nowhere'", "only"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "message", "hint"), REFUSED_PLANS.values(), ids=REFUSED_PLANS)
def test_plans_that_cannot_be_kept(plan, change, message, hint):
    with pytest.raises(Refused, match=message) as refusal:
        start(replace(plan, **change))
    assert hint in refusal.value.hint


def test_unreadable_package(plan, tmp_path):
    package = tmp_path / "private"
    package.mkdir()
    (package / "__init__.py").write_text("def main(rpc, _): pass\n")
    package.chmod(0o000 if os.geteuid() else 0o700)
    with pytest.raises(WallMissing, match=r"wall (packages|empty root): PermissionError: .*") as refusal:
        start(replace(plan, packages=(package,), entry="private:main"))
    package.chmod(0o755)
    if os.geteuid() == 0:
        assert "chmod -R o+rX" in refusal.value.hint
        assert "/python/site/private" in refusal.value.why
    end(start(replace(plan, packages=(package,), entry="private:main")))


def test_a_preload_that_breaks_is_quoted(plan, tmp_path):
    package = tmp_path / "broken.py"
    package.write_text("raise KeyError('of its own')")
    with pytest.raises(
        WallMissing, match="wall start: the zygote ended without a word: \"KeyError: 'of its own'\""
    ):
        start(replace(plan, packages=(package,), preload=("broken",)))


@pytest.mark.parametrize("seconds", [0.0, 0.02, 0.05, 0.08, 0.1, 0.12])
def test_out_of_time_at_any_moment_leaves_nothing(plan, seconds):
    try:
        end(start(plan, timeout_seconds=seconds))
    except WallMissing as refusal:
        assert refusal.wall == "start"
        assert f"not up within {seconds:g} s" in refusal.why


def test_cancelled_at_any_moment_leaves_nothing(plan):
    async def cancel_after(seconds):
        starting = asyncio.create_task(launch(plan, timeout_seconds=20))
        await asyncio.wait([starting], timeout=seconds)
        starting.cancel()
        done = (await asyncio.gather(starting, return_exceptions=True))[0]
        if not isinstance(done, asyncio.CancelledError):
            end(done)

    for milliseconds in range(5, 140, 15):
        asyncio.run(cancel_after(milliseconds / 1000))


def test_a_preload_that_hangs_is_ended(plan, tmp_path):
    package = tmp_path / "hanging.py"
    package.write_text("while True: pass")
    with pytest.raises(WallMissing, match=r"wall start: not up within 0\.5 s"):
        start(replace(plan, packages=(package,), preload=("hanging",)), timeout_seconds=0.5)


def test_a_preload_that_ends_the_zygote(plan, tmp_path):
    package = tmp_path / "leaving.py"
    package.write_text("import os\nos._exit(0)")
    with pytest.raises(WallMissing, match="wall start: the zygote ended without a word$"):
        start(replace(plan, packages=(package,), preload=("leaving",)))


def test_dies_with_its_host(plan):
    """A host that is killed cannot clean up: the kernel does."""
    host = subprocess.Popen(
        [sys.executable, "-c", HOST, plan.encode().decode()], stdout=subprocess.PIPE, stdin=subprocess.PIPE
    )
    with host:
        jailed = int(host.stdout.readline())
        watched = os.pidfd_open(jailed)
        host.send_signal(signal.SIGKILL)
        host.wait()
        assert select.select([watched], [], [], 5)[0]
        os.close(watched)


HOST = """
import asyncio, sys
from pp_host.sandbox.launch import launch
from pp_host.sandbox.plan import SandboxPlan
jailed = asyncio.run(launch(SandboxPlan.decode(sys.argv[1].encode()), timeout_seconds=20))
print(jailed.pid, flush=True)
sys.stdin.read()
"""

INT, NEW_PID = 0xFFFF_FFFF, 0x2000_0000
GROUPS = """
import asyncio, os, sys
from pathlib import Path
from pp_host.sandbox.launch import launch
from pp_host.sandbox.plan import SandboxPlan
if os.geteuid() == 0:
    os.setgroups([4321, 4322])
jailed = asyncio.run(launch(SandboxPlan.decode(sys.argv[1].encode()), timeout_seconds=20))
print(Path(f"/proc/{jailed.pid}/status").read_text())
"""


def test_groups_of_root_are_left_behind(plan):
    """An ordinary user cannot drop groups; whatever they permit, no path leads to it from inside."""
    command = [sys.executable, "-c", GROUPS, plan.encode().decode()]
    status = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    (groups,) = [line.split()[1:] for line in status.splitlines() if line.startswith("Groups:")]
    assert groups == ([] if os.geteuid() == 0 else [str(group) for group in sorted(os.getgroups())])


# A call withheld (where its masked first argument has a value) -> the wall that is named.
WITHHELD = {
    "nothing": (None, None),
    "unshare": (["unshare", 0, 0, errno.EPERM], "namespaces"),
    "host name": (["sethostname", 0, 0, errno.EPERM], "host name"),
    "mount": (["mount", 0, 0, errno.EACCES], "empty root"),
    "open_tree": (["open_tree", 0, 0, errno.ENOSYS], "empty root"),
    "move_mount": (["move_mount", 0, 0, errno.EPERM], "empty root"),
    "mount_setattr": (["mount_setattr", 0, 0, errno.ENOSYS], "empty root"),
    "pivot_root": (["pivot_root", 0, 0, errno.EPERM], "empty root"),
    "pid namespace": (["clone", NEW_PID, NEW_PID, errno.EPERM], "pid namespace"),
    "pdeathsig": (["prctl", INT, 1, errno.EPERM], "parent"),
    "dumpable": (["prctl", INT, 4, errno.EPERM], "undumpable" if os.geteuid() else "user namespace"),
    "bounding set": (["prctl", INT, 24, errno.EPERM], "capabilities"),
    "no new privileges": (["prctl", INT, 38, errno.EPERM], "no new privileges"),
    "ambient": (["prctl", INT, 47, errno.EPERM], "capabilities"),
    "write xor execute": (["prctl", INT, 65, errno.EPERM], "write xor execute"),
    "write xor execute unknown": (["prctl", INT, 65, errno.EINVAL], None),
    "capset": (["capset", 0, 0, errno.EPERM], "capabilities"),
    "landlock_create_ruleset": (["landlock_create_ruleset", 0, 0, errno.ENOSYS], "landlock"),
    "landlock switched off": (["landlock_create_ruleset", 0, 0, errno.EOPNOTSUPP], "landlock"),
    "landlock_add_rule": (["landlock_add_rule", 0, 0, errno.EPERM], "landlock"),
    "landlock_restrict_self": (["landlock_restrict_self", 0, 0, errno.EPERM], "landlock"),
    "seccomp": (["seccomp", 0, 0, errno.EINVAL], "seccomp"),
}


@pytest.fixture(scope="module")
def confined(plan):
    request = {
        "plan": json.loads(plan.encode()),
        "cases": {name: case for name, (case, _) in WITHHELD.items()},
    }
    done = subprocess.run(
        [sys.executable, CONFINED], input=json.dumps(request).encode(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


@pytest.mark.parametrize("case", WITHHELD)
def test_a_wall_that_cannot_be_built_is_named_and_nothing_is_left(confined, case):
    found, wall = confined[case], WITHHELD[case][1]
    assert found["wall"] == wall, found
    if wall is not None:
        assert (found["children"], found["descriptors"]) == ("none", "same")


def test_container_remedy(confined):
    assert confined["unshare"]["hint"].startswith("a seccomp filter withholds")
    assert confined["mount"]["hint"].startswith("a security module denies it")
    assert "--security-opt seccomp=deploy/seccomp.json" in confined["mount"]["hint"]
    assert "lsm=landlock" in confined["landlock switched off"]["hint"]
