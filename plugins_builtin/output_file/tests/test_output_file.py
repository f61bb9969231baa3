"""Events in files: a line each, a file a day, and what becomes of them when there is no room."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from msgspec.structs import replace
from pp_sdk import MICRO, DecisionMade, Fill, ObserveEnd, RiskCheck, RunEnd, Settlement
from pp_sdk.events import EventKind
from pp_sdk.testing import FakeHost, FakeStorage, RemoteError, check_output
from pp_sdk.testing import event as example

FOLDER = Path(__file__).parents[1]
AT = 1_767_225_660 * MICRO  # 2026-01-01 00:01
DAY = 86_400 * MICRO
SETTINGS = {"prefix": "events", "kinds": ""}
FIRST = "events-2026-01-01.jsonl"


def event(kind=Fill, at=AT, **fields):
    return replace(example(kind), at=at, **fields)


@pytest.fixture
def storage():
    return FakeStorage(append_mb=1)


@pytest.fixture
def host(storage):
    with FakeHost(FOLDER, SETTINGS, storage=storage) as one:
        yield one


def test_each_event_is_a_line_of_json_with_all_that_was_told(host, storage):
    host.notify(event(shares=12_500_000, market="Bj\u00f6rk\x7f?"), event(RunEnd))
    first, second = storage.files[FIRST]
    assert first.isascii()
    told = json.loads(first)
    assert told == msgspec.to_builtins(event(shares=12_500_000, market="Bj\u00f6rk\x7f?"))
    assert (told["kind"], told["at"], told["shares"]) == ("fill", AT, 12_500_000)
    assert json.loads(second)["kind"] == "run.end"


def test_every_kind_can_be_written(storage):
    check_output(FOLDER, SETTINGS)
    check_output(FOLDER, SETTINGS, storage=storage)
    kinds = {json.loads(line)["kind"] for lines in storage.files.values() for line in lines}
    assert kinds == {"missed", *get_args(EventKind)}


def test_what_is_told_together_is_one_request(host, storage):
    host.notify(*[event() for _ in range(20)])  # a call may append 16 times
    assert [len(lines) for lines in storage.files.values()] == [20]
    assert not host.logs


def test_a_day_has_its_own_file_by_the_events_time(host, storage):
    host.notify(*[event(at=at) for at in (AT, AT + DAY - 61 * MICRO, AT + DAY - 60 * MICRO)])
    assert {name: len(lines) for name, lines in storage.files.items()} == {
        FIRST: 2,
        "events-2026-01-02.jsonl": 1,
    }


def test_only_the_kinds_that_are_wanted_under_the_name_that_is_wanted(storage):
    with FakeHost(FOLDER, {"prefix": "money", "kinds": "fill settlement"}, storage=storage) as host:
        for kind in (ObserveEnd, Fill, RiskCheck, Settlement):
            host.notify(event(kind))
    assert [json.loads(line)["kind"] for line in storage.files["money-2026-01-01.jsonl"]] == [
        "fill",
        "settlement",
    ]


@pytest.mark.parametrize("prefix", ["", ".hidden", "a/b", "A", "x" * 41])
def test_a_prefix_that_names_no_file_is_refused_at_the_start(storage, prefix):
    with pytest.raises(RemoteError, match="prefix: only a-z"):
        FakeHost(FOLDER, {"prefix": prefix, "kinds": ""}, storage=storage)


def test_the_longest_texts_that_there_are_fit(host, storage):
    storage.append_mb = 16
    host.notify(*[event(DecisionMade, text="\U0001f600" * 2000) for _ in range(63)])
    lines = storage.files[FIRST]
    assert len(lines) == 63
    assert sum(map(len, lines)) > 1 << 20, "more than one frame holds"
    assert json.loads(lines[-1])["text"] == "\U0001f600" * 2000


def test_a_kind_that_no_event_has_is_refused_at_the_start(storage):
    with pytest.raises(RemoteError, match="kinds: no such event: cycle, fills"):
        FakeHost(FOLDER, {"prefix": "events", "kinds": "fills fill cycle missed"}, storage=storage)


def test_without_room_it_says_so_once_counts_and_tells_when_it_writes_again(storage):
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("output_file_alone", FOLDER / "output_file.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    now = [100.0]
    host = FakeHost(module.FileOutput(lambda: now[0]), SETTINGS, storage=storage)
    storage.files["old.jsonl"] = ["x" * 65_535] * 16  # one MB to the byte
    host.notify(event())
    host.notify(event(), event())
    host.notify(event(), event())  # neither is tried: too soon
    now[0] += 10
    host.notify(event())  # tried, and refused again
    assert FIRST not in storage.files
    assert [line.level for line in host.logs] == ["error"]
    assert "over_quota" in host.logs[0].message
    storage.files.clear()
    host.notify(event())
    assert not storage.files, "too soon again"
    now[0] += 10
    host.notify(event(market="back"))
    host.notify(event())
    lost, back, _ = map(json.loads, storage.files[FIRST])
    assert lost == {"kind": "lost", "at": AT, "events": 7}
    assert back["market"] == "back"
    assert [line.message for line in host.logs[1:]] == ["writing again; 7 events were lost"]


def test_not_granted_it_goes_on_and_says_so():
    with FakeHost(FOLDER, SETTINGS) as host:
        host.notify(event())
        host.notify(event())
    assert [line.message.split(": ")[1] for line in host.logs] == ["not_granted"]
