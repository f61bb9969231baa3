"""Signed notes and checkpoints as C2SP signed-note and tlog-checkpoint define them, with Ed25519 (type 0x01).

Laws: `open_note` returns text only after a signature of the one known key was verified; a note that is not
spelled exactly as the specification says is refused. A checkpoint has three lines and no extensions. The
record's key signs checkpoints and nothing else, and lies in a file of its own (PKCS8 PEM, 0600) beside its
verifier key.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from pp_host import disk
from pp_host.errors import OperatorError, RecordError
from pp_host.limits import LIMITS
from pp_host.record.merkle import HASH_BYTES

ED25519 = b"\x01"
_KEY_ID_BYTES = 4
_NAME = re.compile(r"[^\s+\x00-\x1f]+\Z")
_SIZE = re.compile(r"(0|[1-9][0-9]{0,18})\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Verifier:
    """The public half: the log's name and 32 bytes of Ed25519 key."""

    name: str
    public: bytes

    def __post_init__(self) -> None:
        if not _NAME.match(self.name):
            raise OperatorError(f"record origin {self.name!r} is empty or holds a space or plus sign")

    @classmethod
    def parse(cls, vkey: str) -> Verifier:
        """Read `name+keyid+base64`; OperatorError when any part is not exactly so."""
        name, _, rest = vkey.partition("+")
        key_id, _, key = rest.partition("+")
        material = _base64(key)
        if material is None or len(material) != 1 + 32 or material[:1] != ED25519:
            raise OperatorError("verifier key: not an Ed25519 key in the form name+id+base64")
        verifier = cls(name, material[1:])
        if verifier.key_id.hex() != key_id:
            raise OperatorError(f"verifier key: its id is {verifier.key_id.hex()}, not {key_id!r}")
        return verifier

    @property
    def key_id(self) -> bytes:
        return sha256(self.name.encode() + b"\n" + ED25519 + self.public).digest()[:_KEY_ID_BYTES]

    @property
    def vkey(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(ED25519 + self.public).decode()}"


@dataclass(frozen=True, slots=True)
class RecordKey:
    """The record's private key; its name is the origin of the log it signs for."""

    private: Ed25519PrivateKey

    def verifier(self, origin: str) -> Verifier:
        return Verifier(origin, self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree head: `root` is the hash over the first `size` entries of the log called `origin`."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Read a note's text; RecordError unless it is three lines in their only spelling."""
        lines = text.split("\n")
        if len(lines) != 4 or lines[3] or not _SIZE.match(lines[1]):
            raise RecordError("checkpoint: not three lines of origin, size and root")
        root = _base64(lines[2])
        if root is None or len(root) != HASH_BYTES:
            raise RecordError("checkpoint: the root is not a hash")
        return cls(lines[0], int(lines[1]), root)


def generate_key(path: Path, origin: str) -> RecordKey:
    """Make a key, write it to `path` (0600, never over another file) and its verifier key to `path`.vkey."""
    key = RecordKey(Ed25519PrivateKey.generate())
    vkey = key.verifier(origin).vkey
    pem = key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _write_new(path, pem, mode=0o600)
    _write_new(vkey_path(path), vkey.encode() + b"\n", mode=0o644)
    return key


def load_key(path: Path) -> RecordKey:
    """Read a key of `generate_key`'s; OperatorError when missing or not Ed25519, Refused when open to others."""
    try:
        pem = disk.read(path, LIMITS.package.key_bytes, forbidden=0o077)
        private = load_pem_private_key(pem, password=None)
    except OSError as error:
        hint = _remedy(error, absent="pp init makes a home with its keys")
        raise OperatorError(f"{path}: {error.strerror}", hint=hint) from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise OperatorError(f"{path}: not an unencrypted PKCS8 key in PEM form") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise OperatorError(f"{path}: not an Ed25519 key")
    return RecordKey(private)


def load_verifier(path: Path) -> Verifier:
    """Read a .vkey file; OperatorError when it is missing or malformed."""
    try:
        vkey = disk.read(path, LIMITS.package.key_bytes).decode("ascii")
        return Verifier.parse(vkey.removesuffix("\n"))
    except OSError as error:
        hint = _remedy(error, absent="the home that writes the record has it as keys/record.vkey")
        raise OperatorError(f"{path}: {error.strerror}", hint=hint) from error
    except UnicodeDecodeError as error:
        raise OperatorError(f"{path}: a verifier key is ASCII") from error


def _remedy(error: OSError, *, absent: str) -> str:
    return absent if isinstance(error, FileNotFoundError) else "it has to be a file that you may read"


def vkey_path(key_path: Path) -> Path:
    return key_path.with_name(key_path.name + ".vkey")


def sign_note(text: str, key: RecordKey, verifier: Verifier) -> bytes:
    """`text` (which ends in a newline) with one signature line by `key`, whose public half is `verifier`."""
    signature = base64.b64encode(verifier.key_id + key.private.sign(text.encode())).decode()
    return f"{text}\n— {verifier.name} {signature}\n".encode()


def open_note(note: bytes, verifier: Verifier) -> str:
    """The text of a note that `verifier` signed; RecordError. Other keys' signatures are ignored."""
    text, signatures = _split(note)
    public = Ed25519PublicKey.from_public_bytes(verifier.public)
    ours = [
        signature[_KEY_ID_BYTES:]
        for name, signature in signatures
        if (name, signature[:_KEY_ID_BYTES]) == (verifier.name, verifier.key_id)
    ]
    if not ours:
        raise RecordError(f"note: not signed by {verifier.name} ({verifier.key_id.hex()})")
    try:
        for signature in ours:
            public.verify(signature, text.encode())
    except InvalidSignature as error:
        raise RecordError(f"note: the signature of {verifier.name} is wrong") from error
    return text


def _split(note: bytes) -> tuple[str, list[tuple[str, bytes]]]:
    if len(note) > LIMITS.record.note_bytes:
        raise RecordError(f"note: longer than {LIMITS.record.note_bytes} bytes")
    try:
        whole = note.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RecordError("note: not UTF-8") from error
    if any(c < " " and c != "\n" for c in whole):
        raise RecordError("note: holds a control character")
    text, blank, tail = whole.rpartition("\n\n")
    if not blank or not text or not tail.endswith("\n"):
        raise RecordError("note: not a text, a blank line and signature lines")
    return text + "\n", [_signature(line) for line in tail[:-1].split("\n")]


def _signature(line: str) -> tuple[str, bytes]:
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    signature = _base64(encoded)
    if dash != "—" or not _NAME.match(name) or signature is None or len(signature) <= _KEY_ID_BYTES:
        raise RecordError("note: a signature line is not em dash, name and base64")
    return name, signature


def _base64(text: str) -> bytes | None:
    """Standard base64 in its only canonical spelling, else None."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if base64.b64encode(data).decode() == text else None


def _write_new(path: Path, content: bytes, *, mode: int) -> None:
    try:
        disk.create(path, content, mode)
    except OSError as error:
        raise OperatorError(f"{path}: {error.strerror}", hint="keys are never overwritten") from error
