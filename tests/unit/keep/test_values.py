"""A plugin's values: what is kept, what it costs, and what is left when everything ends at once."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from pp_host.errors import OperatorError, RequestRefused
from pp_host.keep.values import Values, kept_bytes
from pp_sdk.storage import KEY_COST, MIB, cost
from pp_sdk.testing import FakeStorage
from pp_sdk.wire.messages import KEYS_PAGE, VALUE_BYTES, KvPut

MOST = 10_000


@pytest.fixture
def path(tmp_path):
    return tmp_path / "values" / "org.example.x.db"


@pytest.fixture
def values(path):
    with closing(Values.open(path, MOST)) as opened:
        yield opened


def test_what_was_put_is_there_until_it_is_deleted(values):
    assert values.get("k") is None
    values.put("k", b"\x00\xff")
    values.put("k2", b"")
    assert (values.get("k"), values.get("k2")) == (b"\x00\xff", b"")
    values.put("k", b"new")
    assert values.get("k") == b"new"
    assert values.delete("k") is True
    assert values.delete("k") is False
    assert values.get("k") is None


def test_it_lasts_and_nobody_else_can_read_the_file(path, values):
    values.put("k", b"v")
    values.close()
    with closing(Values.open(path, MOST)) as again:
        assert again.get("k") == b"v"
        modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    assert set(modes.values()) == {0o600}
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_keys_come_in_order_and_in_pages(values):
    names = [f"a/{n:03}" for n in range(70)]
    for name in [*reversed(names), "a", "b/1", "a0"]:
        values.put(name, b"")
    assert values.names("a/", "") == (names, False)
    assert values.names("a/", "a/067") == (["a/068", "a/069"], False)
    assert values.names("", "")[0] == ["a", *names, "a0", "b/1"]
    assert values.names("c", "") == ([], False)


def test_a_page_is_bounded_and_says_that_there_is_more(path):
    with closing(Values.open(path, 10**6)) as values:
        for n in range(KEYS_PAGE + 1):
            values.put(f"{n:04}", b"")
        names, more = values.names("", "")
        assert (len(names), more) == (KEYS_PAGE, True)
        assert values.names("", names[-1]) == ([f"{KEYS_PAGE:04}"], False)
        values.delete("0000")
        assert values.names("", "")[1] is False


def test_the_quota_holds_to_the_byte(path, values):
    fits = MOST - KEY_COST - 1
    values.put("k", bytes(fits))
    with pytest.raises(RequestRefused) as refused:
        values.put("k", bytes(fits + 1))
    assert (refused.value.code, str(refused.value)) == (
        "over_quota",
        "it would take 10001 of the 10000 bytes granted",
    )
    assert len(values.get("k")) == fits
    with pytest.raises(RequestRefused):
        values.put("j", b"")
    values.put("k", bytes(fits - KEY_COST - 1))
    values.put("j", b"")
    assert kept_bytes(path) == MOST


def test_a_quota_that_shrank_lets_go_and_takes_nothing_more(path, values):
    values.put("a", bytes(4000))
    values.put("b", bytes(4000))
    values.close()
    with closing(Values.open(path, 1000)) as narrow:
        with pytest.raises(RequestRefused):
            narrow.put("a", bytes(4001))
        narrow.put("a", bytes(3000))
        narrow.delete("b")
        assert len(narrow.get("a")) == 3000


def test_in_memory_nothing_is_left(path, tmp_path):
    with closing(Values.in_memory(MOST)) as values:
        values.put("k", b"v")
        assert values.get("k") == b"v"
    assert list(tmp_path.iterdir()) == []


def test_a_copy_begins_with_what_is_kept_and_changes_nothing_of_it(path, values):
    values.put("k", b"v")
    with closing(Values.in_memory(MOST, begin_with=path)) as copy:
        assert copy.get("k") == b"v"
        copy.put("k", b"other")
        copy.put("new", b"x")
        with pytest.raises(RequestRefused, match="bytes granted"):
            copy.put("new", bytes(MOST - 2 * KEY_COST))
    assert (values.get("k"), values.get("new")) == (b"v", None)
    with closing(Values.in_memory(MOST, begin_with=path.with_name("absent.db"))) as fresh:
        assert fresh.names("", "") == ([], False)


@pytest.mark.parametrize("name", ["open", "in_memory"])
def test_a_file_that_is_no_database_is_an_operators_error(path, name):
    path.parent.mkdir()
    path.write_bytes(b"something else, and long enough to be looked at" * 100)
    with pytest.raises(OperatorError) as error:
        Values.open(path, MOST) if name == "open" else Values.in_memory(MOST, begin_with=path)
    assert str(error.value).startswith(f"{path}: cannot be used: ")
    assert "move it away" in error.value.hint
    assert path.read_bytes().startswith(b"something else"), "it is left as it is"


def test_a_database_of_something_else_is_an_operators_error(path):
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE kept (something TEXT)")
    for begin in (lambda: Values.open(path, MOST), lambda: Values.in_memory(MOST, begin_with=path)):
        with pytest.raises(OperatorError, match="no such column"):
            begin()


def test_a_symlink_in_its_place_is_refused(path, tmp_path):
    path.parent.mkdir()
    path.symlink_to(tmp_path / "elsewhere.db")
    with pytest.raises(OperatorError, match="cannot be used"):
        Values.open(path, MOST)
    assert not (tmp_path / "elsewhere.db").exists()


def test_a_failing_disk_is_a_refusal_and_the_old_value_stays(path, values):
    values.put("k", b"old")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(RequestRefused) as refused:
            values.put("k", b"new")
        assert refused.value.code == "unavailable"
        assert values.get("k") == b"old"
    values.put("k", b"new")
    assert values.get("k") == b"new"


KILLED = """
import sys
from pathlib import Path
from pp_host.keep.values import Values

