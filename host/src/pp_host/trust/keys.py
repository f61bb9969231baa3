"""Ed25519 keys: OpenSSH files on disk, one-line public keys, and the id a signature names its key by.

Laws: a public key that anybody could sign for (small order) or that has a second spelling (non-canonical)
does not exist here: `PublicKey` refuses it at enrolment and again at use. A private key leaves only as an
OpenSSH file.
Formats: RFC 8032; OpenSSH PROTOCOL.key and RFC 4253 6.6 (public line); RFC 8410 (SPKI).
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    SSHPrivateKeyTypes,
    load_ssh_private_key,
)

from pp_host.errors import OperatorError, Refused
from pp_host.limits import LIMITS

_REMEDY = "make one: `pp plugin keygen`"
_FIELD = 2**255 - 19
_ORDER_EIGHT = int.from_bytes(
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
)
# The y of the eight points whose order divides 8; the sign bit picks x and changes nothing about the order.
_SMALL_ORDER = frozenset({0, 1, _FIELD - 1, _ORDER_EIGHT, _FIELD - _ORDER_EIGHT})

_SPKI = bytes.fromhex("302a300506032b6570032100")  # RFC 8410, before the 32 bytes of the key
_WIRE = b"\0\0\0\x0bssh-ed25519\0\0\0\x20"  # RFC 4253, the same
_LINE = re.compile(r"ssh-ed25519 ([A-Za-z0-9+/]{68})(?: ([\x20-\x7e]{0,200}))?")


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that can check. `raw`: 32 bytes. Errors: OperatorError for a key that proves nothing."""

    raw: bytes

    def __post_init__(self) -> None:
        y = int.from_bytes(self.raw, "little") & (2**255 - 1)
        if len(self.raw) != 32 or y >= _FIELD:
            raise OperatorError("the public key is not a canonical Ed25519 key")
        if y in _SMALL_ORDER:
            raise OperatorError("the public key is of small order: anybody can sign for it")

    @property
    def keyid(self) -> str:
        """sha256 of the SubjectPublicKeyInfo (`openssl pkey -pubin -outform DER | sha256sum`), hex."""
        return hashlib.sha256(_SPKI + self.raw).hexdigest()

    def line(self, comment: str = "") -> str:
        """The key as one line of an OpenSSH `.pub` file, without the newline."""
        return f"ssh-ed25519 {b64encode(_WIRE + self.raw).decode()} {comment}".rstrip()

    def verify(self, signature: bytes, message: bytes) -> None:
        """Errors: Refused."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except InvalidSignature:
            raise Refused("the signature is not by this key") from None


def read_public(text: str) -> tuple[PublicKey, str]:
    """A public key line -> the key and its comment. Errors: OperatorError."""
    line = _LINE.fullmatch(text.strip())
    wire = b64decode(line[1], validate=True) if line else b""
    if line is None or not wire.startswith(_WIRE):
        raise OperatorError("not an Ed25519 public key", hint="one line: `ssh-ed25519 AAAA... comment`")
    return PublicKey(wire[len(_WIRE) :]), line[2] or ""


class SigningKey:
    """A key that can sign; it knows no way to print itself."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = PublicKey(private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    @classmethod
    def generate(cls) -> SigningKey:
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def read(cls, data: bytes, passphrase: Callable[[], bytes]) -> SigningKey:
        """Open an OpenSSH private key; `passphrase` is asked only if it has one. Errors: OperatorError."""
        try:
            private = _unlocked(data, passphrase)
        except (ValueError, UnsupportedAlgorithm):
            raise OperatorError("not an OpenSSH private key, or another passphrase", hint=_REMEDY) from None
        if not isinstance(private, Ed25519PrivateKey):
            raise OperatorError("not an Ed25519 key", hint=_REMEDY)
        return cls(private)

    def sign(self, message: bytes) -> bytes:
        return self._private.sign(message)

    def openssh(self, passphrase: bytes | None) -> bytes:
        """The key as an OpenSSH private key file, usable by ssh-keygen and ssh-agent."""
        return self._private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, _sealed_by(passphrase))


def _unlocked(data: bytes, passphrase: Callable[[], bytes]) -> SSHPrivateKeyTypes:
    try:
        return load_ssh_private_key(data, None)
    except TypeError:  # the library's word for a key that has a passphrase
        return load_ssh_private_key(data, passphrase())


def _sealed_by(passphrase: bytes | None) -> KeySerializationEncryption:
    if passphrase is None:
        return NoEncryption()
    # ssh-keygen stops at 16 or 24 rounds; 64 cost an honest user half a second.
    return PrivateFormat.OpenSSH.encryption_builder().kdf_rounds(LIMITS.package.key_rounds).build(passphrase)
