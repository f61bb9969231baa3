from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from pp_host.errors import OperatorError, Refused
from pp_host.trust import archive
from pp_host.trust.admit import Rejected
from pp_host.trust.grants import Wish
from pp_host.trust.store import Store, read_package
from pp_host.trust.truststore import enrol

ID = "org.example.momentum"
ROOT = Path(__file__).parents[3]


@pytest.fixture
def store(tmp_path):
    home = Store(tmp_path / "store", tmp_path / "grants")
    home.packages.mkdir(mode=0o700)
    home.grants.mkdir(mode=0o700)
    return home


@pytest.fixture
def bring(store, ship, trust, now):
    """Ship, offer and install; returns the offer and what was recorded."""

    def install(files, name=f"{ID}-1.4.0.ppz", trust=trust, wish=Wish(), **how):  # noqa: B008  # a frozen default
        offer = store.offer(ship(files, name, **how), trust, wish, granted_by="op", now=now)
        recorded = []
        store.install(offer, recorded.append)
        assert recorded == [offer.grant]
        return offer

    return install


def test_install_and_load(store, bring, source, trust):
    offer = bring(source)
    plugin, grant = store.load(ID, trust)
    assert plugin == offer.plugin
    assert grant == offer.grant
    assert plugin.files == source
    assert store.installed() == [grant]
    modes = {path.suffix: path.stat().st_mode & 0o777 for path in store.packages.iterdir()}
    assert modes == {".ppz": 0o444, ".json": 0o444}
    assert (store.grants / f"{ID}.json").stat().st_mode & 0o777 == 0o600


def test_offering_installs_nothing(store, ship, source, trust, now):
    store.offer(ship(source), trust, Wish(), granted_by="op", now=now)
    assert not list(store.packages.iterdir())
    assert not list(store.grants.iterdir())


def test_what_is_not_installed_does_not_load(store, trust):
    with pytest.raises(OperatorError, match=r"^org\.example\.momentum: not installed$"):
        store.load(ID, trust)
    with pytest.raises(OperatorError, match="not installed"):
        store.load("../../etc/passwd", trust)


# --- reading ---


def test_unsigned_is_check_1(ship, source):
    path = ship(source)
    assert len(read_package(path)) == 2
    path.with_name(path.name + ".sigstore.json").unlink()
    with pytest.raises(Rejected) as caught:
        read_package(path)
    assert caught.value.check == 1
    assert caught.value.reason == f"not signed: there is no {path.name}.sigstore.json beside it"


@pytest.mark.parametrize("suffix", ["", ".sigstore.json"])
def test_symlinks_are_not_read(ship, source, suffix):
    path = ship(source)
    target = path.with_name(path.name + suffix)
    target.rename(target.with_name("elsewhere"))
    target.symlink_to("elsewhere")
    with pytest.raises(OperatorError, match="cannot be read"):
        read_package(path)


# --- 8 and 9 ---


def version(edited, number):
    return {"files": edited("version: 1.4.0", f"version: {number}"), "name": f"{ID}-{number}.ppz"}


def test_versions_rise(store, bring, edited, source, trust):
    bring(source)
    bring(**version(edited, "1.10.0"))
    assert store.load(ID, trust)[1].version == "1.10.0"


@pytest.mark.parametrize("older", ["1.3.9", "1.4.0-rc.1", "0.9.0"])
def test_8_a_downgrade(store, bring, edited, source, older):
    bring(source)
    with pytest.raises(Rejected) as caught:
        bring(**version(edited, older))
    assert (caught.value.check, caught.value.reason) == (8, f"{ID} {older} is older than the installed 1.4.0")
    assert store.installed()[0].version == "1.4.0"


def test_8_the_same_version_with_other_bytes(bring, source):
    bring(source)
    bring(source)
    with pytest.raises(Rejected) as caught:
        bring({**source, "momentum.py": b"other = 1\n"})
    assert (caught.value.check, caught.value.reason) == (
        8,
        f"{ID} 1.4.0 is installed already, with other bytes",
    )


