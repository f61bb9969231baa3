"""One run of the host, from taking the writer's lock to giving it back.

The order is the argument: lock and verify the record, load and verify the plugins, reconcile the account, obey the
latch, start the plugins, turn the cycles, tell the outputs the rest, stop everything, close the record.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import anyio
import msgspec

from pp_host.app.cupboard import Cupboard, cupboard
from pp_host.app.journal import Journal
from pp_host.app.operator import COMMANDS, halt_reason, write_down
from pp_host.app.options import RunOptions, View
from pp_host.app.policy import policy_of
from pp_host.app.results import account_facts, plugin_facts, record_facts, tape_facts
from pp_host.app.roster import Enlisted, brief_in, enlist, hash_seed_of
from pp_host.app.signals import Signals
from pp_host.app.stage import Stage, stage_of
from pp_host.app.telling import run_end, run_start
from pp_host.app.troupe import Troupe
from pp_host.backtest.tape import TapeSource
from pp_host.clock import VirtualClock
from pp_host.config import Config, load
from pp_host.control import Ask, ControlServer, HostIdentity
from pp_host.core import telling
from pp_host.core.loop import cycle, recover, settle_only
from pp_host.errors import RecordError, Refused
from pp_host.home import Home
from pp_host.latch import clear_latch, read_latch
from pp_host.limits import LIMITS
from pp_host.model import TradingState
from pp_host.ports import Ports
from pp_host.record.log import Record
from pp_host.record.note import load_key
from pp_host.sandbox.cgroups import Cgroups
from pp_host.sandbox.launch import Launch, Launcher
from pp_host.supervisor.plan import settle

VERSION = version("probablyprofit-host")
TOTALS = ("decisions", "orders", "fills", "cash", "equity_end", "actions_digest")


def run_session(home: Home, options: RunOptions, view: View) -> dict[str, Any]:
    """Run the host until its cycles are over or it is stopped; what came of it, as docs/CLI.md tells.

    OperatorError, Refused: something is not in order, nothing was traded. PluginError: a plugin did not come up.
    RecordError: the record failed and everything was stopped.
    """
    config = load(home.config_file, os.environ)
    mode = options.mode or config.host.mode
    if mode == "live":
        raise Refused(
            "live trading is not offered by this version", hint="use --mode paper or --mode dry-run"
        )
    run = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    with Signals.taken() as signals, _recording(home, run) as record:
        session = Session(home, config, replace(options, mode=mode), view, record, run)
        signals.heed(session.heed)
        try:
            facts = anyio.run(session.play)
        except BaseExceptionGroup as group:
            raise _sole(group) from group
    if session.stopped:  # whoever asked for it waits: the record was verified when it was opened
        return {**facts, "record": {"size": record.size, "root": record.root.hex(), "verified": None}}
    return {**facts, "record": record_facts(home)}


@contextmanager
def _recording(home: Home, run: str) -> Iterator[Record]:
    record = Record.open(home.state, load_key(home.keys / "record"), home.origin, run=run)
    try:
        HostIdentity.of_this_process(run, time.time_ns() // 1000).write(home.state)
        yield record
    finally:
        record.close()


def _sole(error: BaseException) -> BaseException:
    """The one error inside task groups around it; several stay a group, which is a bug of ours."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


