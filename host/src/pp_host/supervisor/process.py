"""One plugin process from launch to end: the handshake, the calls and their deadlines, the ending.

Laws: code is handed over only after the walls were attested. The plugin's clock stands still while it waits on the
host; an outer deadline never stands still. EOF, a late answer, a broken frame and a death all mean failure. A process
ends once, with one Ending from the closed set, and is always reaped.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import anyio
from msgspec import Raw, Struct
from pp_sdk.memfd import seal
from pp_sdk.wire import messages
from pp_sdk.wire.aio import CallTimeout, Channel, ChannelClosed, ChannelLimits, RemoteError
from pp_sdk.wire.connection import EventReceived, NotNow, RequestReceived
from pp_sdk.wire.frames import FrameTooLarge, ProtocolError
from pp_sdk.wire.messages import decode_body

from pp_host.errors import (
    PluginError,
    PluginGone,
    PluginTimeout,
    PluginUnstarted,
    PluginViolation,
    RecordError,
    RequestRefused,
)
from pp_host.limits import LIMITS
from pp_host.sandbox.attest import attest
from pp_host.sandbox.fatal import fatal_call
from pp_host.sandbox.launch import Jailed, Launch, discard, launch
from pp_host.supervisor.life import Outcome
from pp_host.supervisor.plan import plan_of
from pp_host.supervisor.spec import PluginSpec
from pp_host.supervisor.stdio import StdioDrain
from pp_host.supervisor.watch import Phase, Watch


class Answering(Protocol):
    """What a plugin may say to the host; the broker implements it for one plugin."""

    def hear(self, method: str, body: Raw) -> None: ...

    def answer(self, method: str, body: Raw) -> Awaitable[Struct]: ...


@dataclass(frozen=True, slots=True)
class Ending:
    """How a process ended. detail: one line for the record; call: the fatal call that it is known to have made."""

    outcome: Outcome
    detail: str
    signal: int = 0
    status: int = 0
    call: str = ""

    def __str__(self) -> str:
        return f"{self.outcome.value}: {self.detail}"


# Makes the reader of one of its pipes: the descriptor, and what to call when it is flooded.
Drained = Callable[[int, Callable[[], None]], StdioDrain]


class PluginProcess:
    """A running plugin. Made by `start`; `accepted` counts what it said so far and the host took."""

    def __init__(self, spec: PluginSpec, jailed: Jailed, answering: Answering, drained: Drained) -> None:
        loop = asyncio.get_running_loop()
        self.pid = jailed.pid
        self.walls: tuple[str, ...] = ()
        self.accepted = 0
        self._spec = spec
        self._jailed = jailed
        self._answering = answering
        self._why: tuple[Outcome, str] | None = None
        self._call = ""
        self._phase = Phase(0, in_call=False)
        self._tasks: set[asyncio.Task[None]] = set()
        self._hello: asyncio.Future[messages.Hello] = loop.create_future()
        self._ended: asyncio.Future[Ending] = loop.create_future()
        self._channel = Channel(
            jailed.rpc,
            self._asked,
            self._told,
            limits=ChannelLimits(
                in_flight=LIMITS.wire.requests_in_flight,
                frame_seconds=LIMITS.wire.frame_seconds,
                send_buffer_bytes=LIMITS.wire.send_buffer_bytes,
            ),
        )
        self._channel.closed.add_done_callback(self._hung_up)
        self._pipes = [drained(fd, self._flooded) for fd in (jailed.stdout, jailed.stderr)]
        self._watch = Watch(
            jailed.pid,
            memory_mb=spec.memory_mb,
            cpu_seconds=spec.cpu_seconds,
            over=lambda what: self.end(Outcome.LIMIT, what),
        )
        self._spawn(self._watch.run(lambda: self._phase))
        loop.add_reader(jailed.pidfd, self._died)
        if jailed.listener is not None:
            loop.add_reader(jailed.listener, self._heard_of_a_fatal_call, jailed.listener)

    @classmethod
    async def start(
        cls,
        spec: PluginSpec,
        answering: Answering,
        on_line: Callable[[str], None],
        *,
        now: int,
        launch: Launch = launch,
    ) -> PluginProcess:
        """Launch, attest, hand over the code, configure. HostError says what went wrong; nothing is left behind."""
        jailed = await launch(plan_of(spec), timeout_seconds=LIMITS.wire.handshake_seconds)
        process = cls.adopt(spec, jailed, answering, lambda fd, flooded: StdioDrain(fd, on_line, flooded))
        await process.prepare(now)
        return process

    @classmethod
    def adopt(cls, spec: PluginSpec, jailed: Jailed, answering: Answering, drained: Drained) -> PluginProcess:
        """Take over what was launched, of which nothing was heard yet; it is ended when that fails."""
        try:
            return cls(spec, jailed, answering, drained)
        except BaseException:  # nobody has it yet
            discard(jailed)
            raise

    async def prepare(self, now: int) -> None:
        """Attest, hand over the code, configure. HostError says what went wrong; the process has ended then."""
        try:
            await self._shake_hands(now)
            self._phase = Phase(1, in_call=False)  # from here on processor time is counted
        except PluginGone as gone:  # how it went says more than that it is gone
            with anyio.CancelScope(shield=True):
                ending = await self.ended()
            raise PluginUnstarted(f"{self._spec.ref.id}: {ending.detail}", ending) from gone
        except BaseException as error:
            outcome = Outcome.VIOLATION if isinstance(error, PluginViolation) else Outcome.SETUP_ERROR
            self.end(outcome, str(error) or type(error).__name__)
            with anyio.CancelScope(shield=True):
                await self.ended()
            raise

    async def _shake_hands(self, now: int) -> None:
        hello = await self._greeting()
        self.walls = attest(self.pid, self._spec.level, hello.selfcheck)
        if self._jailed.cage is not None:
            self.walls += self._jailed.cage.walls
        if hello.protocol != messages.PROTOCOL:
            raise PluginViolation(f"speaks protocol {hello.protocol}, this host {messages.PROTOCOL}")
        fd = seal(self._spec.archive)
        try:
            load = messages.Load(
                archive_bytes=len(self._spec.archive),
                module=self._spec.module,
                object=self._spec.object,
                hooks=["configure", *self._spec.hooks],
            )
            loaded: messages.Loaded = await self._ask("load", load, LIMITS.wire.load_seconds, fds=(fd,))
        finally:
            os.close(fd)
        if missing := set(self._spec.hooks) - set(loaded.hooks):
            raise PluginError(
                f"{self._spec.ref.id}: {self._spec.object} has no hook {', '.join(sorted(missing))}",
                hint="mark the method with @hookimpl, or remove it from hooks in plugin.yaml",
            )
        configure = messages.Configure(
            config=dict(self._spec.config), seed=self._spec.seed, now=now, brief=self._spec.brief
        )
        await self._ask("configure", configure, LIMITS.wire.load_seconds)

    async def _greeting(self) -> messages.Hello:
        with anyio.move_on_after(LIMITS.wire.handshake_seconds):
            first: set[asyncio.Future[Any]] = {self._hello, self._ended}
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        if self._hello.done():
            return self._hello.result()
        if self._ended.done():
            raise PluginGone(f"{self._spec.ref.id}: {self._ended.result().detail}")
        raise PluginTimeout(f"{self._spec.ref.id}: it did not say hello in time")

    async def call(self, method: str, body: Struct, *, fds: Sequence[int] = ()) -> Any:
        """The plugin's answer, of the type the protocol gives `method`; PluginError when no good one came."""
        self._phase = Phase(self._phase.calls + 1, in_call=True)
        try:
            return await self._ask(
                method, body, self._spec.wall_seconds, outer=self._spec.outer_seconds, fds=fds
            )
        finally:
            self._phase = Phase(self._phase.calls, in_call=False)

    async def _ask(
        self,
        method: str,
        body: Struct,
        seconds: float,
        *,
        outer: float = LIMITS.wire.call_outer_seconds,
        fds: Sequence[int] = (),
    ) -> Any:
        who, loop = self._spec.ref.id, asyncio.get_running_loop()
        begun = loop.time()
        try:
            answer = await self._channel.call(method, body, seconds=seconds, outer_seconds=outer, fds=fds)
            self.accepted += 1
            return answer
        except CallTimeout as error:
            within = outer if loop.time() - begun >= outer else seconds
            what = f"{method}: no answer within {within:g} s"
            self._spawn(self._grace(what))
            raise PluginTimeout(f"{who}: {what}") from error
        except RemoteError as error:
            self.accepted += 1
            raise PluginError(f"{who}: {method}: {error}") from error
        except ChannelClosed as error:
            raise PluginGone(f"{who}: {method}: {error}") from error
        except (FrameTooLarge, NotNow) as error:  # ours to avoid, but no reason to end a session
            raise PluginError(f"{who}: {method}: {error}") from error

    async def _grace(self, what: str) -> None:
        """An answer that crosses the cancel is forgiven; none at all is the end."""
        await asyncio.sleep(LIMITS.wire.cancel_grace_seconds)
        if self._channel.late:
            self.end(Outcome.TIMEOUT, what)

    async def ended(self) -> Ending:
        """Wait for the end; the process is reaped then and nothing of it is left."""
        return await asyncio.shield(self._ended)

    async def stop(self) -> None:
        """Ask it to stop; kill it when it does not within `stop_seconds`."""
        if self._why is None:
            self._why = (Outcome.OK, "stopped")
            with anyio.move_on_after(LIMITS.wire.stop_seconds), contextlib.suppress(PluginError):
                await self._ask("stop", messages.Stop(), LIMITS.wire.stop_seconds)
                await self.ended()
        self._kill()
        await self.ended()

    def end(self, outcome: Outcome, detail: str) -> None:
        """Kill it, for this reason; the first reason given stands."""
        if self._why is None:
            self._why = (outcome, detail)
        self._kill()

    def _kill(self) -> None:
        if not self._ended.done():
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._jailed.pidfd, signal.SIGKILL)

    def _asked(self, request: RequestReceived) -> None:
        self._spawn(self._answer(request))

    async def _answer(self, request: RequestReceived) -> None:
        try:
            reply = await self._answering.answer(request.method, request.body)
            self.accepted += 1
            self._channel.reply(request.id, reply)
        except RequestRefused as refusal:
            self.accepted += 1
            self._channel.fail(request.id, messages.Failure(code=refusal.code, message=str(refusal)))
        except (PluginViolation, ProtocolError) as error:
            self.end(Outcome.VIOLATION, str(error))
        except RecordError as error:  # the session stops at its next entry, and nobody need be answered
            self.end(Outcome.OK, str(error))

    def _told(self, event: EventReceived) -> None:
        if event.method == "hello":
            self._hello.set_result(decode_body(event.body, messages.Hello))
            self.accepted += 1
            return
        try:
            self._answering.hear(event.method, event.body)
            self.accepted += 1
        except PluginViolation as error:
            self.end(Outcome.VIOLATION, str(error))
        except RecordError as error:  # the session stops at its next entry; nobody need be heard until then
            self.end(Outcome.OK, str(error))

    def _heard_of_a_fatal_call(self, listener: int) -> None:
        asyncio.get_running_loop().remove_reader(
            listener
        )  # one is enough, and a dead process is readable for ever
        if (name := fatal_call(listener)) is not None:
            self._call = name
            self.end(Outcome.VIOLATION, f"made a system call that no plugin may make: {name}")

    def _flooded(self) -> None:
        self.end(
            Outcome.LIMIT, f"more than {LIMITS.process.stdout_bytes_per_minute} bytes of output a minute"
        )

    def _hung_up(self, closed: asyncio.Future[ChannelClosed]) -> None:
        if closed.cancelled():
            return
        cause = closed.result().cause
        if isinstance(cause, ProtocolError):
            self.end(Outcome.VIOLATION, str(cause))
        elif self._why is None:
            # EOF: it is dying or has closed its only door; the exit status tells which
            self._spawn(self._linger())

    async def _linger(self) -> None:
        await asyncio.sleep(LIMITS.wire.cancel_grace_seconds)
        self.end(Outcome.VIOLATION, "closed its connection and lived on")

    def _died(self) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._jailed.pidfd)
        result = os.waitid(os.P_PIDFD, self._jailed.pidfd, os.WEXITED)
        os.close(self._jailed.pidfd)
        if self._jailed.listener is not None:
            loop.remove_reader(self._jailed.listener)
            os.close(self._jailed.listener)
        if (cage := self._jailed.cage) is not None:
            if self._why is None and cage.ended_for_memory():
                self._why = (Outcome.LIMIT, f"memory: the kernel ended it at {self._spec.memory_mb} MB")
            cage.close()
        for pipe in self._pipes:
            pipe.close()
        self._channel.close()
        for task in self._tasks:
            task.cancel()
        if result is not None and not self._ended.done():
            self._ended.set_result(self._ending(result.si_code, result.si_status))

    def _ending(self, code: int, status: int) -> Ending:
        exited = code == os.CLD_EXITED
        last = next(
            (line for pipe in reversed(self._pipes) for line in reversed(pipe.last_lines) if line.strip()), ""
        )
        if self._why is not None:
            outcome, detail = self._why
            return Ending(
                outcome,
                detail,
                signal=0 if exited else status,
                status=status if exited else 0,
                call=self._call,
            )
        if exited:
            return Ending(
                Outcome.ERROR, f"exited with status {status}{': ' + last if last else ''}", status=status
            )
        if status == signal.SIGSYS:
            return Ending(
                Outcome.VIOLATION, "made a system call that no plugin may make: SIGSYS", signal=status
            )
        return Ending(Outcome.SIGNALED, f"ended by {signal.Signals(status).name}", signal=status)

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
