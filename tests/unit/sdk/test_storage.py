"""What an author writes to keep things, and the fake host that keeps them in a test."""

from __future__ import annotations

import pytest
from pp_sdk import ObserveEnd, RemoteError, files, hookimpl, kv, log
from pp_sdk.host import NoHost, attached
from pp_sdk.storage import KEY_COST, MIB, cost
from pp_sdk.testing import ContractError, FakeHost, FakeStorage, check_agent, event
from pp_sdk.testing.storage import FILES_MOST, REFUSALS_PER_CALL, WRITES_PER_CALL
from pp_sdk.wire.messages import KEYS_PAGE, VALUE_BYTES

EVENT = event(ObserveEnd)


def doing(*actions):
    """A plugin that does one of them at each event, or all of one event's when there is one."""
    left = list(actions)

    class Plugin:
        @hookimpl
        def notify(self, event):
            left.pop(0)()

    return Plugin()


@pytest.fixture
def storage():
    return FakeStorage(kv_mb=1, append_mb=1)


@pytest.fixture
def told(storage):
    """told(action): what `action` returns inside a hook of a plugin that may keep things."""

    def run(action):
        answers = []
        FakeHost(doing(lambda: answers.append(action())), storage=storage).notify(EVENT)
        return answers[0]

    return run


def test_values_go_in_and_come_out(told, storage):
    assert told(lambda: kv.get("k")) is None
    told(lambda: kv.put("k", b"\x00v"))
    assert told(lambda: kv.get("k")) == b"\x00v"
    assert storage.values == {"k": b"\x00v"}
    told(lambda: kv.delete("k"))
    told(lambda: kv.delete("k"))
    assert told(lambda: kv.get("k")) is None


def test_keys_come_page_after_page(told, storage):
    storage.values = {f"{n:04}": b"" for n in range(2 * KEYS_PAGE)} | {"z/1": b"", "z/2": b""}
    assert told(lambda: list(kv.keys())) == sorted(storage.values)
    assert told(lambda: list(kv.keys("z/"))) == ["z/1", "z/2"]
    assert told(lambda: list(kv.keys("none"))) == []


def test_lines_are_added(told, storage):
    told(lambda: files.append("a.txt", "one"))
    told(lambda: files.append("a.txt", "two", "three"))
    assert storage.files == {"a.txt": ["one", "two", "three"]}


@pytest.mark.parametrize(
    ("action", "what"),
    [
        (lambda: kv.get(""), "KvGet"),
        (lambda: kv.get("a b"), "KvGet"),
        (lambda: kv.put("k", bytes(VALUE_BYTES + 1)), "KvPut: Expected `bytes` of length <= 262144"),
        (lambda: kv.put("k", "text"), "KvPut"),
        (lambda: kv.put("k\0", b""), "KvPut"),
        (lambda: kv.delete("\u00e9"), "KvDelete"),
        (lambda: list(kv.keys(" ")), "KvKeys"),
        (lambda: files.append("a/b", "x"), "FileAppend"),
        (lambda: files.append(".a", "x"), "FileAppend"),
        (lambda: files.append("a"), "FileAppend"),
        (lambda: files.append("a", "x\n"), "FileAppend"),
        (lambda: files.append("a", "\x1b[2J"), "FileAppend"),
    ],
)
def test_what_could_never_be_asked_is_an_authors_error(told, storage, action, what):
    def caught():
        with pytest.raises(ValueError) as error:
            action()
        return str(error.value)

    assert what in told(caught)
    assert (storage.values, storage.files) == ({}, {})


def code(action):
    def caught():
        with pytest.raises(RemoteError) as refused:
            action()
        return refused.value.failure.code

    return caught


def test_without_the_capability_it_is_refused(storage):
    answers = []
    actions = [code(lambda: kv.get("k")), code(lambda: list(kv.keys())), code(lambda: files.append("f", "x"))]
    host = FakeHost(doing(*[lambda action=action: answers.append(action()) for action in actions]))
    for _ in actions:
        host.notify(EVENT)
    assert answers == ["not_granted"] * 3


