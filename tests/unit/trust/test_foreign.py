"""Other people's programs agree with ours: openssl on signatures, ssh-keygen on keys, unzip on packages."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from pp_host.trust.keys import SigningKey, read_public

DOCS = Path(__file__).parents[3] / "docs" / "TRUST.md"


def needs(*programs: str):
    absent = [program for program in programs if shutil.which(program) is None]
    return pytest.mark.skipif(bool(absent), reason=f"{', '.join(absent)} not installed")


def run(*command: str, cwd: Path, **how) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, **how)
    return done.stdout if done.returncode == 0 else f"failed: {done.stdout}{done.stderr}"


def recipe() -> str:
    """The five lines of docs/TRUST.md, as a reader would paste them."""
    return re.search(r"```sh\n(.*?)```", DOCS.read_text(), re.DOTALL)[1]


@needs("bash", "openssl", "jq", "sha256sum", "base64")
def test_the_documented_lines_verify_a_package(ship, source, publisher):
    folder = ship(source).parent
    (folder / "publisher.pub").write_text(publisher.public.line("me") + "\n")
    lines = recipe()
    assert len(lines.splitlines()) == 5
    output = run(
        "bash",
        "-euc",
        lines,
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "P": "org.example.momentum-1.4.0.ppz"},
    )
    assert "Signature Verified Successfully" in output
    assert "org.example.momentum-1.4.0.ppz: OK" in output


@needs("bash", "openssl", "jq", "sha256sum", "base64")
@pytest.mark.parametrize("victim", ["org.example.momentum-1.4.0.ppz", "publisher.pub"])
def test_the_documented_lines_refuse(ship, source, publisher, stranger, victim):
    folder = ship(source).parent
    (folder / "publisher.pub").write_text(publisher.public.line("me") + "\n")
    if victim == "publisher.pub":
        (folder / victim).write_text(stranger.public.line("me") + "\n")
    else:
        (folder / victim).write_bytes((folder / victim).read_bytes() + b"\n")
    output = run(
        "bash",
        "-euc",
        recipe(),
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "P": "org.example.momentum-1.4.0.ppz"},
    )
    assert output.startswith("failed: ")


@needs("ssh-keygen")
@pytest.mark.parametrize("passphrase", [None, b"correct horse battery"])
def test_ssh_keygen_reads_our_private_key(tmp_path, publisher, passphrase):
    path = tmp_path / "key"
    path.write_bytes(publisher.openssh(passphrase))
    path.chmod(0o600)
    shown = run("ssh-keygen", "-y", "-P", (passphrase or b"").decode(), "-f", "key", cwd=tmp_path)
    assert read_public(shown)[0] == publisher.public
    if passphrase:
        assert run("ssh-keygen", "-y", "-P", "wrong", "-f", "key", cwd=tmp_path).startswith("failed: ")


@needs("ssh-keygen")
@pytest.mark.parametrize("passphrase", ["", "pass"])
def test_we_read_ssh_keygens_key(tmp_path, passphrase):
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "me@host", "-f", "key", cwd=tmp_path)
    key = SigningKey.read((tmp_path / "key").read_bytes(), passphrase.encode)
    assert read_public((tmp_path / "key.pub").read_text()) == (key.public, "me@host")


@needs("openssl")
def test_openssl_reads_our_key_and_gives_the_same_keyid(tmp_path, publisher):
    der = bytes.fromhex("302a300506032b6570032100") + publisher.public.raw
    (tmp_path / "key.der").write_bytes(der)
    shown = run(
        "openssl", "pkey", "-pubin", "-inform", "DER", "-in", "key.der", "-noout", "-text", cwd=tmp_path
    )
    assert publisher.public.raw.hex(":") in "".join(shown.split())
    assert hashlib.sha256(der).hexdigest() == publisher.public.keyid


@needs("unzip")
def test_unzip_tests_our_package(ship, source):
    path = ship(source)
    assert "No errors detected" in run("unzip", "-t", path.name, cwd=path.parent)
