"""`pp stop`, `kill` and `resume`: said to a running host, or done without one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pp_host.cli.output import HomeOption, JsonOption, complain, opened, printable, show
from pp_host.errors import OperatorError

if TYPE_CHECKING:
    from rich.console import Console

    from pp_host.control import Halt

NO_REASON = "no reason given"
ReasonOption = Annotated[
    str, typer.Option("--reason", metavar="R", help="Why, in a few words, for the record.")
]


def stop(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """End the running host in good order: sends in flight are waited for, nothing is halted."""
    from pp_host.control import HostIdentity, ask, has_ended
    from pp_host.limits import LIMITS

    place = opened(home)
    identity = HostIdentity.read(place.state)
    with identity.process() if identity else nullcontext() as process:
        ask(place.state, "stop", timeout=LIMITS.control.answer_seconds)
        if process is not None and not has_ended(process, LIMITS.control.stop_seconds):
            raise OperatorError("the host is still stopping", hint="wait for it: pp status; or pp kill")
    document = {"stopped": True, "pid": identity and identity.pid, "run": identity and identity.run}
    show(document, lambda console: console.print("stopped"), as_json=as_json)


def kill(home: HomeOption = None, reason: ReasonOption = NO_REASON, as_json: JsonOption = False) -> None:
    """Halt trading now, whether the host is alive, stopped or dead; it stays halted until `pp resume`."""
    import msgspec

    from pp_host.control import kill as halt
    from pp_host.home import place

    root = place(home)
    if not root.is_dir():
        opened(home)  # says what is wrong; any other fault of a home must not hinder a kill
    done = halt(root / "state", _words(reason) or NO_REASON, _append(home))
    document = {"halted": done.halted, **msgspec.to_builtins(done)}
    show(document, lambda console: _draw_halt(console, done), as_json=as_json)
    for what in done.unconfirmed:
        complain(what)
    if done.unconfirmed or not done.halted:
        complain("not everything could be confirmed", "remove the cause and run pp kill again")
        raise typer.Exit(1)


def resume(
    reason: Annotated[
        str, typer.Option("--reason", metavar="R", help="Why it is safe again, for the record.")
    ],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Allow trading again after a halt; the reason goes into the record first."""
    from pp_host.app.operator import halt_reason
    from pp_host.control import resume as lift

    place = opened(home)
    words = _words(reason)
    if not words:
        raise OperatorError("--reason: no reason given", hint='--reason "a few words for the record"')
    recorded = lift(place.state, words, _append(home)) if halt_reason(place) is not None else None
    line = "nothing is halted" if recorded is None else f"resumed: entry {recorded} of the record"
    document = {"resumed": recorded is not None, "recorded": recorded}
    show(document, lambda console: console.print(line), as_json=as_json)


def _append(home: Path | None) -> Callable[[str, Mapping[str, Any]], int]:
    def append(event: str, subject: Mapping[str, Any]) -> int:
        from pp_host.app.operator import record_operator  # slow to load; a kill latches first

        return record_operator(opened(home), event, subject)

    return append


def _words(reason: str) -> str:
    """An operator's reason as the record takes it."""
    return printable(reason.strip())[:500]


def _draw_halt(console: Console, done: Halt) -> None:
    told = {
        "answered": "the host answered: it is halted and its run ends",
        "ended": "the host did not answer: it was ended",
        "absent": "no host was running",
        "unknown": "the host did not answer and may still run",
    }
    console.print("HALTED" if done.halted else "NOT CERTAINLY HALTED")
    console.print(f"  {told[done.host]}")
    console.print(f"  latch    {'durable' if done.latched else 'not written'}")
    console.print(f"  record   {'no entry' if done.recorded is None else f'entry {done.recorded}'}")
    if done.latched or done.recorded is not None:
        console.print("Nothing new is sent until: pp resume --reason ...")