def test_the_quota_is_the_hosts(told, storage):
    assert cost("key", 10) == 3 + 10 + KEY_COST
    whole = {str(n): bytes(VALUE_BYTES) for n in range(3)}
    storage.values = dict(whole)
    left = MIB - sum(cost(name, VALUE_BYTES) for name in whole) - cost("k", 0)
    told(lambda: kv.put("k", bytes(left)))
    assert told(code(lambda: kv.put("k", bytes(left + 1)))) == "over_quota"
    assert len(storage.values["k"]) == left
    told(lambda: kv.put("k", b""))
    storage.files = {"old": ["x" * 65_535] * 15 + ["x" * 65_530]}
    assert told(code(lambda: files.append("f", "12345"))) == "over_quota"
    told(lambda: files.append("f", "1234"))
    assert told(code(lambda: files.append("f", ""))) == "over_quota"


def test_so_many_changes_a_call(storage):
    def many():
        for n in range(WRITES_PER_CALL):
            kv.put(str(n), b"")
        assert code(lambda: kv.put("more", b""))() == "too_often"
        assert kv.get("more") is None

    host = FakeHost(doing(many, lambda: kv.put("more", b"")), storage=storage)
    host.notify(EVENT)
    host.notify(EVENT)
    assert len(storage.values) == WRITES_PER_CALL + 1


def test_a_delivery_of_many_events_is_as_many_calls_of_the_hook(storage):
    def write():
        for _ in range(WRITES_PER_CALL):
            files.append("f", "x")

    host = FakeHost(doing(write, write, write, write), storage=storage)
    host.notify(EVENT, EVENT, EVENT)
    assert len(storage.files["f"]) == 3 * WRITES_PER_CALL
    host = FakeHost(doing(lambda: (write(), code(lambda: files.append("f", "x"))())), storage=storage)
    host.notify(EVENT)
    assert len(storage.files["f"]) == 4 * WRITES_PER_CALL


def test_who_goes_on_asking_for_what_was_refused_ends(told, capfd):
    def asks(times):
        return lambda: [code(lambda: kv.get("k"))() for _ in range(times)]

    host = FakeHost(doing(asks(REFUSALS_PER_CALL), asks(REFUSALS_PER_CALL), asks(REFUSALS_PER_CALL + 1)))
    host.notify(EVENT)
    host.notify(EVENT)
    with pytest.raises(RemoteError, match="more than 16 refused requests for each call of a hook"):
        host.notify(EVENT)
    assert "ProtocolError" in capfd.readouterr().err


def test_so_many_files(told, storage):
    storage.files = {f"f{n}": [] for n in range(FILES_MOST - 1)}
    told(lambda: files.append("last", "x"))
    assert told(code(lambda: files.append("more", "x"))) == "over_quota"
    told(lambda: files.append("last", "y"))
    assert storage.files["last"] == ["x", "y"]


def test_what_was_kept_is_there_after_a_restart(storage):
    def count():
        kv.put("n", bytes([(kv.get("n") or b"\0")[0] + 1]))
        log.info(str(kv.get("n")[0]))

    for expected in ("1", "2"):
        host = FakeHost(doing(count), storage=storage)
        host.notify(EVENT)
        assert host.logs[0].message == expected


def test_configure_may_read_and_write_and_an_import_may_not(storage, tmp_path):
    class Plugin:
        @hookimpl
        def configure(self, config):
            kv.put("k", b"v")

    FakeHost(Plugin(), storage=storage)
    assert storage.values == {"k": b"v"}
    folder = tmp_path / "early"
    folder.mkdir()
    (folder / "early.py").write_text("from pp_sdk import kv\nplugin = kv.get('k')\n")
    with pytest.raises(RuntimeError, match=r"'kv\.get' from the plugin while greeted"):
        FakeHost(folder, storage=storage)


def test_without_a_host_there_is_nowhere_to_keep_anything():
    with pytest.raises(NoHost):
        kv.get("k")
    with pytest.raises(NoHost):
        files.append("f", "x")
    with attached(None), pytest.raises(NoHost):  # type: ignore[arg-type]
        kv.keys().__next__()


def test_an_agent_that_keeps_things_can_be_checked():
    class Agent:
        @hookimpl
        def decide(self, observation):
            kv.put("turns", bytes([(kv.get("turns") or b"\0")[0] + 1]))
            return []

    check_agent(Agent(), kv_mb=1)
    with pytest.raises((ContractError, RemoteError), match="not_granted"):
        check_agent(Agent())
