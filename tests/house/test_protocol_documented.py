"""docs/PROTOCOL.md names every method, field, column, code and bound, so that an SDK can be written from it alone."""

from __future__ import annotations

import ast
import json
import re
from typing import get_args

import pytest
from pp_host.limits import LIMITS, MIB
from pp_sdk.events import Event
from pp_sdk.redaction import marks
from pp_sdk.table.layout import HEADER, INT_COLUMNS, MOST, MOST_LEVELS, NULLABLE, SIDES, TEXT_COLUMNS
from pp_sdk.types import (
    BRIEF_MOST,
    Account,
    Brief,
    Choice,
    Decision,
    Keep,
    Position,
    Proposal,
    RiskView,
    Shrink,
    SnapshotRequest,
    Veto,
)
from pp_sdk.wire.connection import IN_FLIGHT
from pp_sdk.wire.frames import FRAME_BYTES, Frame
from pp_sdk.wire.messages import (
    EVENTS_MOST,
    FAILED_CHARACTERS,
    METHODS,
    PROTOCOL,
    SELECTED_MOST,
    Failure,
    HookFailed,
)
from pp_sdk.wire.outbox import WAITING_BYTES

SHARED = [
    SnapshotRequest,
    Brief,
    Choice,
    Account,
    Position,
    Decision,
    Proposal,
    RiskView,
    Keep,
    Shrink,
    Veto,
    HookFailed,
]
EVENTS = get_args(Event)


@pytest.fixture(scope="module")
def page(root):
    return (root / "docs" / "PROTOCOL.md").read_text(encoding="utf-8")


def section(page, title):
    """The text below a heading, up to the next one of its rank or above."""
    found = re.search(rf"^(#+) {re.escape(title)}$", page, re.MULTILINE)
    assert found, f"no section {title!r}"
    rest = page[found.end() :]
    end = re.search(rf"^#{{1,{len(found[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def listed(text):
    """The first cells of a section's table rows, in order."""
    return re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)


def fields(kind):
    """A struct's fields as they travel: a tag comes first."""
    tag = kind.__struct_config__.tag
    return ["type", *kind.__struct_fields__] if tag else list(kind.__struct_fields__)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_described_with_its_sender_states_and_fields(page, name):
    method = METHODS[name]
    text = section(page, f"`{name}`")
    receiver = "plugin" if method.sender == "host" else "host"
    assert f"{method.sender} to {receiver}" in text.replace("Event, ", "").replace("Request, ", "")
    assert text.lstrip().startswith("Event" if method.reply is None else "Request")
    for state in method.states:
        assert state in text.split("\n\n")[0]
    assert ("one descriptor" in text) is bool(method.fds)
    expected = []
    for kind in (method.request, method.reply):
        expected += (
            [] if kind is None or kind in SHARED or not hasattr(kind, "__struct_fields__") else fields(kind)
        )
    assert listed(text) == expected


def test_no_other_method_is_described(page):
    assert set(re.findall(r"^### `([\w.]+)`$", page, re.MULTILINE)) == set(METHODS)


@pytest.mark.parametrize("kind", SHARED, ids=lambda kind: kind.__name__)
def test_every_shared_type_lists_its_fields_in_order(page, kind):
    assert listed(section(page, kind.__name__)) == fields(kind)


HOOKS = [
    "on_start",
    "on_stop",
    "before_observe",
    "after_observe",
    "before_decide",
    "after_decide",
    "before_trade",
    "after_trade",
    "on_trade_error",
    "on_risk_check",
    "on_risk_breach",
    "on_market_update",
    "on_position_update",
]


def cells(text):
    """The rows of a section's tables, each as its cells."""
    return [
        [cell.strip() for cell in line.split("|")]
        for line in re.findall(r"^\| (`.*) \|$", text, re.MULTILINE)
    ]


def test_every_kind_of_event_lists_its_class_and_fields_and_no_hook_was_forgotten(page):
    told = {row[0].strip("`"): row[1:] for row in cells(section(page, "Events")) if len(row) == 5}
    assert list(told) == [kind.__struct_config__.tag for kind in EVENTS]
    for kind in EVENTS:
        name, _, _, listed = told[kind.__struct_config__.tag]
        assert name == kind.__name__
        assert ["at", "detail", *re.findall(r"`(\w+)`", listed)] == list(kind.__struct_fields__)
    assert sorted(hook for _, hook, _, _ in told.values() if hook) == sorted(HOOKS)


def test_every_field_of_an_event_is_told_once_with_who_may_know_it(page):
    rows = [row for row in cells(section(page, "Events")) if len(row) == 3]
    names = [row[0].strip("`") for row in rows]
    known = {name: mark for kind in EVENTS for name, mark in marks(kind).items()}
    assert sorted(names) == sorted(known)
    for name, (_, _, meaning) in zip(names, rows, strict=True):
        assert ("*amount*" in meaning) is (known[name] == "ratio"), name
        freely = "*words*" in meaning or "*figure*" in meaning
        assert freely is (known[name] == "exact"), name


