"""`pp trust`: whose signatures count here, and for which plugins."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pp_host.cli.output import HomeOption, JsonOption, existing, folding, printable, show
from pp_host.errors import OperatorError
from pp_host.limits import LIMITS

if TYPE_CHECKING:
    from rich.console import Console

    from pp_host.trust.truststore import TrustedKey

app = typer.Typer(help="Publishers whose signatures count here.", no_args_is_help=True)


@app.command()
def add(
    key: Annotated[
        Path, typer.Argument(metavar="KEY", help="The publisher's public key file, `ssh-ed25519 AAAA...`.")
    ],
    plugins: Annotated[
        list[str],
        typer.Option("--plugins", metavar="PATTERN", help="An id, `prefix.*` or `*`; may be repeated."),
    ],
    name: Annotated[
        str, typer.Option("--name", metavar="N", help="How you call them; default: the key's comment.")
    ] = "",
    max_capability: Annotated[
        list[str] | None,
        typer.Option("--max-capability", metavar="C", help="Never more than these; may be repeated."),
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a publisher's signature count for some plugins."""
    from pp_host.app.operator import record_operator
    from pp_host.home import Home
    from pp_host.trust import files
    from pp_host.trust.truststore import TrustStore, enrol, succeeding

    place = Home.open(home)
    existing(key, "name the file of the publisher's public key; yours is made by pp plugin keygen")
    text = files.read(key, LIMITS.package.key_bytes).decode("ascii", "replace")
    try:
        publisher = enrol(text, name, plugins, max_capability)
    except OperatorError as error:
        raise OperatorError(f"{key}: {error}", hint=error.hint) from None
    with files.locked(place.root):
        store = TrustStore.open(place.trust_file)
        old = store.find(publisher.keyid)
        publisher, others = succeeding(publisher, store, name, place.trust_file)
        changed = others.with_key(publisher)
        document = _facts(publisher)
        record_operator(place, "trust.add", document)
        changed.save(place.trust_file)
    if old is not None:
        _tell_change(old, publisher)
    show(document, lambda console: _draw(console, (publisher,)), as_json=as_json)


@app.command(name="list")
def list_(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Every enrolled publisher."""
    from pp_host.home import Home
    from pp_host.trust.truststore import TrustStore

    keys = TrustStore.open(Home.open(home).trust_file).keys
    show({"keys": [_facts(key) for key in keys]}, lambda console: _draw(console, keys), as_json=as_json)


def _tell_change(old: TrustedKey, new: TrustedKey) -> None:
    was, now = ", ".join(old.plugins), ", ".join(new.plugins)
    sys.stderr.write(printable(f"pp: note: {old.name} is enrolled already for {was}; now for {now}") + "\n")


def _facts(key: TrustedKey) -> dict[str, Any]:
    import msgspec

    facts: dict[str, Any] = msgspec.to_builtins(key)
    return facts


def _draw(console: Console, keys: tuple[TrustedKey, ...]) -> None:
    from rich.text import Text

    table = folding("publisher", "keyid", "plugins", "never more than")
    for key in keys:
        ceiling = (
            "no ceiling" if key.max_capabilities is None else ", ".join(key.max_capabilities) or "nothing"
        )
        row = (key.name, key.keyid, ", ".join(key.plugins), ceiling)
        table.add_row(*(Text(printable(part)) for part in row))
    console.print(table if keys else "Nobody is trusted here: pp trust add KEY --plugins PATTERN")