values = Values.open(Path(sys.argv[1]), 10**7)
turn = 0
while True:
    values.put("k", turn.to_bytes(8, "big") * 25_000)
    print(turn, flush=True)
    turn += 1
"""


@pytest.mark.parametrize("puts", [1, 3, 30])
def test_killed_in_the_middle_of_a_put_it_is_the_old_value_or_the_new_one(path, puts):
    writer = subprocess.Popen([sys.executable, "-c", KILLED, path], stdout=subprocess.PIPE, text=True)
    told = [int(writer.stdout.readline()) for _ in range(puts)][-1]
    os.kill(writer.pid, signal.SIGKILL)
    rest, _ = writer.communicate()
    answered = int((rest.splitlines() or [told])[-1])
    with closing(Values.open(path, 10**7)) as values:
        value = values.get("k")
    turn = int.from_bytes(value[:8], "big")
    assert value == turn.to_bytes(8, "big") * 25_000, "one value, whole"
    assert turn in (answered, answered + 1), "what was answered is kept"


class Machine(RuleBasedStateMachine):
    """Values against a dictionary that keeps the same books."""

    def __init__(self):
        super().__init__()
        self.values = Values.in_memory(1000)
        self.model = {}

    def teardown(self):
        self.values.close()

    def used(self):
        return sum(cost(name, len(value)) for name, value in self.model.items())

    @rule(name=st.sampled_from("abcdefgh"), size=st.integers(0, 500))
    def put(self, name, size):
        after = {**self.model, name: bytes(size)}
        before, self.model = self.model, after
        if self.used() > 1000:
            fits = self.used()
            self.model = before
            with pytest.raises(RequestRefused, match=f"it would take {fits} "):
                self.values.put(name, bytes(size))
        else:
            self.values.put(name, bytes(size))

    @rule(name=st.sampled_from("abcdefgh"))
    def delete(self, name):
        assert self.values.delete(name) is (self.model.pop(name, None) is not None)

    @invariant()
    def same(self):
        assert self.values.names("", "") == (sorted(self.model), False)
        assert self.values._used == self.used() <= 1000


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=60, stateful_step_count=20)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, VALUE_BYTES)), max_size=30))
def test_the_authors_fake_host_keeps_the_same_books(puts):
    fake = FakeStorage(kv_mb=1)
    with closing(Values.in_memory(MIB)) as values:
        for name, size in puts:
            fake.called()
            answer = fake.answer("kv.put", KvPut(name=name, value=bytes(size)))
            try:
                values.put(name, bytes(size))
            except RequestRefused as refused:
                assert answer.code == refused.code
            else:
                assert not hasattr(answer, "code")
        assert {name: values.get(name) for name in values.names("", "")[0]} == fake.values
