"""Leave one wall out, and the start is refused or the judge names what is missing: none is there for show."""

import contextlib
import os
from pathlib import Path

import pytest
from pp_host.errors import WallMissing
from pp_host.sandbox import nursery
from pp_host.sandbox.attest import attest

from tests.escape.prison import ATTACKS, imprisoned

BOOT = """
import sys; sys.path.append({source!r})
from pp_host.sandbox import jail, zygote
{before}
jail.CHILD_STEPS = tuple(step for step in jail.CHILD_STEPS if step.wall not in {left_out!r})
if jail.LAST in {left_out!r}:
    jail.seccomp.install = lambda plan: None
entry = zygote.main({arguments})
entry()
"""


@pytest.fixture
def imprison_without(monkeypatch):
    """`with imprison_without("landlock")`: the real start, but for the named steps of the child."""
    whole = nursery.command

    @contextlib.contextmanager
    def start(*left_out, before="", **changes):
        source = str(Path(nursery.__file__).parents[2])

        def command(module, arguments):
            boot = BOOT.format(source=source, before=before, left_out=left_out, arguments=arguments)
            return [*whole(module, arguments)[:-1], boot]

        monkeypatch.setattr(nursery, "command", command)
        with imprisoned(**changes) as prisoner:
            yield prisoner

    return start


def test_with_all_walls_the_judge_is_content(imprison_without):
    with imprison_without() as prisoner:
        assert attest(prisoner.jailed.pid, "L3", prisoner.tries("", "selfcheck"))


NAMED = {
    "rlimits": "(core_bytes|memory_unbounded)",
    "capabilities": "empty CapPrm",
    "landlock": "list_root",
    "seccomp": "seccomp",
}


@pytest.mark.parametrize(("step", "wall"), NAMED.items(), ids=NAMED)
def test_the_judge_names_what_was_left_out(imprison_without, step, wall):
    with imprison_without(step) as prisoner, pytest.raises(WallMissing, match=f"^wall {wall}: promised"):
        attest(prisoner.jailed.pid, "L3", prisoner.tries("", "selfcheck"))


def test_the_childs_end_with_its_parent_is_armed_in_the_child(imprison_without):
    """What the zygote armed for itself is not inherited; the step still waits to be told to go."""
    with (
        imprison_without(before="jail.process.end_with_host = lambda: None") as prisoner,
        pytest.raises(WallMissing, match="^wall signal_at_parents_end: promised"),
    ):
        attest(prisoner.jailed.pid, "L3", prisoner.tries("", "selfcheck"))


def test_undumpable(imprison_without):
    with imprison_without("undumpable") as prisoner:
        assert prisoner.tries("", "selfcheck")["dumpable"] == 1


def test_without_a_session_of_its_own_it_ends_with_its_zygote(imprison_without):
    with pytest.raises(ProcessLookupError), imprison_without("session") as prisoner:
        assert prisoner.jailed.rpc.recv(1) == b""


def test_without_no_new_privs_the_kernel_takes_no_other_wall(imprison_without):
    with (
        pytest.raises(WallMissing, match="^wall landlock: PermissionError"),
        imprison_without("no new privileges"),
    ):
        pass


def test_deny_write_exec_stands_behind_seccomp(imprison_without):
    """Only where the kernel offers it; seccomp says EPERM, this switch says EACCES."""
    with imprison_without("seccomp") as prisoner:
        assert prisoner.tries("memory", "code_later") == {"errno": "EACCES"}
    with imprison_without("seccomp", "write xor execute") as prisoner:
        assert prisoner.tries("memory", "code_later") == {"value": 42}


@pytest.mark.parametrize("left_out", [(), ("no executable files",)], ids=["noexec", "left out"])
def test_no_file_in_the_view_can_become_code(imprison_without, left_out):
    """Read off the mount table, which only a dumpable process shows to an ordinary user."""
    with imprison_without("undumpable", *left_out) as prisoner:
        mounts = Path(f"/proc/{prisoner.jailed.pid}/mountinfo").read_text().splitlines()
    options = {line.split()[4]: line.split()[5].split(",") for line in mounts}
    assert {"/", "/python/lib", "/python/site/attacks", "/dev/null", "/dev/urandom"} <= set(options)
    assert all({"ro", "nosuid"} <= set(each) for each in options.values())
    assert all("noexec" in each for each in options.values()) == (not left_out)
    assert {path for path, each in options.items() if "nodev" not in each} == {"/dev/null", "/dev/urandom"}


@pytest.mark.parametrize(
    ("left_out", "found"), [((), [0, 1, 2, 3]), (("descriptors",), [0, 1, 2, 3, 4])], ids=str
)
def test_what_a_preloaded_module_opened_is_closed(imprison_without, tmp_path, left_out, found):
    careless = tmp_path / "careless.py"
    careless.write_text("import os\nKEPT = [os.open('/dev/null', os.O_RDONLY) for _ in range(3)]\n")
    with imprison_without(*left_out, packages=(ATTACKS, careless), preload=("careless",)) as prisoner:
        answer = prisoner.tries("descriptors", "open_ones")["value"]
    assert (answer == [0, 1, 2, 3]) == (not left_out), found


def test_an_unmapped_root_is_nobody():
    """Root's plugins are nobody; an ordinary user's are that user, in a namespace where that means nothing."""
    with imprisoned() as prisoner:
        status = Path(f"/proc/{prisoner.jailed.pid}/status").read_text()
    (uids,) = [set(line.split()[1:]) for line in status.splitlines() if line.startswith("Uid:")]
    assert uids == {"231072" if os.geteuid() == 0 else str(os.geteuid())}
