"""A plugin's side made from docs/PROTOCOL.md alone holds a whole session with the real host, behind real walls."""

from __future__ import annotations

import ast
import dataclasses
import json
import os
import sys
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pp_host.keep.lines import Lines
from pp_host.keep.values import Values
from pp_host.limits import MIB
from pp_host.sandbox.launch import Jailed
from pp_host.sandbox.plan import SandboxPlan
from pp_host.supervisor import process
from pp_host.supervisor.life import Life
from pp_sdk.memfd import seal
from pp_sdk.table import MarketRow, MarketTable, build
from pp_sdk.types import Decision
from pp_sdk.wire import messages

from tests.escape.protocol import foreign
from tests.escape.protocol.stage import Stage, children, descriptors, spec_of

FOREIGN = Path(foreign.__file__)
WIRE = Path(__file__).parents[2] / "vectors" / "wire"
ROWS = [
    MarketRow(id="closed", status=1),
    MarketRow(id="m1", question="Will it?", yes_asks=((400_000, 5_000_000), (410_000, 1_000_000)), ends_at=9),
    MarketRow(id="m2", yes_bids=((300_000, 1),), yes_asks=((310_000, 1),)),
]  # fmt: skip


def vectors(name: str, key: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((WIRE / f"{name}.json").read_text())[key]
    return found


def test_it_knows_nothing_of_ours() -> None:
    imported = {
        alias.name.partition(".")[0] if isinstance(node, ast.Import) else str(node.module).partition(".")[0]
        for node in ast.walk(ast.parse(FOREIGN.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert imported <= sys.stdlib_module_names | {"__future__"}


@pytest.mark.parametrize(
    "vector", vectors("dialogue", "frames"), ids=lambda one: f"{one['type']}-{one['method']}"
)
def test_it_reads_and_spells_every_message_as_the_vectors_do(vector: dict[str, Any]) -> None:
    (frame,), rest = foreign.split(bytes.fromhex(vector["hex"]))
    assert (frame[:3], rest) == ((vector["type"], vector["id"], vector["method"]), b"")
    assert foreign.message(*frame) == bytes.fromhex(vector["hex"])


@pytest.mark.parametrize(
    "vector", [one for one in vectors("tables", "tables") if one["hex"]], ids=lambda one: one["name"]
)
def test_it_reads_every_table_as_the_vectors_do(vector: dict[str, Any]) -> None:
    block = bytes.fromhex(vector["hex"])
    for theirs, ours in zip(foreign.table_rows(block), MarketTable.decode(block), strict=True):
        row = ours.to_market_row()
        assert {name: theirs[name] for name in ("id", "question", "status", "tick", "ends_at")} == {
            name: getattr(row, name) for name in ("id", "question", "status", "tick", "ends_at")
        }
        assert [tuple(theirs[f"{side}s"]) for side in foreign.SIDES] == [
            row.yes_bids, row.yes_asks, row.no_bids, row.no_asks,
        ]  # fmt: skip


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(max_examples=50)
@given(values)
def test_its_spelling_is_ours(value: Any) -> None:
    spelled = foreign.pack(value)
    assert spelled == msgspec.msgpack.encode(value)
    assert foreign.unpack(spelled) == value


@pytest.fixture
def only_foreign(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of pp_sdk, msgspec or pluggy is even visible inside."""
    real = process.launch

    async def launch(plan: SandboxPlan, *, timeout_seconds: float) -> Jailed:
        plan = dataclasses.replace(plan, packages=(FOREIGN,), preload=(), entry="foreign:main")
        return await real(plan, timeout_seconds=timeout_seconds)

    monkeypatch.setattr(process, "launch", launch)


class Opened:
    """Every path that this process opens while `watching`, and how."""

    def __init__(self) -> None:
        self.watching = False
        self.seen: set[tuple[str, int]] = set()
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.watching and event == "open" and isinstance(arguments[0], str):
            self.seen.add((arguments[0], arguments[2]))


@pytest.fixture(scope="module")
def opened() -> Opened:
    return Opened()


@pytest.mark.anyio
@pytest.mark.usefixtures("only_foreign")
async def test_a_whole_session(tmp_path: Path, opened: Opened) -> None:
    open_before = descriptors()
    kept, lines = Values.in_memory(MIB), Lines.open(tmp_path, "lines", most_bytes=MIB)
    opened.watching = True
    stage = Stage(kept, lines)
    plugin = stage.plugin(spec_of("foreign", 7))
    answers = []
    async with anyio.create_task_group() as lives:
        lives.start_soon(plugin.live)
        with anyio.fail_after(60):
            await plugin.tried.wait()
            assert plugin.life is Life.RUNNING, plugin.fall
            for rows in (ROWS, [], ROWS[:2]):
                table = build(rows)
                fd = seal(table.block)
                plugin.calls += 1
                body = messages.Decide(now=1, table_bytes=len(table.block), account=None)
                answers.append((await plugin.call("decide", body, fds=(fd,))).decisions)
                os.close(fd)
            await plugin.stop()
    opened.watching = False
    check_answers(answers)
    check_opened(opened)
    assert [one["message"] for one in stage.record.of("plugin.log", plugin)] == [
        "agent.plugin from ['agent.py']", "seed 7, brief None, config {'edge': 3}",
    ]  # fmt: skip
    assert (
        tmp_path / "lines" / "turns.txt"
    ).read_text() == "turn 1: 3 markets\nturn 2: 0 markets\nturn 3: 2 markets\n"
    assert kept.get("turn/2") == bytes(4)
    (ending,) = stage.record.of("plugin.exit", plugin)
    assert (ending["outcome"], ending["detail"], ending["status"]) == ("ok", "stopped", 0)
    kept.close()
    lines.close()
    assert (descriptors(), children()) == (open_before, set())


def check_answers(answers: list[list[Decision]]) -> None:
    """The first open market with an ask, at its ask; what it asked the host stands in its reasons."""
    (first,), none, (last,) = answers
    assert (first.market, first.limit_price, none, last.market) == ("m1", 400_000, [], "m1")
    assert first.rationale.startswith("3 markets, keys ['turn/1'], more False, now ")
    assert last.rationale.startswith("2 markets, keys ['turn/1', 'turn/2', 'turn/3'], more False, now ")
    assert last.rationale.endswith(", deleted True")


def check_opened(opened: Opened) -> None:
    """Nothing that a plugin can write was opened by a path: its file by its name below a folder, through no link."""
    ours = (sys.prefix, sys.base_prefix, str(FOREIGN.parents[3]))
    paths = {path for path, _ in opened.seen if path.startswith("/") and not path.startswith(ours)}
    assert {path for path in paths if not path.startswith(("/proc/", "/dev/null"))} == set()
    named = {path: flags for path, flags in opened.seen if not path.startswith("/")}
    assert set(named) == {"turns.txt"}
    assert named["turns.txt"] & os.O_NOFOLLOW
