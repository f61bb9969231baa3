"""`pp plugin`: the author's side (keygen, pack, sign, verify), the operator's (install, remove, list, show)."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pp_host.cli.output import HomeOption, JsonOption, existing, opened, printable, show
from pp_host.errors import OperatorError, Refused
from pp_host.limits import LIMITS

if TYPE_CHECKING:
    from rich.console import Console

    from pp_host.home import Home
    from pp_host.trust.admit import Rejected
    from pp_host.trust.grants import Grant, Wish
    from pp_host.trust.keys import SigningKey
    from pp_host.trust.store import Offer, Store

NO_PACKAGE = "name a package, NAME-VERSION.ppz; pp plugin pack DIR makes one"

app = typer.Typer(help="Make, sign, check and install plugins.", no_args_is_help=True)

PackageFile = Annotated[Path, typer.Argument(metavar="FILE", help="A package, NAME-VERSION.ppz.")]
PassphraseFile = Annotated[
    Path | None,
    typer.Option("--passphrase-file", metavar="F", help="A file of mode 0600 that holds the passphrase."),
]


@app.command()
def keygen(
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="The private key's file; the public one is OUT.pub.")
    ],
    passphrase_file: PassphraseFile = None,
    _home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a publisher's key, in OpenSSH's format."""
    from pp_host.trust import files
    from pp_host.trust.keys import SigningKey

    if not out.name:
        raise OperatorError(f"{out}: a folder, not a file", hint="name the key's file, such as my-key")
    public = out.with_name(out.name + ".pub")
    passphrase = _passphrase_in(passphrase_file) if passphrase_file else None
    key = SigningKey.generate()
    files.create(out, key.openssh(passphrase), 0o600)
    try:
        files.create(public, key.public.line(out.name).encode() + b"\n", 0o644)
    except OperatorError:
        out.unlink()
        raise
    if passphrase is None:
        name = printable(str(out))
        sys.stderr.write(f"pp: warning: {name} has no passphrase: whoever reads it can sign in your name\n")
    names = {"private": str(out), "public": str(public), "keyid": key.public.keyid}
    document = {**names, "passphrase": passphrase is not None}
    show(document, _told(str(public), f"keyid {key.public.keyid}"), as_json=as_json)


