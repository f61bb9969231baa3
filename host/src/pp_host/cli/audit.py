"""`pp audit`: the record checked and read. Entries hold strangers' text: it is escaped when shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import typer

from pp_host.cli.output import HomeOption, JsonOption, cents, printable, show
from pp_host.cli.strategy import briefed, fields, selected

if TYPE_CHECKING:
    from rich.console import Console

    from pp_host.record.entry import Entry
    from pp_host.record.note import Verifier
    from pp_host.record.reader import Why

app = typer.Typer(help="The record: what happened, provably.", no_args_is_help=True)


@app.command()
def verify(
    home: HomeOption = None,
    record: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="A folder with the record; needs --vkey, and no home."),
    ] = None,
    vkey: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The record's public key, as its operator published it."),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A checkpoint that you kept; the record must still contain what it is over."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check every entry and every signed checkpoint against the record's public key."""
    from pp_host.cli.consulting import reading
    from pp_host.record.verify import verify as verify_record

    state, verifier = _of_home(home) if record is None and vkey is None else _of_files(home, record, vkey)
    kept = _kept(checkpoint, verifier) if checkpoint else None
    with reading(quiet=as_json, what="verifying the record") as advance:
        verified = verify_record(state, verifier, kept, advance)
    note = verified.note.decode()
    document = {
        "ok": True,
        "origin": verified.origin,
        "size": verified.size,
        "root": verified.root.hex(),
        "checkpoints": verified.checkpoints,
        "checkpoint": note,
        "vkey": verifier.vkey,
    }
    lines = [
        f"record verified: {verified.size} entries under {verified.checkpoints} signed checkpoints",
        f"root    {verified.root.hex()}",
        f"origin  {verified.origin}",
        f"key     {verifier.vkey}",
        "the last checkpoint; keep a copy where this machine cannot reach it:",
        *note.removesuffix("\n").split("\n"),
    ]
    show(document, lambda console: _print(console, map(printable, lines)), as_json=as_json)


def _of_home(home: Path | None) -> tuple[Path, Verifier]:
    """Where a home's record lies, and its key."""
    from pp_host.app.operator import record_verifier
    from pp_host.home import Home

    opened = Home.open(home)
    return opened.state, record_verifier(opened)


def _of_files(home: Path | None, record: Path | None, vkey: Path | None) -> tuple[Path, Verifier]:
    """A record and a key from anywhere."""
    from pp_host.errors import OperatorError
    from pp_host.record.note import load_verifier

    if home is not None or record is None or vkey is None:
        hint = "pp audit verify --record DIR --vkey FILE, or with a home: pp audit verify --home DIR"
        raise OperatorError("pp audit verify: --record and --vkey go together, and without --home", hint=hint)
    return record, load_verifier(vkey)


def _kept(path: Path, verifier: Verifier) -> bytes:
    """A checkpoint's note from a file; how it was copied there may have added empty lines."""
    from pp_host import disk
    from pp_host.errors import OperatorError, RecordError
    from pp_host.limits import LIMITS
    from pp_host.record.note import open_note

    hint = "the last lines of what pp audit verify prints, from the origin on, of this very record"
    try:
        note = disk.read(path, LIMITS.record.note_bytes).strip(b"\n") + b"\n"
        open_note(note, verifier)
    except OSError as error:
        raise OperatorError(f"{path}: {error.strerror}", hint=hint) from error
    except RecordError as error:
        raise OperatorError(f"{path}: no checkpoint of this record: {error}", hint=hint) from error
    return note