def test_the_bounds_of_a_delivery_are_told(page):
    text = section(page, "`notify`")
    assert f"array of 1 to {EVENTS_MOST} [events]" in text
    assert f"integer 1..{EVENTS_MOST}" in text
    assert f"at most {FAILED_CHARACTERS} |" in section(page, "HookFailed")
    assert f"integer 0..{EVENTS_MOST - 1} |" in section(page, "HookFailed")


def test_the_envelope_and_the_error_list_their_fields(page):
    assert re.findall(r"^\| \d \| `(\w+)` \|", section(page, "Frames"), re.MULTILINE) == fields(Frame)
    assert listed(section(page, "Trouble")) == fields(Failure)


def test_the_frame_that_is_taken_apart_is_the_one_in_the_vectors(page, root):
    block = section(page, "Frames").split("```")[-2]
    shown = "".join(re.split(r"\s{2,}", line.strip())[0] for line in block.splitlines()).replace(" ", "")
    dialogue = json.loads((root / "tests" / "vectors" / "wire" / "dialogue.json").read_text())
    assert shown == dialogue["frames"][1]["hex"]


def test_every_column_is_listed_with_its_range(page):
    text = section(page, "Market table")
    rows = re.findall(r"^\| `(\w+)` \| (yes|no) \| (\S+)\.\.(\S+) \|", text, re.MULTILINE)
    shown = {MOST: "2^62"}
    expected = [
        (
            column.name,
            "yes" if column.nullable else "no",
            str(column.low),
            shown.get(column.high, str(column.high)),
        )
        for column in INT_COLUMNS
    ]
    assert rows == expected
    for column in TEXT_COLUMNS:
        assert re.search(rf"`{column.name}` \((1\.\.|at most ){column.most}\b", text), column.name
    assert all(f"`{side.name}`" in text for side in SIDES)


def test_the_arithmetic_of_the_layout_is_right(page):
    text = section(page, "Market table")
    assert f"| {HEADER.size} | {8 * len(INT_COLUMNS)} n | {len(INT_COLUMNS)} integer columns" in text
    assert f"| 16 w | {len(NULLABLE)} validity bitmaps" in text
    assert f"| 8 ({len(SIDES)} n + 1) | level offsets" in text
    assert f"| {8 * len(TEXT_COLUMNS)} n | {len(TEXT_COLUMNS)} text columns" in text
    assert f"at most {MOST_LEVELS} levels" in text


def test_every_bound_is_told(page):
    assert f"Version {PROTOCOL}." in page
    limits = section(page, "Limits")
    assert f"{FRAME_BYTES:,} bytes" in limits
    assert f"one selection | {SELECTED_MOST:,} |" in limits
    assert f"at most {BRIEF_MOST:,} |" in section(page, "Brief")
    assert f"requests per side | {IN_FLIGHT} |" in limits


def test_every_deadline_is_told(page):
    limits, wire = section(page, "Limits"), LIMITS.wire
    for what, seconds in {
        "to `hello`": wire.handshake_seconds,
        "answer to `configure`": wire.load_seconds,
        "`cancel` to the answer": wire.cancel_grace_seconds,
        "answer to `stop`, and exit": wire.stop_seconds,
        "first byte to its last": wire.frame_seconds,
    }.items():
        assert re.search(rf"^\|[^|]*{re.escape(what)} \| {seconds:g} s( each)? \|$", limits, re.MULTILINE), (
            what
        )
    assert f"with it {wire.call_outer_seconds:g} s |" in limits
    assert f"{wire.send_buffer_bytes // MIB} MiB; each frame counts with {WAITING_BYTES} bytes" in limits
    assert f"{LIMITS.supervision.restarts:d}" == "3"
    assert "three times within a minute" in section(page, "Trouble")


def test_the_steps_of_a_session_are_the_states(page):
    assert re.findall(r"^\d\. (?:Send|Receive) `(\w+)`", section(page, "A session"), re.MULTILINE) == [
        "hello",
        "load",
        "configure",
        "stop",
    ]


def test_the_answers_list_as_much_as_the_types_allow(page):
    assert "| `hooks` | array, at most 8 | those of them" in section(page, "`load`")


def codes(tree):
    """Error codes a module answers with: `code="..."`, or the first argument of Refused."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            named = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
            first = node.args[:1] if ast.unparse(node.func) == "Refused" else []
            yield from (value.value for value in [*named, *first] if isinstance(value, ast.Constant))


def test_every_error_code_of_the_sdk_is_told(page, sdk):
    used = {code for module in sdk for code in codes(module.tree)}
    assert used >= {"plugin_error", "load_error", "cancelled"}
    assert [code for code in sorted(used) if f"`{code}`" not in section(page, "Trouble")] == []
