"""The door: from two byte strings and a trust store to code that may run, or a numbered refusal.

Laws: `verify` is the only maker of a VerifiedPlugin, and it holds the very bytes that were checked; nothing
is read again afterwards. The archive is opened only once its publisher is known. There is no way around a
check.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import InitVar, dataclass
from datetime import datetime
from types import MappingProxyType

from pp_sdk.types import Brief

from pp_host.errors import OperatorError, Refused
from pp_host.trust import archive, envelope, manifest
from pp_host.trust.briefs import read_briefs
from pp_host.trust.capability import use
from pp_host.trust.keys import SigningKey
from pp_host.trust.manifest import Manifest
from pp_host.trust.schema import Schema
from pp_host.trust.truststore import TrustedKey, TrustStore

_EARNED = object()


class Rejected(Refused):
    """`check`: the number of the failed check, as in this file; `reason`: one line."""

    def __init__(self, check: int, reason: str, *, hint: str = "") -> None:
        super().__init__(f"check {check}: {reason}", hint=hint)
        self.check = check
        self.reason = reason


@dataclass(frozen=True, slots=True)
class VerifiedPlugin:
    """A plugin whose bytes passed every check. Digests are sha256 in hex; `files` is what `archive` holds."""

    archive: bytes
    digest: str
    files: Mapping[str, bytes]
    manifest: Manifest
    manifest_digest: str
    schema: Schema | None
    briefs: tuple[Brief, ...]
    keyid: str
    publisher: str
    earned: InitVar[object]

    def __post_init__(self, earned: object) -> None:
        if earned is not _EARNED:
            raise TypeError("only admit.verify makes a VerifiedPlugin")


def verify(package: bytes, sidecar: bytes, trust: TrustStore, *, archive_name: str) -> VerifiedPlugin:
    """Judge a package by its bytes; `archive_name` is the file name it came under. Errors: Rejected."""
    # 1 strict envelope and statement
    signed = _decoded(sidecar)
    # 2 signature by some enrolled key, whose rule covers the plugin's id
    publisher = _signer(signed, trust)
    said = signed.statement.predicate
    # 3 this archive is the one the statement is about
    digest = hashlib.sha256(package).hexdigest()
    if digest != signed.statement.subject[0].digest.sha256:
        raise Rejected(3, f"the archive is not the one that was signed (sha256 {digest[:16]}...)")
    if archive_name != signed.statement.archive_name:
        raise Rejected(3, f"signed as {signed.statement.archive_name}, but named {archive_name}")
    # 4 only now is the archive opened: canonical round trip and names
    files = _opened(package)
    # 5 plugin.yaml valid; its digest, id and version are those of the statement
    asked, schema = _described(files)
    _check_host(asked)
    manifest_digest = hashlib.sha256(files[manifest.FILE]).hexdigest()
    if (asked.id, asked.version, manifest_digest) != (said.id, said.version, said.manifest):
        raise Rejected(5, f"{manifest.FILE} is not the one that was signed")
    # 6 capabilities within the publisher's ceiling
    names = [use(capability) for capability in asked.capabilities]
    if not publisher.allows(names):
        above = sorted(set(names) - set(publisher.max_capabilities or ()))
        raise Rejected(6, f"{publisher.name} may not ask for {', '.join(above)}")
    return VerifiedPlugin(
        archive=package,
        digest=digest,
        files=MappingProxyType(files),
        manifest=asked,
        manifest_digest=manifest_digest,
        schema=schema,
        briefs=read_briefs(asked.briefs, files, manifest.FILE),
        keyid=publisher.keyid,
        publisher=publisher.name,
        earned=_EARNED,
    )


def attest(package: bytes, key: SigningKey, *, archive_name: str, now: datetime) -> bytes:
    """The sidecar that says `key`'s owner stands for this package, after checks 4 and 5. Errors: Rejected."""
    files = _opened(package)
    described, _ = _described(files)
    digest, manifest_digest = (hashlib.sha256(data).hexdigest() for data in (package, files[manifest.FILE]))
    statement = envelope.state(digest, described.id, described.version, manifest_digest, now)
    if archive_name != statement.archive_name:
        raise Rejected(5, f"{archive_name} holds {statement.archive_name}", hint="rename the file")
    return envelope.sign(statement, key)


def _decoded(sidecar: bytes) -> envelope.Sidecar:
    try:
        signed = envelope.decode(sidecar)
    except OperatorError as error:
        raise Rejected(1, str(error), hint=error.hint) from None
    name = signed.statement.subject[0].name
    if name != signed.statement.archive_name:
        raise Rejected(1, f"the statement is about {name}, its plugin is {signed.statement.archive_name}")
    return signed


def _signer(signed: envelope.Sidecar, trust: TrustStore) -> TrustedKey:
    publisher = trust.find(signed.keyid)
    if publisher is None:
        hint = "if you know this publisher: pp trust add KEY --plugins PATTERN"
        raise Rejected(2, f"signed by a key that is not enrolled ({signed.keyid[:16]}...)", hint=hint)
    try:
        statement = signed.check(publisher.key)
    except OperatorError as error:
        raise Rejected(2, f"{publisher.name}: {error}") from None
    if not publisher.covers(statement.predicate.id):
        raise Rejected(2, f"{publisher.name} may not sign {statement.predicate.id}")
    return publisher


def _opened(package: bytes) -> dict[str, bytes]:
    try:
        return archive.read(package)
    except OperatorError as error:
        raise Rejected(4, str(error), hint=error.hint) from None


def _described(files: Mapping[str, bytes]) -> tuple[Manifest, Schema | None]:
    try:
        return manifest.of_package(files)
    except OperatorError as error:
        raise Rejected(5, str(error), hint=error.hint) from None


def _check_host(asked: Manifest) -> None:
    try:
        asked.check_host(sys.version_info[:3])
    except OperatorError as error:
        raise Rejected(5, str(error)) from None
