from __future__ import annotations

import json
import os
import struct
from base64 import b64decode, b64encode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pp_host.errors import OperatorError, Refused
from pp_host.limits import LIMITS
from pp_host.trust.keys import PublicKey, SigningKey, read_public

SHARED = Path(os.environ.get("PP_SHARED", Path(__file__).parents[4] / "shared"))
WYCHEPROOF = SHARED / "vectors" / "ed25519_wycheproof.json"

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P


def never() -> bytes:
    raise AssertionError("no passphrase should be asked for")


def spell(y: int, sign: int = 0) -> bytes:
    return (y | sign << 255).to_bytes(32, "little")


# --- public keys that prove nothing ---


def times(n: int, point: tuple[int, int]) -> tuple[int, int]:
    """n * point on the twisted Edwards curve, by the affine addition law."""
    total = (0, 1)
    for _ in range(n):
        (x1, y1), (x2, y2) = total, point
        k = D * x1 * x2 * y1 * y2
        total = (
            (x1 * y2 + x2 * y1) * pow(1 + k, -1, P) % P,
            (y1 * y2 + x1 * x2) * pow(1 - k, -1, P) % P,
        )
    return total


def point_of(y: int) -> tuple[int, int] | None:
    """A point with this y, or None when the curve has none."""
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    root = pow(square, (P + 3) // 8, P)
    for x in (root, root * pow(2, (P - 1) // 4, P) % P):
        if x * x % P == square:
            return x, y
    return None


ORDER_EIGHT = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
TORSION = [1, P - 1, 0, ORDER_EIGHT, P - ORDER_EIGHT]


def test_the_small_order_points_of_this_test_are_the_eight():
    points = {(x, y) for value in TORSION for x, y in [point_of(value)]} | {
        (P - x, y) for x, y in map(point_of, TORSION)
    }
    assert len({(x % P, y) for x, y in points}) == 8
    assert all(times(8, point) == (0, 1) for point in points)


@pytest.mark.parametrize("sign", [0, 1])
@pytest.mark.parametrize("y", TORSION)
def test_small_order_keys_are_refused(y, sign):
    with pytest.raises(OperatorError, match="small order"):
        PublicKey(spell(y, sign))


@pytest.mark.parametrize("sign", [0, 1])
@pytest.mark.parametrize("y", [P, P + 1, P + 3, P + 18])
def test_second_spellings_are_refused(y, sign):
    with pytest.raises(OperatorError, match="not a canonical"):
        PublicKey(spell(y, sign))


def test_their_neighbours_pass():
    assert PublicKey(spell(P - 2)).raw == spell(P - 2)
    assert PublicKey(spell(3, 1)).raw == spell(3, 1)


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_other_lengths_are_refused(length):
    with pytest.raises(OperatorError, match="not a canonical"):
        PublicKey(b"\5" * length)


def test_the_library_alone_would_accept_anything_from_a_small_order_key():
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    identity = spell(1)
    Ed25519PublicKey.from_public_bytes(identity).verify(identity + bytes(32), b"any message at all")


# --- verifying ---


@pytest.mark.skipif(not WYCHEPROOF.exists(), reason="test vectors are not here")
def test_wycheproof():
    groups = json.loads(WYCHEPROOF.read_text())["testGroups"]
    count = 0
    for group in groups:
        key = PublicKey(bytes.fromhex(group["publicKey"]["pk"]))
        for case in group["tests"]:
            try:
                key.verify(bytes.fromhex(case["sig"]), bytes.fromhex(case["msg"]))
                verdict = "valid"
            except Refused:
                verdict = "invalid"
            assert verdict == case["result"], case["comment"]
            count += 1
    assert count == 151


def test_sign_and_verify(publisher, stranger):
    signature = publisher.sign(b"message")
    publisher.public.verify(signature, b"message")
    for key, message in ((publisher.public, b"massage"), (stranger.public, b"message")):
        with pytest.raises(Refused, match="not by this key"):
            key.verify(signature, message)


# --- files ---


def test_public_line_round_trip(publisher):
    line = publisher.public.line("me@example.org")
    assert line.startswith("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI")
    assert read_public(line) == (publisher.public, "me@example.org")
    assert read_public(line + "\n") == (publisher.public, "me@example.org")
    assert read_public(publisher.public.line()) == (publisher.public, "")


def test_keyid_is_the_digest_of_the_spki(publisher):
    import hashlib

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import PublicFormat

    der = Ed25519PublicKey.from_public_bytes(publisher.public.raw).public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )
    assert publisher.public.keyid == hashlib.sha256(der).hexdigest()


def wire(kind: bytes, key: bytes) -> str:
    return b64encode(struct.pack(">I", len(kind)) + kind + struct.pack(">I", len(key)) + key).decode()


@pytest.mark.parametrize(
    "line",
    [
        "",
        "ssh-ed25519",
        "ssh-rsa " + wire(b"ssh-ed25519", b"\5" * 32),
        "ssh-ed25519 " + wire(b"ssh-ed25519", b"\5" * 32)[:-4],
        "ssh-ed25519 " + wire(b"ssh-ed25510", b"\5" * 32),
        "ssh-ed25519 " + wire(b"ssh-ed25519", b"\5" * 31) + "A",
        "ssh-ed25519 " + "-" * 68,
        "ssh-ed25519 " + wire(b"ssh-ed25519", b"\5" * 32) + " caf\u00e9",
        "ssh-ed25519 " + wire(b"ssh-ed25519", b"\5" * 32) + " a\nssh-ed25519 b",
        'from="x" ssh-ed25519 ' + wire(b"ssh-ed25519", b"\5" * 32),
    ],
)
def test_other_lines_are_refused(line):
    with pytest.raises(OperatorError, match="not an Ed25519 public key"):
        read_public(line)


def test_a_small_order_line_is_refused():
    with pytest.raises(OperatorError, match="small order"):
        read_public("ssh-ed25519 " + wire(b"ssh-ed25519", spell(1)))


def test_private_file_without_passphrase(publisher):
    assert SigningKey.read(publisher.openssh(None), never).public == publisher.public


def test_private_file_with_passphrase(publisher):
    sealed = publisher.openssh(b"correct horse")
    assert SigningKey.read(sealed, lambda: b"correct horse").public == publisher.public
    with pytest.raises(OperatorError, match="another passphrase"):
        SigningKey.read(sealed, lambda: b"wrong")
    body = b64decode(b"".join(sealed.splitlines()[1:-1]))
    rounds = int.from_bytes(body[body.index(b"bcrypt") + 6 + 8 + 16 :][:4], "big")
    assert rounds == LIMITS.package.key_rounds >= 64


def test_other_private_files_are_refused():
    other = generate_private_key(SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()
    )
    with pytest.raises(OperatorError, match="not an Ed25519 key"):
        SigningKey.read(other, never)
    for junk in (
        b"",
        b"ssh-ed25519 AAAA",
        b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
    ):
        with pytest.raises(OperatorError, match="not an OpenSSH private key"):
            SigningKey.read(junk, never)


def test_generated_keys_differ():
    assert SigningKey.generate().public != SigningKey.generate().public
