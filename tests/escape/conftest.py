"""Sends every row of a module's CASES inside and outside, once per level, and holds it to its expectations."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.escape.case import Answer, Case, Verdict, judge
from tests.escape.cast import Cast
from tests.escape.stage import Stage, changed
from tests.escape.tally import PROPERTY

LEVELS = ("L3", "L2", "L1")
SECONDS = 5
CAST = pytest.StashKey[Cast]()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A module with a table has each of its rows tried at each level."""
    cases: list[Case] = getattr(metafunc.module, "CASES", [])
    if "attempt" in metafunc.fixturenames:
        metafunc.parametrize("case", cases, ids=[case.name for case in cases])
        metafunc.parametrize("level", LEVELS)


def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Nobody of ours is there when other tests count processes."""
    if CAST in item.config.stash and (nextitem is None or nextitem.path.parent != item.path.parent):
        item.config.stash[CAST].dismiss()


@pytest.fixture(scope="session")
def cast(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Cast:
    pytestconfig.stash[CAST] = Cast(tmp_path_factory.mktemp)
    return pytestconfig.stash[CAST]


@pytest.fixture
def attempt(
    case: Case,
    level: str,
    cast: Cast,
    record_property: Callable[[str, object], None],
    request: pytest.FixtureRequest,
) -> Callable[[], None]:
    """attempt(): the row holds, or the test fails and says what came of it."""
    group = Path(request.module.__file__).stem.removeprefix("test_")

    def run() -> None:
        warden, stage = cast.warden(level), cast.stage("whole")
        before = stage.state(warden.pid)
        inside = warden.asks(group, *_aimed(case.attack, stage), dict(case.plan), _how(case, level))
        harm = changed(before, stage.state(warden.pid))
        if harm:
            cast.replace("whole")
        control = _control(case, group, cast)
        verdict = judge(case, level, inside, harm, control)
        record_property(PROPERTY, (level, group, str(verdict)))
        assert verdict in (Verdict.BLOCKED, Verdict.UNCONTROLLED, Verdict.LEAK), (
            f"{verdict}: inside {inside}, promised {case.expected(level)}, harm {harm}; outside {control}"
        )

    return run


def _how(case: Case, level: str) -> str:
    expected = case.expected(level)
    if "violation" in expected:
        return "recorded"
    return "alone" if case.alone or {"signal", "status"} & expected.keys() else "shared"


def _aimed(attack: tuple[Any, ...], stage: Stage) -> tuple[str, list[Any]]:
    name, *arguments = attack
    return name, [stage.fill(argument) for argument in arguments]


def _control(case: Case, group: str, cast: Cast) -> Answer | None:
    """What the same attack gives without walls, or None where it has to be left out."""
    control = case.control
    if control.none or (control.root_only and os.geteuid() != 0):
        return None
    outside, stage = cast.outside(), cast.stage("harmed")
    attack = case.attack if control.arguments is None else (case.attack[0], *control.arguments)
    before = stage.state(outside.pid)
    answer = outside.asks(group, *_aimed(attack, stage), control.made_by, control.fresh)
    harm = _harm(stage, before, outside.pid, control.changes)
    if harm:
        cast.replace("harmed")
    if control.changes and control.changes not in harm:
        return {"changed": sorted(harm), **answer, "value": "nothing was changed"}
    return answer


def _harm(stage: Stage, before: dict[str, Any], host: int, awaited: str) -> dict[str, Any]:
    """What changed; a signal takes a moment to arrive, so what is awaited is looked for again."""
    patience = time.monotonic() + SECONDS
    while True:
        harm = changed(before, stage.state(host))
        if not awaited or awaited in harm or time.monotonic() > patience:
            return harm
        time.sleep(0.001)
