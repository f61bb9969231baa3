"""One process: the handshake, the calls and their deadlines, the ending."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest
from pp_host.errors import PluginError, PluginGone, PluginTimeout, RecordError, Refused
from pp_host.sandbox import attest
from pp_host.supervisor.life import Outcome
from pp_sdk import Account, MarketRow, Position, build
from pp_sdk.memfd import seal
from pp_sdk.wire import messages

from tests.unit.supervisor.conftest import children

AGENT = """
import time
from pp_sdk import Decision, clock, hookimpl

class Agent:
    @hookimpl
    def configure(self, config):
        self.config = config

    @hookimpl
    def decide(self, observation):
        {body}
        return [Decision(market="m", outcome="yes", side="buy", probability=0.5, rationale=str(self.config))]

plugin = Agent()
"""
pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def decide(process: Any) -> messages.Decided:
    table = build([MarketRow(id="m", question="?", tick=10_000)])
    fd = seal(table.block)
    try:
        return await process.call(
            "decide", messages.Decide(now=1, table_bytes=len(table.block), account=None), fds=(fd,)
        )
    finally:
        os.close(fd)


async def test_it_starts_answers_and_stops(started: Any) -> None:
    process = await started(AGENT.format(body="pass"), config={"edge": 3})
    answer = await decide(process)
    assert answer.decisions[0].rationale == "{'edge': 3}"
    await process.stop()
    ending = await process.ended()
    assert (ending.outcome, ending.status) == (Outcome.OK, 0)
    assert process.pid not in children()


async def test_the_clock_stands_still_while_the_plugin_waits_on_the_host(started: Any, desk: Any) -> None:
    process = await started(AGENT.format(body="clock.now()"), desk(delay=1.0), wall_seconds=0.5)
    assert (await decide(process)).decisions
    await process.stop()


async def test_the_same_time_spent_by_the_plugin_itself_is_too_much(started: Any) -> None:
    process = await started(AGENT.format(body="time.sleep(60)"), wall_seconds=0.5)
    with pytest.raises(PluginTimeout, match=r"no answer within 0\.5 s"):
        await decide(process)
    ending = await process.ended()
    assert (ending.outcome, ending.detail) == (Outcome.TIMEOUT, "decide: no answer within 0.5 s")


async def test_an_answer_that_crosses_the_cancel_is_forgiven(started: Any) -> None:
    body = "first = not hasattr(self, 'slow'); self.slow = True; time.sleep(0.7 if first else 0)"
    process = await started(AGENT.format(body=body), wall_seconds=0.5)
    with pytest.raises(PluginTimeout):
        await decide(process)
    await asyncio.sleep(0.8)  # the grace time: it must live through it
    assert (await decide(process)).decisions
    await process.stop()


@pytest.mark.parametrize("wall", [5.0, 0.1])
async def test_the_outer_deadline_does_not_stand_still(started: Any, desk: Any, wall: float) -> None:
    """The ending tells the deadline that passed: the inner one stood still, however short it is."""
    process = await started(
        AGENT.format(body="clock.now()"), desk(delay=30.0), wall_seconds=wall, outer_seconds=0.5
    )
    with pytest.raises(PluginTimeout, match=r"no answer within 0\.5 s"):
        await decide(process)
    await process.stop()  # it was waiting on the host, heard the cancel and answered it


async def test_asking_a_host_whose_record_failed_is_the_end_and_no_wait(started: Any, desk: Any) -> None:
    class Failed(desk):
        async def answer(self, method: str, body: Any) -> Any:
            raise RecordError("the record cannot be written")

    process = await started(AGENT.format(body="clock.now()"), Failed())
    with pytest.raises(PluginGone):
        await decide(process)
    ending = await process.ended()
    assert (ending.outcome, ending.detail) == (Outcome.OK, "the record cannot be written")


BURN = "until = time.process_time() + {seconds}\n        while time.process_time() < until: pass"


async def test_processor_time_is_counted_by_the_call(started: Any) -> None:
    """Many calls may use together what one may not."""
    process = await started(AGENT.format(body=BURN.format(seconds=0.3)), cpu_seconds=1.0, wall_seconds=20.0)
    for _ in range(6):
        assert (await decide(process)).decisions
    await process.stop()


async def test_one_call_that_uses_too_much_is_the_end(started: Any) -> None:
    process = await started(AGENT.format(body=BURN.format(seconds=30)), cpu_seconds=0.5, wall_seconds=60.0)
    with pytest.raises(PluginGone):
        await decide(process)
    ending = await process.ended()
    assert (ending.outcome, ending.detail) == (Outcome.LIMIT, "cpu: more than 0.5 s in one call")


async def test_a_thread_left_spinning_between_calls_is_the_end(started: Any) -> None:
    spin = "import threading; threading.Thread(target=exec, args=('while True: pass',), daemon=True).start()"
    process = await started(AGENT.format(body=spin), cpu_seconds=0.5, wall_seconds=20.0)
    assert (await decide(process)).decisions
    ending = await process.ended()
    assert (ending.outcome, ending.detail) == (Outcome.LIMIT, "cpu: more than 0.5 s between two calls")


async def test_a_call_too_large_for_a_frame_is_an_error_of_that_call(started: Any) -> None:
    process = await started(AGENT.format(body="pass"))
    huge = messages.Decide(
        now=1,
        table_bytes=1,
        account=Account(
            precision="exact",
            equity=1,
            cash=1,
            positions=tuple(Position(market="m" * 200, outcome="yes", shares=1, cost=1) for _ in range(6000)),
        ),
    )
    with pytest.raises(PluginError, match="decide"):
        await process.call("decide", huge)
    assert (await decide(process)).decisions
    await process.stop()


async def test_an_exception_of_the_plugin_is_an_error_reply_and_it_lives_on(started: Any) -> None:
    body = "\n        if not hasattr(self, 'once'):\n            self.once = True\n            raise KeyError('own fault')"
    process = await started(AGENT.format(body=body))
    with pytest.raises(PluginError, match="own fault"):
        await decide(process)
    assert (await decide(process)).decisions
    await process.stop()


async def test_a_call_to_a_dead_plugin_is_gone(started: Any) -> None:
    process = await started(AGENT.format(body="pass"))
    process.end(Outcome.LIMIT, "a test")
    assert (await process.ended()).outcome is Outcome.LIMIT
    with pytest.raises(PluginGone):
        await decide(process)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("def", "SyntaxError"),
        ("import nothing_of_this_name", "nothing_of_this_name"),
        ("plugin = 1", "no hook decide"),
        ("raise SystemExit(4)", "status 4"),
    ],
)
async def test_code_that_cannot_be_loaded_is_a_clear_error_and_leaves_no_process(
    started: Any, code: str, words: str
) -> None:
    before = children()
    with pytest.raises(PluginError, match=words):
        await started(code)
    assert children() == before


async def test_no_code_is_handed_over_when_a_wall_is_missing(
    started: Any, desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The self-check is what it always is; this host expects one thing more of it."""
    wanted = {**attest.ATTEMPTS["L3"], "a_wall_not_built": 1}
    monkeypatch.setitem(attest.ATTEMPTS, "L3", wanted)  # type: ignore[arg-type]  # a dict behind a Mapping annotation
    watched = desk()
    with pytest.raises(Refused, match="a_wall_not_built"):
        await started("from pp_sdk import log\nlog.info('I ran')", watched)
    assert watched.heard == []
