"""One plugin's life under any order of starts, failures, endings, waits and stops, in virtual time: the table is obeyed,
three restarts in a minute and no more, waits within their bounds, and never two processes at once."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from pp_host.errors import (
    PluginError,
    PluginGone,
    PluginTimeout,
    PluginUnstarted,
    PluginViolation,
    WallMissing,
)
from pp_host.limits import LIMITS
from pp_host.supervisor import supervised
from pp_host.supervisor.life import RESTARTABLE, TRANSITIONS, Life, Outcome, Patience
from pp_host.supervisor.process import Ending
from pp_host.supervisor.supervised import Supervised

from tests.escape.protocol.stage import Record, spec_of
from tests.sim.simloop import SimLoop

MOST = LIMITS.supervision
STEPS = set(TRANSITIONS.items())
FAILURES = {
    PluginError("raised in configure"): Outcome.ERROR,
    PluginTimeout("no hello"): Outcome.TIMEOUT,
    PluginViolation("spoke out of turn"): Outcome.VIOLATION,
    WallMissing("seccomp", "absent", hint=""): Outcome.SETUP_ERROR,
    WallMissing("start", "not up within 10 s", hint=""): Outcome.TIMEOUT,
    PluginUnstarted("died", Ending(Outcome.SIGNALED, "ended by SIGSEGV")): Outcome.SIGNALED,
    PluginUnstarted("too much", Ending(Outcome.LIMIT, "memory")): Outcome.LIMIT,
}


class Process:
    """A process that lives until the test or the supervisor ends it."""

    pid = 42
    walls = ("all",)
    starting: ClassVar[list[asyncio.Future[None]]] = []
    running: ClassVar[list[Process]] = []

    def __init__(self) -> None:
        self.ending: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self.running.append(self)

    @classmethod
    async def start(cls, *_: Any, **__: Any) -> Process:
        assert not cls.starting
        assert not cls.running
        begun = asyncio.get_running_loop().create_future()
        cls.starting.append(begun)
        try:
            await begun
        finally:
            cls.starting.remove(begun)
        return cls()

    async def ended(self) -> Ending:
        return await asyncio.shield(self.ending)

    async def call(self, method: str, body: Any, *, fds: Any = ()) -> str:
        return method

    async def stop(self) -> None:
        self.end(Outcome.OK, "stopped")

    def end(self, outcome: Outcome, detail: str) -> None:
        if not self.ending.done():
            self.running.remove(self)
            self.ending.set_result(Ending(outcome, detail))


class Clock:
    def now(self) -> int:
        return 0


class Supervision(RuleBasedStateMachine):
    """What a supervised plugin does is compared with a list of the moments at which it failed."""

    def __init__(self) -> None:
        super().__init__()
        Process.starting.clear()
        Process.running.clear()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(supervised, "PluginProcess", Process)
        self.patch.setattr(supervised.random, "random", lambda: self.jitter)
        self.jitter = 0.0
        self.failed: list[float] = []
        self.lives = [Life.NEW]
        self.since = 0.0
        self.exits = 0
        self.record = Record()

    @initialize(seed=st.integers(0, 2**16))
    def begin(self, seed: int) -> None:
        self.loop = SimLoop(seed)
        self.run(self.made())
        self.living = self.loop.create_task(self.plugin.live())
        self.settle()

    async def made(self) -> None:
        desk: Any = None
        self.plugin = Supervised(
            spec_of("one", 1),
            self.record,
            Clock(),
            desk=lambda _: desk,
            on_change=self.changed,
            on_line=lambda *_: None,
        )  # type: ignore[arg-type]  # the clock is not waited for

    def changed(self, plugin: Supervised) -> None:
        self.lives.append(plugin.life)
        self.since = self.loop.time()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    def settle(self) -> None:
        async def turns() -> None:
            for _ in range(30):
                await asyncio.sleep(0)

        self.run(turns())

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            self.stop()
            assert self.living.done()
            assert not Process.running
            assert not Process.starting
            assert self.plugin.life in (Life.STOPPED, Life.QUARANTINED)
            self.loop.close()
        self.patch.undo()

    def stop(self) -> None:
        """At once: nothing that is stopped is waited for."""
        now = self.loop.time()
        self.run(asyncio.wait_for(self.plugin.stop(), 1000))
        assert self.loop.time() == now

    def fails(self, outcome: Outcome) -> None:
        """The model: what must follow from a failure now."""
        now = self.loop.time()
        self.failed = [at for at in self.failed if at > now - MOST.restart_window_seconds] + [now]
        self.exits += 1
        self.settle()
        given_up = outcome not in RESTARTABLE or len(self.failed) > MOST.restarts
        assert self.plugin.life is (Life.QUARANTINED if given_up else Life.BACKOFF)
        assert len(self.record.of("plugin.quarantine", self.plugin)) == given_up

    @precondition(lambda self: Process.starting)
    @rule()
    def comes_up(self) -> None:
        Process.starting[0].set_result(None)
        self.settle()
        assert self.plugin.life is Life.RUNNING

    @precondition(lambda self: Process.starting)
    @rule(error=st.sampled_from(list(FAILURES)))
    def does_not_come_up(self, error: Exception) -> None:
        Process.starting[0].set_exception(error)
        self.fails(FAILURES[error])

    @precondition(lambda self: Process.running)
    @rule(outcome=st.sampled_from(Outcome), jitter=st.sampled_from([0.0, 0.5, 1.0]))
    def ends(self, outcome: Outcome, jitter: float) -> None:
        self.jitter = jitter
        Process.running[0].end(outcome, "as it does")
        self.fails(outcome)

    @precondition(lambda self: Process.running or self.plugin.life is Life.BACKOFF)
    @rule(times=st.integers(1, 4), apart=st.sampled_from([0.0, 10.0, 19.9, 31.0]))
    def ends_again_and_again(self, times: int, apart: float) -> None:
        for _ in range(times):
            while self.plugin.life is Life.BACKOFF:
                self.time_passes(1.0)
            if self.plugin.life is Life.STARTING:
                self.comes_up()
            if self.plugin.life is Life.RUNNING:
                self.run(asyncio.sleep(apart))
                self.ends(Outcome.ERROR, 1.0)

    @precondition(lambda self: Process.running)
    @rule()
    def breaks_the_protocol_in_an_answer(self) -> None:
        assert isinstance(self.plugin.violated("a table that is none"), PluginViolation)
        self.fails(Outcome.VIOLATION)

    @rule(seconds=st.sampled_from([0.01, 0.3, 1.0, 5.0, 59.0, 61.0]))
    def time_passes(self, seconds: float) -> None:
        backing_off, since, starts = (
            self.plugin.life is Life.BACKOFF,
            self.since,
            self.lives.count(Life.STARTING),
        )
        self.run(asyncio.sleep(seconds))
        self.settle()
        if not backing_off:
            return
        wait = min(MOST.backoff_first_seconds * 2 ** (len(self.failed) - 1), MOST.backoff_most_seconds)
        wait *= 0.5 + self.jitter / 2
        if self.lives.count(Life.STARTING) > starts:
            assert self.since - since == pytest.approx(wait)
        else:
            assert self.loop.time() - since <= wait

    @rule()
    def is_called(self) -> None:
        running = self.plugin.life is Life.RUNNING

        async def call() -> Any:
            with suppress(PluginGone):
                return await self.plugin.call("decide", None)  # type: ignore[arg-type]  # nobody looks at it

        assert self.run(call()) == ("decide" if running else None)

    @rule()
    def is_stopped(self) -> None:
        before = self.plugin.life
        self.stop()
        assert self.plugin.life is (Life.QUARANTINED if before is Life.QUARANTINED else Life.STOPPED)
        assert self.living.done()

    @invariant()
    def the_table_is_obeyed(self) -> None:
        steps = {(one, other) for (one, _), other in STEPS}
        assert set(zip(self.lives, self.lives[1:], strict=False)) <= steps

    @invariant()
    def one_process_at_most_and_none_when_it_is_over(self) -> None:
        if hasattr(self, "plugin"):
            alive = len(Process.running) + len(Process.starting)
            assert alive == (self.plugin.life in (Life.STARTING, Life.RUNNING))

    @invariant()
    def every_failure_is_an_exit_in_the_record(self) -> None:
        if hasattr(self, "plugin"):
            exits = self.record.of("plugin.exit", self.plugin)
            assert len([one for one in exits if not one["detail"].startswith("stopped")]) == self.exits


TestSupervision = Supervision.TestCase
TestSupervision.settings = settings(max_examples=60, deadline=None)


@pytest.mark.parametrize("jitter", [0.0, 0.3, 1.0])
def test_the_waits_double_and_lie_in_their_upper_half(jitter: float) -> None:
    patience = Patience()
    waits = [patience.next_wait(at, jitter) for at in (0.0, 1.0, 2.0)]
    assert waits == [base * (0.5 + jitter / 2) for base in (0.5, 1.0, 2.0)]
    assert patience.next_wait(3.0, jitter) is None
    assert Patience().next_wait(3.0, jitter) == waits[0], "one-for-one: another's failures are not its own"


def test_a_failure_that_is_a_minute_old_counts_no_more() -> None:
    patience = Patience()
    assert [patience.next_wait(at, 1.0) for at in (0.0, 30.0, 59.0)] == [0.5, 1.0, 2.0]
    assert patience.next_wait(60.0, 1.0) == 2.0, "the first is forgotten, the others are not"
    assert patience.next_wait(60.5, 1.0) is None