def test_9_another_publisher(bring, edited, source, trust, stranger):
    both = trust.with_key(enrol(stranger.public.line(), "Them", ["*"], None))
    bring(source, trust=both)
    with pytest.raises(Rejected) as caught:
        bring(**version(edited, "1.5.0"), trust=both, key=stranger)
    assert caught.value.check == 9
    assert caught.value.reason.endswith("this is from Them")


def test_succession_is_judged_again_at_the_last_moment(store, ship, bring, edited, source, trust, now):
    older = store.offer(ship(source), trust, Wish(), granted_by="op", now=now)
    bring(**version(edited, "2.0.0"))
    with pytest.raises(Rejected, match="older than the installed"):
        store.install(older, lambda grant: pytest.fail("recorded"))
    assert store.installed()[0].version == "2.0.0"


# --- loading again ---


@pytest.mark.parametrize("suffix", [".ppz", ".json"])
def test_bit_rot_is_found_at_start(store, bring, source, trust, suffix):
    bring(source)
    (victim,) = store.packages.glob(f"*{suffix}")
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    victim.chmod(0o644)
    victim.write_bytes(data)
    with pytest.raises(Rejected):
        store.load(ID, trust)


def test_another_signed_package_in_its_place_is_refused(store, bring, edited, source, trust, ship):
    """Even one that the same publisher signed: the grant is for one digest."""
    bring(source)
    digest = store.installed()[0].digest
    other = ship({**source, "momentum.py": b"other = 1\n"})
    for suffix in ("", ".sigstore.json"):
        victim = store.packages / f"{digest}.ppz{suffix}"
        victim.unlink()
        victim.write_bytes(other.with_name(other.name + suffix).read_bytes())
    with pytest.raises(Refused, match="the grant is for other bytes"):
        store.load(ID, trust)


def test_a_publisher_no_longer_trusted_does_not_load(store, bring, source, trust):
    bring(source)
    with pytest.raises(Rejected) as caught:
        store.load(ID, type(trust)())
    assert caught.value.check == 2


def test_a_lowered_ceiling_counts_at_the_next_start(store, bring, source, trust, publisher):
    bring(source)
    lowered = type(trust)().with_key(enrol(publisher.public.line(), "Example Ltd", ["*"], ["market.read"]))
    with pytest.raises(Rejected) as caught:
        store.load(ID, lowered)
    assert caught.value.check == 6


def test_a_missing_package_says_so(store, bring, source, trust):
    bring(source)
    next(store.packages.glob("*.ppz")).unlink()
    with pytest.raises(OperatorError, match="cannot be read: No such file"):
        store.load(ID, trust)


# --- killed half way ---


def test_a_failed_record_leaves_the_old_plugin(store, bring, ship, edited, source, trust, now):
    bring(source)
    newer = version(edited, "1.5.0")
    offer = store.offer(ship(newer["files"], newer["name"]), trust, Wish(), granted_by="op", now=now)

    def full(grant):
        raise OperatorError("the record is full")

    with pytest.raises(OperatorError, match="the record is full"):
        store.install(offer, full)
    assert store.load(ID, trust)[1].version == "1.4.0"


