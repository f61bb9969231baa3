"""Signed notes, checkpoints and the files of the record's key."""

from __future__ import annotations

import base64
import os

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st
from pp_host.errors import OperatorError, RecordError, Refused
from pp_host.limits import LIMITS
from pp_host.record.note import (
    Checkpoint,
    RecordKey,
    Verifier,
    generate_key,
    load_key,
    load_verifier,
    open_note,
    sign_note,
    vkey_path,
)

KEY, OTHER = (RecordKey(Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32)) for n in (1, 2))
OURS, THEIRS = KEY.verifier("example.com/ours"), OTHER.verifier("example.com/theirs")
TEXT = "first\n\nlast ü\n"
NOTE = sign_note(TEXT, KEY, OURS)


def line(note):
    return note.rpartition(b"\n\n")[2]


def test_what_was_signed_is_opened():
    assert open_note(NOTE, OURS) == TEXT


def test_another_keys_signature_is_not_ours():
    with pytest.raises(RecordError, match=r"not signed by example.com/theirs"):
        open_note(NOTE, THEIRS)
    with pytest.raises(RecordError, match=r"not signed by example.com/ours"):
        open_note(NOTE, OTHER.verifier("example.com/ours"))


def test_signatures_of_strangers_are_ignored_beside_ours():
    both = NOTE + line(sign_note(TEXT, OTHER, THEIRS))
    assert open_note(both, OURS) == open_note(both, THEIRS) == TEXT


def test_one_wrong_signature_of_ours_refuses_even_beside_a_right_one():
    wrong = line(sign_note("other text\n", KEY, OURS))
    for note in (NOTE + wrong, TEXT.encode() + b"\n" + wrong + line(NOTE)):
        with pytest.raises(RecordError, match=r"signature of example\.com/ours is wrong"):
            open_note(note, OURS)


def test_every_changed_bit_is_refused():
    for at in range(len(NOTE)):
        for bit in range(8):
            changed = bytearray(NOTE)
            changed[at] ^= 1 << bit
            with pytest.raises(RecordError, match="note: "):
                open_note(bytes(changed), OURS)


@pytest.mark.parametrize(
    ("note", "says"),
    [
        (NOTE.replace("ü".encode(), b"\xfc"), "not UTF-8"),
        (NOTE.replace(b"first", b"fi\trst"), "control character"),
        (NOTE[:-1], "a blank line and signature lines"),
        (b"", "a blank line and signature lines"),
        (b"\n\n" + line(NOTE), "a blank line and signature lines"),
        (NOTE + line(NOTE)[:-4] + b"\n", "em dash, name and base64"),
        (NOTE.replace("— ".encode(), b"- "), "em dash, name and base64"),
        (NOTE.replace(b"example.com/ours ", b"example.com/ours  "), "em dash, name and base64"),
        (NOTE + b" " * LIMITS.record.note_bytes, "longer than"),
    ],
)
def test_a_note_in_any_other_form_is_refused(note, says):
    with pytest.raises(RecordError, match=says):
        open_note(note, OURS)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\tb", "a\u2003b", "a\n"])
def test_a_name_with_spaces_or_plus_is_no_origin(name):
    with pytest.raises(OperatorError, match="record origin"):
        Verifier(name, bytes(32))


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "name",
        OURS.vkey[:-1],
        OURS.vkey + "=",
        OURS.vkey.replace("example", "exempla"),
        OURS.vkey.upper(),
        "n+00000000+" + base64.b64encode(b"\x02" + bytes(32)).decode(),
        "n+00000000+" + base64.b64encode(b"\x01" + bytes(31)).decode(),
    ],
)
def test_a_verifier_key_in_any_other_form_is_refused(vkey):
    with pytest.raises(OperatorError, match="verifier key"):
        Verifier.parse(vkey)
    assert Verifier.parse(OURS.vkey) == OURS


