"""The sidecar: a Sigstore bundle v0.3 with a DSSE envelope over an in-toto Statement v1.

Laws: one spelling per content, outside and inside: `encode(decode(b)) == b` for the bundle, and for the
statement in its payload, so that a flipped bit anywhere is refused. The bundle names its key twice (hint
and keyid) and both must be the key that verifies. What was signed are bytes, never a re-serialised object.
Specs: in-toto Statement v1, DSSE v1, sigstore bundle v0.3.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from pp_host.errors import OperatorError
from pp_host.limits import LIMITS
from pp_host.trust.archive import SIDECAR_SUFFIX as SIDECAR_SUFFIX
from pp_host.trust.archive import SUFFIX
from pp_host.trust.keys import PublicKey, SigningKey

_PAYLOAD_TYPE = b"application/vnd.in-toto+json"

Sha256 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Moment = Annotated[str, Meta(pattern=r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z")]


class _Exact(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """JSON with these keys, in this order, and no others."""


class Digest(_Exact, frozen=True):
    sha256: Sha256


class Subject(_Exact, frozen=True):
    name: str
    digest: Digest


class Predicate(_Exact, frozen=True):
    id: str
    version: str
    created: Moment
    manifest: Sha256


class Statement(_Exact, frozen=True):
    """What the publisher says: this archive is this version of this plugin, and this is its manifest."""

    type: Literal["https://in-toto.io/Statement/v1"] = msgspec.field(name="_type")
    subject: tuple[Subject]
    predicate_type: Literal["https://probablyprofit.dev/plugin/v1"]
    predicate: Predicate

    @property
    def archive_name(self) -> str:
        return f"{self.predicate.id}-{self.predicate.version}{SUFFIX}"


class _Hint(_Exact, frozen=True):
    hint: str


class _Material(_Exact, frozen=True):
    public_key: _Hint
    tlog_entries: tuple[()]


class _Signature(_Exact, frozen=True):
    sig: str
    keyid: Sha256


class _Envelope(_Exact, frozen=True):
    payload: str
    payload_type: Literal["application/vnd.in-toto+json"]
    signatures: tuple[_Signature]


class _Bundle(_Exact, frozen=True):
    media_type: Literal["application/vnd.dev.sigstore.bundle.v0.3+json"]
    verification_material: _Material
    dsse_envelope: _Envelope


class Sidecar(Struct, frozen=True):
    """A sidecar in its only spelling; nothing in it is true before `check`."""

    statement: Statement
    payload: bytes
    keyid: str
    signature: bytes

    def check(self, key: PublicKey) -> Statement:
        """The statement, if `key` signed it. Errors: Refused."""
        key.verify(self.signature, pae(self.payload))
        return self.statement


def pae(payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: the bytes that are signed."""
    return b"DSSEv1 %d %s %d %s" % (len(_PAYLOAD_TYPE), _PAYLOAD_TYPE, len(payload), payload)


def state(
    archive_digest: str, plugin_id: str, version: str, manifest_digest: str, now: datetime
) -> Statement:
    """The statement about one archive; `now` is an aware time, digests are sha256 in hex."""
    created = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    subject = Subject(f"{plugin_id}-{version}{SUFFIX}", Digest(archive_digest))
    return Statement(
        type="https://in-toto.io/Statement/v1",
        subject=(subject,),
        predicate_type="https://probablyprofit.dev/plugin/v1",
        predicate=Predicate(plugin_id, version, created, manifest_digest),
    )


def sign(statement: Statement, key: SigningKey) -> bytes:
    """The bytes of the sidecar file."""
    payload = msgspec.json.encode(statement)
    return encode(Sidecar(statement, payload, key.public.keyid, key.sign(pae(payload))))


def encode(sidecar: Sidecar) -> bytes:
    signature = _Signature(_base64(sidecar.signature), sidecar.keyid)
    bundle = _Bundle(
        "application/vnd.dev.sigstore.bundle.v0.3+json",
        _Material(_Hint(_base64(bytes.fromhex(sidecar.keyid))), ()),
        _Envelope(_base64(sidecar.payload), "application/vnd.in-toto+json", (signature,)),
    )
    return msgspec.json.encode(bundle) + b"\n"


def decode(data: bytes) -> Sidecar:
    """The sidecar that these bytes, and only these, spell. Errors: OperatorError."""
    if len(data) > LIMITS.package.sidecar_bytes:
        raise OperatorError(f"the signature file is larger than {LIMITS.package.sidecar_bytes:,} bytes")
    try:
        envelope = msgspec.json.decode(data, type=_Bundle).dsse_envelope
        (signature,) = envelope.signatures
        payload = b64decode(envelope.payload, validate=True)
        statement = msgspec.json.decode(payload, type=Statement)
        sidecar = Sidecar(statement, payload, signature.keyid, b64decode(signature.sig, validate=True))
    except (msgspec.DecodeError, ValueError, RecursionError) as error:  # of base64 too
        raise OperatorError(f"the signature file is malformed: {error}") from None
    if encode(sidecar) != data or msgspec.json.encode(statement) != payload or not payload.isascii():
        raise OperatorError(
            "the signature file is not in its canonical spelling", hint="sign it with `pp plugin sign`"
        )
    return sidecar


def _base64(data: bytes) -> str:
    return b64encode(data).decode()