@app.command()
def tail(
    home: HomeOption = None,
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="How many entries.")] = 20,
    plugin: Annotated[str, typer.Option(metavar="ID", help="Only what this plugin did or was given.")] = "",
    event: Annotated[str, typer.Option(metavar="EVENT", help="Only this event, such as order.fill.")] = "",
    verdict: Annotated[
        Literal["allow", "deny", "error"] | None, typer.Option(help="Only with this verdict.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show the newest entries."""
    from pp_host.config.schema import meant
    from pp_host.errors import OperatorError
    from pp_host.home import Home
    from pp_host.record.entry import EVENTS
    from pp_host.record.reader import RecordReader

    if event and event not in EVENTS:
        raise OperatorError(
            f"--event: there is no event {event!r}", hint=meant(event, EVENTS) or "docs/RECORD.md"
        )
    with RecordReader.open(Home.open(home).state) as reader:
        entries = reader.tail(count, plugin=plugin, event=event, verdict=verdict or "")
    show({"entries": _plain(entries)}, lambda console: _print(console, map(_line, entries)), as_json=as_json)


@app.command("show")
def show_entry(
    seq: Annotated[int, typer.Argument(metavar="SEQ", min=0, max=2**63 - 1, help="The entry's number.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one entry in full."""
    from pp_host.home import Home
    from pp_host.record.reader import RecordReader

    with RecordReader.open(Home.open(home).state) as reader:
        entry = reader.entry(seq)
    document = msgspec.to_builtins(entry)
    lines = [f"{name:12}{_value(value)}" for name, value in document.items()]
    show(document, lambda console: _print(console, lines), as_json=as_json)


@app.command()
def why(
    order: Annotated[str, typer.Argument(metavar="ORDER", help="The order's id, or its beginning.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how an order came about: from its fill back to the snapshot, and whose code took part."""
    from pp_host.home import Home
    from pp_host.record.reader import RecordReader

    with RecordReader.open(Home.open(home).state) as reader:
        told = reader.why(order)
    document = {
        "order": told.order,
        "chain": _plain(told.chain),
        "life": _plain(told.life),
        "plugins": _plain(told.plugins),
        "brief": told.start.subject.get("brief") if told.start else None,
    }
    show(document, lambda console: _print(console, _story(told)), as_json=as_json)


def _story(told: Why) -> Iterator[str]:
    """A tree in lines of any length: rich's own would crop them, and half a digest is none."""
    yield f"order {printable(told.order)}"
    yield from _summary(told)
    yield "├ why, from effect to cause"
    for depth, entry in enumerate(told.chain):
        yield f"│ {'  ' * depth}└ {_line(entry)}"
    yield "├ what became of it"
    yield from (f"│ ├ {_line(entry)}" for entry in told.life)
    yield "└ whose code"
    yield from (f"  ├ {_line(entry)}" for entry in told.plugins)
    if told.start and (brief := told.start.subject.get("brief")):
        yield f"  └ strategy {briefed(brief['plugin'], brief['name'], brief['digest'])}"


def _summary(told: Why) -> Iterator[str]:
    """What was traded and the plugin's own reason, in words, as far as the entries say so."""
    for entry in told.life:
        fill = entry.subject
        if (
            entry.event == "order.fill"
            and {"plugin", "side", "shares", "outcome", "market", "price"} <= fill.keys()
        ):
            yield printable(
                f"{fill['plugin']}: {fill['side']} {cents(fill['shares'])} {fill['outcome']} of {fill['market']} "
                f"at $ {Decimal(fill['price']).scaleb(-6):.4f}"
            )
    for entry in told.chain:
        if entry.event == "decision" and entry.subject.get("rationale"):
            yield f"because: {printable(str(entry.subject['rationale']))}"


def _line(entry: Entry) -> str:
    """An entry on one line, safe to print."""
    who = entry.actor
    name = (
        f"{who.kind} {who.id}@{who.version} sha256:{who.digest[:16]}"
        if who.digest
        else f"{who.kind} {who.id}"
    )
    judged = f"{entry.verdict} {entry.rule}" if entry.verdict else entry.rule
    words = selected(entry.subject) if entry.event == "selection" else ""
    told = _value(fields(entry.event, entry.subject))
    parts = (f"#{entry.seq}", entry.ts, entry.event, name, judged, words, told)
    return "  ".join(printable(part.strip()) for part in parts if part.strip())


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{printable(key)}={_value(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return "[" + ", ".join(_value(inner) for inner in value) + "]"
    return "" if value is None else printable(str(value))


def _plain(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    return [msgspec.to_builtins(entry) for entry in entries]


def _print(console: Console, lines: Iterable[str]) -> None:
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)