@given(st.integers(0, 2**63), st.binary(min_size=32, max_size=32))
def test_a_checkpoint_is_read_as_written(size, root):
    checkpoint = Checkpoint("example.com/ours", size, root)
    assert Checkpoint.parse(checkpoint.text) == checkpoint
    assert checkpoint.text == f"example.com/ours\n{size}\n{base64.b64encode(root).decode()}\n"


ROOT = base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    "text",
    [
        f"o\n01\n{ROOT}\n",
        f"o\n-1\n{ROOT}\n",
        f"o\n+1\n{ROOT}\n",
        f"o\n\u0661\n{ROOT}\n",
        f"o\n1\n{ROOT}\nextension\n",
        f"o\n1\n{ROOT}",
        f"o\n1\n{ROOT[:-4]}\n",
        f"o\n1\n{ROOT[:-2]}B=\n",
        "o\n1\n",
        "",
    ],
)
def test_a_checkpoint_in_any_other_spelling_is_refused(text):
    with pytest.raises(RecordError, match="checkpoint: "):
        Checkpoint.parse(text)


def test_a_key_is_kept_private_and_read_back(tmp_path):
    path = tmp_path / "record"
    key = generate_key(path, "example.com/ours")
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_key(path).verifier("x") == key.verifier("x")
    assert load_verifier(vkey_path(path)) == key.verifier("example.com/ours")
    assert vkey_path(path).read_text() == key.verifier("example.com/ours").vkey + "\n"


def test_a_key_is_never_overwritten(tmp_path):
    path = tmp_path / "record"
    generate_key(path, "example.com/ours")
    before = path.read_bytes()
    with pytest.raises(OperatorError, match="File exists") as refusal:
        generate_key(path, "example.com/ours")
    assert refusal.value.hint == "keys are never overwritten"
    assert path.read_bytes() == before


def test_a_key_that_others_can_read_is_refused(tmp_path):
    path = tmp_path / "record"
    generate_key(path, "example.com/ours")
    path.chmod(0o640)
    with pytest.raises(Refused, match=r"open to other users \(mode 0640\)") as refusal:
        load_key(path)
    assert refusal.value.hint == f"chmod 0600 {path}"


def test_a_key_is_a_file_of_its_own(tmp_path):
    generate_key(tmp_path / "real", "example.com/ours")
    for load, name in ((load_key, "record"), (load_verifier, "record.vkey")):
        (tmp_path / name).symlink_to(tmp_path / name.replace("record", "real"))
        with pytest.raises(OperatorError, match="symbolic links"):
            load(tmp_path / name)
        (tmp_path / name).unlink()
        (tmp_path / name).write_bytes(b"x" * (LIMITS.package.key_bytes + 1))
        (tmp_path / name).chmod(0o600)
        with pytest.raises(OperatorError, match="larger than"):
            load(tmp_path / name)


def pem(private):
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not an unencrypted PKCS8 key"),
        (b"\x00garbage", "not an unencrypted PKCS8 key"),
        (pem(X25519PrivateKey.generate()), "not an Ed25519 key"),
    ],
)
def test_what_is_no_key_is_refused(tmp_path, content, says):
    path = tmp_path / "record"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(OperatorError, match=says):
        load_key(path)


def test_missing_keys_are_named(tmp_path):
    for load, hint in (
        (load_key, "pp init makes a home with its keys"),
        (load_verifier, "the home that writes the record has it as keys/record.vkey"),
    ):
        with pytest.raises(OperatorError, match=r"record: No such file") as refusal:
            load(tmp_path / "record")
        assert refusal.value.hint == hint


def test_a_key_without_permission_is_not_a_missing_one(tmp_path):
    generate_key(tmp_path / "record", "example.com/ours")
    for load, name in ((load_key, "record"), (load_verifier, "record.vkey")):
        load(tmp_path / name)
        (tmp_path / name).chmod(0)
        if os.access(tmp_path / name, os.R_OK):
            pytest.skip("whoever runs this may read everything")
        with pytest.raises(OperatorError, match=f"{name}: Permission denied") as refusal:
            load(tmp_path / name)
        assert refusal.value.hint == "it has to be a file that you may read"