def test_killed_at_any_step_it_is_the_old_or_the_new(store, bring, ship, edited, source, trust):
    bring(source)
    home = store.packages.parent / "home"
    home.mkdir()
    for folder in (store.packages, store.grants):
        folder.rename(home / folder.name)
    trust.save(home / "trust.json")
    newer = version(edited, "1.5.0")
    package = ship(newer["files"], newer["name"])
    done = subprocess.run(
        [sys.executable, "-m", "tests.unit.trust.killed_installs", home, package, "14"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    steps = [json.loads(line) for line in done.stdout.splitlines()]
    # Three files, each opened, written, renamed and tidied up after; then it is recorded; the last step renames.
    assert [step["finished"] for step in steps] == [False] * 13 + [True]
    assert [step["found"] for step in steps] == ["1.4.0"] * 12 + ["1.5.0"] * 2
    assert {step["again"] for step in steps} == {"1.5.0"}


# --- removed ---


def fail():
    raise OperatorError("the record is full")


def test_removed_it_is_gone_and_what_it_kept_with_it(store, bring, source, trust):
    bring(source)
    did = []
    store.remove(ID, keep_data=False, record=lambda: did.append("recorded"), erase=did.append)
    assert did == ["recorded", ID], "the record decides, and comes first"
    assert not list(store.packages.iterdir())
    assert not list(store.grants.iterdir())
    with pytest.raises(OperatorError, match="not installed"):
        store.load(ID, trust)
    bring(source)


def test_what_it_kept_may_stay(store, bring, source):
    bring(source)
    store.remove(ID, keep_data=True, record=lambda: None, erase=lambda plugin: pytest.fail("erased"))
    assert not list(store.grants.iterdir())


def test_a_removal_that_is_not_recorded_takes_nothing(store, bring, source, trust):
    offer = bring(source)

    erased = []
    with pytest.raises(OperatorError, match="the record is full"):
        store.remove(ID, keep_data=False, record=fail, erase=erased.append)
    store.finish(lambda: {ID: offer.grant.file_digest}, erased.append)
    assert store.load(ID, trust)[1] == offer.grant
    assert erased == []
    assert [path.name for path in store.grants.iterdir()] == [f"{ID}.json"]


def test_a_record_that_knows_nothing_of_it_takes_nothing(store, bring, source, trust):
    """One that was cut back to before the installation is no word for a removal."""
    bring(source)
    with pytest.raises(OperatorError):
        store.remove(ID, keep_data=False, record=fail, erase=lambda plugin: None)
    store.finish(dict, lambda plugin: pytest.fail("erased"))
    assert [grant.id for grant in store.installed()] == [ID]


def test_only_the_plugin_that_was_removed_is_taken_away(store, bring, source, edited):
    bring(source)
    bring(edited(f"id: {ID}", "id: org.example.other"), name="org.example.other-1.4.0.ppz")
    store.remove(ID, keep_data=False, record=lambda: None, erase=lambda plugin: None)
    assert [grant.id for grant in store.installed()] == ["org.example.other"]
    assert len(list(store.packages.iterdir())) == 2


@pytest.mark.parametrize(("how", "steps"), [("erase", 12), ("keep", 9)])
def test_killed_at_any_step_it_is_there_or_gone(store, bring, source, tmp_path, how, steps):
    bring(source)
    found = killed_removals(store, tmp_path, how, steps)
    there = {"installed": True, "data": True, "packages": 1, "marks": []}
    gone = {"installed": False, "data": how == "keep", "packages": 0, "marks": []}
    told = [{name: one[name] for name in there} for one in found]
    before = told.index(gone)
    assert before > 1
    assert told == [there] * before + [gone] * (steps - before), "never anything in between"
    assert [one["finished"] for one in found] == [False] * (steps - 1) + [True]


def test_leftovers_are_erased_by_the_removal_that_was_recorded_and_no_earlier_one(
    store, bring, source, tmp_path
):
    bring(source)
    found = killed_removals(store, tmp_path, "leftovers", 12)
    assert {(one["installed"], one["packages"], *one["marks"]) for one in found} == {(False, 0)}
    data = [one["data"] for one in found]
    before = data.count(True)
    assert before > 1, "killed before it was recorded"
    assert data == [True] * before + [False] * (12 - before)
    assert [one["finished"] for one in found] == [False] * 11 + [True]


def killed_removals(store, tmp_path, how, steps):
    """What is there after a removal that was killed at its first, second ... step."""
    home = tmp_path / "home"
    (home / "data").mkdir(parents=True)
    (home / "data" / "kept").touch()
    for folder in (store.packages, store.grants):
        folder.rename(home / folder.name)
    done = subprocess.run(
        [sys.executable, "-m", "tests.unit.trust.killed_removals", home, how, str(steps)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_grants_are_frozen(bring, source):
    offer = bring(source)
    with pytest.raises(AttributeError):
        offer.grant.version = "9.9.9"
    assert msgspec.structs.replace(offer.grant, version="9.9.9").file_digest != offer.grant.file_digest
    assert archive.read(offer.plugin.archive) == source