@app.command()
def pack(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The plugin's folder, with plugin.yaml in it.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the package goes.")] = Path(),
    _home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pack a folder into one canonical file: the same bytes on every machine."""
    import hashlib

    from pp_host.trust import archive, files, manifest

    existing(folder, f"name your plugin's folder, the one that holds {manifest.FILE}")
    members = archive.pack_folder(folder)
    described, _ = manifest.of_package(members)
    package = archive.write(members)
    path = out / f"{described.id}-{described.version}{archive.SUFFIX}"
    files.write(path, package, 0o644)
    digest = hashlib.sha256(package).hexdigest()
    document = {"path": str(path), "digest": digest, "files": sorted(members), "bytes": len(package)}
    show(document, _told(str(path), f"sha256 {digest}"), as_json=as_json)


@app.command()
def sign(
    file: PackageFile,
    key: Annotated[Path | None, typer.Option("--key", metavar="K", help="Your private key.")] = None,
    dev: Annotated[bool, typer.Option("--dev", help="Sign with this home's development key.")] = False,
    passphrase_file: PassphraseFile = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sign a package, after checks 4 and 5, into FILE.sigstore.json beside it."""
    from pp_host.trust import files
    from pp_host.trust.admit import attest
    from pp_host.trust.envelope import SIDECAR_SUFFIX

    if dev == (key is not None):
        raise OperatorError("name one key", hint="--key K for a publisher's key, --dev for this home's own")
    existing(file, NO_PACKAGE)
    signing = _signing_key(opened(home).keys / "dev" if key is None else key, passphrase_file)
    package = files.read(file, LIMITS.package.archive_bytes)
    sidecar = file.with_name(file.name + SIDECAR_SUFFIX)
    files.write(sidecar, attest(package, signing, archive_name=file.name, now=datetime.now(UTC)), 0o644)
    keyid = signing.public.keyid
    show({"path": str(sidecar), "keyid": keyid}, _told(str(sidecar), f"keyid {keyid}"), as_json=as_json)


@app.command()
def verify(file: PackageFile, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Check a package as install would, by the numbered checks; nothing is installed."""
    from pp_host.app.operator import store_of
    from pp_host.trust.admit import Rejected
    from pp_host.trust.truststore import TrustStore

    place = opened(home)
    existing(file, NO_PACKAGE)
    document: dict[str, Any] = {"ok": True, "check": None, "reason": ""}
    try:
        plugin, _ = store_of(place).examine(file, TrustStore.open(place.trust_file))
    except Rejected as rejected:
        if not as_json:
            raise _hinted(rejected) from None
        document = {"ok": False, "check": rejected.check, "reason": rejected.reason}
        show(document | dict.fromkeys(("id", "version", "digest", "keyid")), _told(), as_json=True)
        raise typer.Exit(rejected.exit_status) from None
    described = plugin.manifest
    document |= {
        "id": described.id,
        "version": described.version,
        "digest": plugin.digest,
        "keyid": plugin.keyid,
    }
    line = f"ok: {described.id} {described.version} by {plugin.publisher}, sha256 {plugin.digest}"
    show(document, _told(line, f"keyid {plugin.keyid}"), as_json=as_json)


@app.command()
def install(
    file: PackageFile,
    grant: Annotated[
        Path | None, typer.Option("--grant", metavar="F", help="JSON that narrows what the plugin asks for.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Grant without asking.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Verify a package, show what it asks for, and grant it."""
    from pp_host.app.operator import install_subject, record_operator, store_of
    from pp_host.app.removal import check_heir
    from pp_host.trust.grants import Wish, read_wish

    place = opened(home)
    existing(file, NO_PACKAGE)
    store = store_of(place)
    offer = _offer(place, store, file, read_wish(grant) if grant else Wish())
    check_heir(place, offer.grant)
    if not yes:
        _ask(offer, as_json=as_json)

    def record(agreed: Grant) -> None:
        check_heir(place, agreed)  # again: a person may have taken long, and others may have been at work
        record_operator(place, "plugin.install", install_subject(agreed))

    store.install(offer, record)
    line = f"installed {offer.grant.id} {offer.grant.version}, sha256 {offer.grant.digest}"
    show(_facts(offer.grant), _told(line, *_next_step(place, offer.grant)), as_json=as_json)


@app.command()
def remove(
    plugin: Annotated[str, typer.Argument(metavar="ID", help="An installed plugin.")],
    keep_data: Annotated[
        bool, typer.Option("--keep-data", help="Leave what it keeps for a later installation.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Erase without asking.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take an installed plugin out of the home, and erase what it keeps."""
    from pp_host.app.removal import remove as take_out

    def agree(subject: Mapping[str, Any]) -> None:
        if not yes and not keep_data and (subject["value_bytes"] or subject["files"]):
            _ask_to_erase(subject, as_json=as_json)

    document = take_out(opened(home), plugin, keep_data=keep_data, agree=agree)
    line = f"{plugin} was not installed; something of it was left"
    if document["digest"]:
        line = f"removed {plugin} {document['version']}, sha256 {document['digest']}"
    show(document, _told(line, f"{document['data']}: {_keeps(document)}"), as_json=as_json)


@app.command(name="list")
def list_(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """What is installed, and what it was granted."""
    from pp_host.app.inventory import installed
    from pp_host.cli.consent import draw_installed

    found = installed(opened(home))
    document = {"plugins": [_facts(one.grant) | {"kind": one.kind, "state": one.state} for one in found]}
    show(document, lambda console: draw_installed(console, found), as_json=as_json)


@app.command(name="show")
def show_(
    plugin: Annotated[str, typer.Argument(metavar="ID", help="An installed plugin.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """One installed plugin, verified anew: what it is, and what it may do."""
    import msgspec

    from pp_host.app.kept import kept
    from pp_host.app.operator import store_of
    from pp_host.cli.consent import draw_kept, draw_plugin
    from pp_host.trust.truststore import TrustStore

    place = opened(home)
    store = store_of(place)
    ids = [one.id for one in store.installed()]
    near = [one for one in ids if one.endswith(f".{plugin}")]
    if near and plugin not in ids:
        raise OperatorError(f"{plugin}: not installed", hint=f"did you mean {' or '.join(near)}?")
    verified, grant = store.load(plugin, TrustStore.open(place.trust_file))
    found = kept(place, plugin)
    document = _facts(grant) | {
        "manifest": msgspec.to_builtins(verified.manifest),
        "files": sorted(verified.files),
        "texts": {brief.name: brief.text for brief in verified.briefs},
        "storage": found,
    }

    def draw(console: Console) -> None:
        draw_plugin(console, verified, grant)
        draw_kept(console, grant, found)

    show(document, draw, as_json=as_json)


def _next_step(place: Home, grant: Grant) -> list[str]:
    """What pp.toml needs before the plugin runs, when it says nothing of it yet."""
    from pp_host.config import load
    from pp_host.trust.capability import DecisionPropose

    try:
        if grant.id in load(place.config_file, os.environ).plugins:
            return []
    except OperatorError as error:  # it is installed all the same
        return [f"to run it, put this right first: {error}"]
    lines = [f"it runs once {place.config_file} has a section for it:", f'[plugins."{grant.id}"]']
    if len(grant.briefs) > 1:
        lines.append(f'brief = "{next(iter(grant.briefs))}"  # or {", ".join([*grant.briefs][1:])}')
    if grant.held(DecisionPropose):
        lines.append("budget = {order_usd = 10, day_usd = 100, exposure_usd = 50, orders_per_minute = 6}")
    return lines


def _offer(place: Home, store: Store, file: Path, wish: Wish) -> Offer:
    """A verified offer; a rejected package is in the record before the operator hears of it."""
    from pp_host.app.operator import operator_name, record_operator
    from pp_host.trust.admit import Rejected
    from pp_host.trust.truststore import TrustStore

    trust = TrustStore.open(place.trust_file)
    try:
        return store.offer(file, trust, wish, granted_by=operator_name(), now=datetime.now(UTC))
    except Rejected as rejected:
        subject = {"file": file.name, "check": rejected.check, "reason": rejected.reason}
        record_operator(place, "plugin.refused", subject)
        raise _hinted(rejected) from None


def _hinted(rejected: Rejected) -> Rejected:
    """The refusal, with what to do about a package that is not the signed one (check 3)."""
    if rejected.check == 3 and not rejected.hint:
        rejected.hint = (
            "if it is yours, sign it again; else ask its publisher for the package as it was signed"
        )
    return rejected


def _ask(offer: Offer, *, as_json: bool) -> None:
    from pp_host.cli.consent import draw_plugin
    from pp_host.cli.output import console

    if as_json or not sys.stdin.isatty():
        raise Refused(
            f"{offer.grant.id}: nobody here to ask for consent",
            hint="narrow it with --grant FILE where you want to, and add --yes",
        )
    draw_plugin(console(), offer.plugin, offer.grant)
    if not typer.confirm("Grant this?"):
        raise Refused(f"{offer.grant.id}: not granted, nothing was installed")


def _ask_to_erase(subject: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json or not sys.stdin.isatty():
        raise Refused(
            f"{subject['id']}: it keeps {_keeps(subject)}, and nobody is here to ask",
            hint="--yes erases that, --keep-data leaves it",
        )
    if not typer.confirm(f"Erase {_keeps(subject)}?"):
        raise Refused(
            f"{subject['id']}: not agreed, nothing was removed", hint="--keep-data leaves what it keeps"
        )


def _keeps(subject: Mapping[str, Any]) -> str:
    return (
        f"{subject['value_bytes']} bytes of values, {subject['files']} files of {subject['file_bytes']} bytes"
    )


def _facts(grant: Grant) -> dict[str, Any]:
    """A grant as JSON; amounts in micro-units."""
    import msgspec

    from pp_host.app.operator import install_subject

    return install_subject(grant) | {
        "publisher": grant.publisher,
        "capabilities": [msgspec.to_builtins(capability) for capability in grant.capabilities],
        "limits": msgspec.to_builtins(grant.limits),
        "granted_at": grant.granted_at,
        "granted_by": grant.granted_by,
    }


def _signing_key(path: Path, passphrase_file: Path | None) -> SigningKey:
    from pp_host.trust import files
    from pp_host.trust.keys import SigningKey

    def passphrase() -> bytes:
        if passphrase_file is not None:
            return _passphrase_in(passphrase_file)
        if not sys.stdin.isatty():
            raise OperatorError("the key has a passphrase", hint="--passphrase-file F")
        return getpass.getpass(f"Passphrase of {path}: ").encode()

    if files.read(path, LIMITS.package.key_bytes).startswith(b"ssh-"):
        raise OperatorError(f"{path}: that is the public key", hint="name the private one")
    data = files.read_private(path, LIMITS.package.key_bytes)
    try:
        return SigningKey.read(data, passphrase)
    except OperatorError as error:
        raise OperatorError(f"{path}: {error}", hint=error.hint) from None


def _passphrase_in(path: Path) -> bytes:
    from pp_host.trust import files

    passphrase = files.read_private(path, LIMITS.package.key_bytes).removesuffix(b"\n")
    if not passphrase:
        raise OperatorError(f"{path}: holds no passphrase")
    return passphrase


def _told(*lines: str) -> Callable[[Console], None]:
    """Draws plain lines, whole however narrow the terminal is."""
    return lambda console: console.print(*map(printable, lines), sep="\n", markup=False, soft_wrap=True)