class Session:
    """The concrete things of one run."""

    def __init__(
        self, home: Home, config: Config, options: RunOptions, view: View, record: Record, run: str
    ) -> None:
        self._home, self._config, self._options, self._view = home, config, options, view
        self._record, self._journal, self._run = record, Journal(record), run
        self._turns = 0
        self._killed = ""
        self._asked = 0  # how many signals asked for the end
        self._asked_again = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def stopped(self) -> bool:
        """Whether it was told to stop before its cycles were over."""
        return self._scope.cancel_called

    async def play(self) -> dict[str, Any]:
        """The run, from obeying the latch to its last facts; signals reach it as long as it lasts."""
        self._loop = asyncio.get_running_loop()
        try:
            return await self._play()
        finally:
            self._loop = None

    async def _play(self) -> dict[str, Any]:
        self._obey_halt()
        self._scope, self._look = anyio.CancelScope(), anyio.CancelScope(shield=True)
        with closing(Launcher(self._cgroups())) as launcher:
            enlisted = self._enlisted(await self._settled(launcher.launch))
            with cupboard(
                self._home,
                enlisted,
                run=self._run,
                mode=str(self._options.mode),
                tape=bool(self._options.tape),
            ) as kept:
                return await self._staged(enlisted, kept, launcher.launch)

    def _cgroups(self) -> Cgroups | None:
        """Control groups for the plugins, where this host's own were delegated to it."""
        found = Cgroups.found()
        if found is not None:
            try:
                found.prepare()
            except OSError as error:
                raise Refused(
                    f"its control group was delegated, and cannot be divided: {error}",
                    hint="run the host as deploy/probablyprofit.service does, or without Delegate=",
                ) from error
        return found

    async def _settled(self, launch: Launch) -> str:
        """The level of walls that this run's plugins get; never weaker than pp.toml allows, and said when not whole."""
        seed = hash_seed_of(self._options.seed)
        level, missing = await settle(launch, self._config.host.min_level, seed)
        if missing is not None:
            self._view.warn(f"plugins run at level {level}, not L3: {missing}; remedies: pp doctor")
        return level

    async def _staged(self, enlisted: list[Enlisted], kept: Cupboard, launch: Launch) -> dict[str, Any]:
        config, journal = self._config, self._journal
        stage = stage_of(self._home, config, self._options, journal, run=self._run)
        advise = config.deadlines.advise_seconds
        virtual = isinstance(stage.clock, VirtualClock)
        troupe = Troupe(
            enlisted,
            journal,
            stage.clock,
            self._view.line,
            advise_seconds=advise,
            outputs_awaited=virtual,
            kept=kept,
            launch=launch,
        )
        ports = self._ports(stage, troupe)
        before = stage.book.ledger.marks.equity
        journal.append("host.start", {"pid": os.getpid(), "version": VERSION})
        try:
            async with self._serving(stage, troupe, ports):
                journal.append("run.start", self._opening(stage, enlisted))
                ids = tuple(one.spec.ref.id for one in enlisted)
                ports.outputs.notify(run_start(self._run, str(self._options.mode), stage, ids))
                try:
                    await recover(ports, stage.book)
                    if ports.kill.latched() is not None or stage.book.state is TradingState.HALTED:
                        self._obey_halt()
                    async with troupe.staged():
                        with self._scope:
                            await self._told(ports, stage, enlisted, troupe)
                finally:
                    self._close_run(stage, enlisted, kept)
        finally:
            stage.venue.close()
            with suppress(RecordError):  # what made it fail is on its way up already
                journal.append("host.stop", {"pid": os.getpid()})
        if self._killed:
            raise Refused(f"halted: {self._killed}", hint="pp resume --reason ... allows trading again")
        return self._facts(stage, troupe, before)

    def _enlisted(self, level: str) -> list[Enlisted]:
        """The plugins of this run; a tape takes the place of the sources."""
        named, config = self._options.plugin_set, self._config
        chosen = config.set_named(named) if named else config.enabled()
        enlisted = enlist(self._home, config, chosen, level=level, seed=self._options.seed)
        return [one for one in enlisted if not (self._options.tape and one.spec.kind == "source")]

    def _ports(self, stage: Stage, troupe: Troupe) -> Ports:
        return Ports(
            clock=stage.clock,
            record=self._journal,
            sources=TapeSource(stage.tape) if stage.tape else troupe.caller,
            strategy=troupe.caller if any(one.spec.kind == "strategy" for one in troupe.plugins) else None,
            agents=troupe.caller,
            advisers=troupe.caller,
            outputs=troupe.fan,
            venue=stage.venue,
            kill=Switch(self._home, lambda: self._killed),
        )

    async def _told(self, ports: Ports, stage: Stage, enlisted: list[Enlisted], troupe: Troupe) -> None:
        """The cycles, and that they are over, however they ended. A tape waits until its outputs know it."""
        try:
            await troupe.start()
            await self._perform(ports, stage, enlisted)
        finally:
            ports.outputs.notify(run_end(self._run, self._turns, stage))
        await troupe.fan.told()

    async def _perform(self, ports: Ports, stage: Stage, enlisted: list[Enlisted]) -> None:
        """Every cycle until the moments or the operator's patience are over."""
        policy = policy_of(self._config)
        budgets = {one.spec.ref.id: one.budget for one in enlisted if one.budget is not None}
        dry_run = self._options.mode == "dry-run"
        try:
            for moment in stage.moments:
                await stage.clock.wait_until(moment)
                await cycle(ports, stage.book, policy, budgets, dry_run=dry_run)
                self._turns += 1
                self._view.advance(self._turns, stage.total)
            if stage.finale is not None:
                await stage.clock.wait_until(stage.finale)
        finally:
            await self._last_look(ports, stage)

    async def _last_look(self, ports: Ports, stage: Stage) -> None:
        """What the account is worth after the last trades, also when the run was stopped; never for long."""
        if not self._killed:
            with self._look, anyio.move_on_after(LIMITS.supervision.drain_seconds):
                await settle_only(ports, stage.book)

    @asynccontextmanager
    async def _serving(self, stage: Stage, troupe: Troupe, ports: Ports) -> AsyncIterator[None]:
        """Be reachable: the identity file, the control socket, the signals."""

        async def status(_: Ask) -> Mapping[str, Any]:
            return self._status(stage, troupe)

        async def stop(_: Ask) -> Mapping[str, Any]:
            self._scope.cancel()
            return {"stopping": True}

        async def kill(ask: Ask) -> Mapping[str, Any]:
            seq = write_down(self._record, "state.kill", {"reason": ask.reason, "host": "alive"})
            await self._record.durable(seq)
            self._killed = ask.reason or "killed"
            telling.halted(self._killed, ports)
            self._scope.cancel()
            return {"halted": True, "recorded": seq}

        async def resume(ask: Ask) -> Mapping[str, Any]:
            seq = write_down(self._record, "state.resume", {"reason": ask.reason})
            await self._record.durable(seq)
            clear_latch(self._home.state)
            stage.book.state = TradingState.ACTIVE
            return {"recorded": seq}

        async def record(ask: Ask) -> Mapping[str, Any]:
            if ask.event not in COMMANDS:
                raise Refused(f"a running host does not write down {ask.event!r} for others")
            if ask.event == "plugin.remove" and troupe.has(str(ask.subject.get("id"))):
                raise Refused(f"{ask.subject['id']}: this host runs it", hint="pp stop ends the host")
            seq = write_down(self._record, ask.event, ask.subject)
            await self._record.durable(seq)
            return {"recorded": seq}

        handlers = {"status": status, "stop": stop, "kill": kill, "resume": resume, "record": record}
        async with ControlServer(self._home.state, handlers), anyio.create_task_group() as group:
            group.start_soon(self._obey_signals, troupe)
            yield
            group.cancel_scope.cancel()

    def heed(self) -> None:
        """A signal asks for the end: the first one stops, a second does not wait for outputs. Never a kill."""
        self._asked += 1
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._asked_again.set)

    async def _obey_signals(self, troupe: Troupe) -> None:
        obeyed = 0
        while True:
            self._asked_again = asyncio.Event()
            while obeyed < min(self._asked, 2):
                obeyed += 1
                self._stop() if obeyed == 1 else self._hurry(troupe)
            await self._asked_again.wait()

    def _stop(self) -> None:
        self._scope.cancel()
        self._view.say("stopping; once more to skip waiting for outputs")

    def _hurry(self, troupe: Troupe) -> None:
        self._look.cancel()
        troupe.hurry()
        self._view.say("stopping now")

    def _obey_halt(self) -> None:
        self._record.flush()
        reason = halt_reason(self._home)
        if reason is not None:
            raise Refused(f"halted: {reason}", hint="pp resume --reason ... allows trading again")

    def _opening(self, stage: Stage, enlisted: list[Enlisted]) -> dict[str, Any]:
        options = self._options
        return {
            "account": stage.book.ledger.account,
            "mode": str(options.mode),
            "plugins": [one.spec.ref.id for one in enlisted],
            "seed": options.seed,
            "brief": brief_in(enlisted),
            "config": self._config_digest(),
            "tape": stage.tape.digest if stage.tape else "",
        }

    def _config_digest(self) -> str:
        """What is in force, environment included."""
        return hashlib.sha256(msgspec.json.encode(self._config)).hexdigest()

    def _status(self, stage: Stage, troupe: Troupe) -> dict[str, Any]:
        latched = read_latch(self._home.state)
        return {
            "home": str(self._home.root),
            "running": True,
            "pid": os.getpid(),
            "run": self._run,
            "mode": self._options.mode,
            "tape": stage.tape.digest if stage.tape else "",
            "cycles": self._turns,
            "latched": latched,
            "trading": stage.book.state if latched is None else TradingState.HALTED,
            "plugins": plugin_facts(troupe.plugins),
            **account_facts(stage),
            "record": {"size": self._record.size, "root": self._record.root.hex()},
        }

    def _close_run(self, stage: Stage, enlisted: list[Enlisted], kept: Cupboard) -> None:
        facts = account_facts(stage)
        totals = {name: facts[name] for name in TOTALS}
        with suppress(RecordError):
            kept.tell_reads(enlisted, self._journal)
            self._journal.append("run.end", {"cycles": self._turns, **totals})

    def _facts(self, stage: Stage, troupe: Troupe, before: int) -> dict[str, Any]:
        return {
            "home": str(self._home.root),
            "run": self._run,
            "account": stage.book.ledger.account,
            "cycles": self._turns,
            "seed": self._options.seed,
            "plugins": plugin_facts(troupe.plugins),
            "equity_start": before,
            **account_facts(stage),
            **tape_facts(stage, self._turns),
        }


class Switch:
    """Implements ports.KillSwitch by the latch file, and by what this host was told over its socket."""

    def __init__(self, home: Home, killed: Callable[[], str]) -> None:
        self._state = home.state
        self._killed = killed

    def latched(self) -> str | None:
        return self._killed() or read_latch(self._state)
