"""`pp plugin` and `pp trust`, from a folder of source to an installed plugin, and every way that ends before."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pp_host.cli.main import main

PP = Path(sys.executable).with_name("pp")
ID = "org.example.momentum"
NAME = f"{ID}-1.4.0.ppz"
MANIFEST = """\
schema: probablyprofit/plugin/v1
id: org.example.momentum
version: 1.4.0
kind: agent
title: Momentum [red]on[/red] markets
summary: buys what rose
license: MIT
authors: [{name: Example Ltd}]
api: {sdk: ">=1,<2", python: ">=3.11"}
entry: {module: momentum, object: plugin}
hooks: [decide]
capabilities:
  - {use: market.read, reason: "reads quotes"}
  - {use: decision.propose, max_order_usd: 50.25, max_day_usd: 500, reason: "proposes trades"}
"""


@pytest.fixture
def folder(tmp_path):
    """A plugin as its author has it."""
    root = tmp_path / "momentum"
    (root / "tests").mkdir(parents=True)
    (root / "plugin.yaml").write_text(MANIFEST)
    (root / "momentum.py").write_text("raise SystemExit('imported')\n")
    (root / "tests" / "test_it.py").write_text("")
    return root


@pytest.fixture
def home(tmp_path):
    """A home with nothing installed and nobody trusted but its own development key."""
    from pp_host.home import Home
    from pp_host.record.note import generate_key
    from pp_host.trust.keys import SigningKey
    from pp_host.trust.truststore import TrustStore, enrol

    def furnish(draft: Home) -> None:
        generate_key(draft.keys / "record", draft.origin)
        key = SigningKey.generate()
        (draft.keys / "dev").write_bytes(key.openssh(None))
        (draft.keys / "dev").chmod(0o600)
        TrustStore().with_key(enrol(key.public.line(), "dev", ["*"], None)).save(draft.trust_file)

    return Home.create(tmp_path / "home", "", furnish)


@pytest.fixture
def pp(home, capsys):
    """Run a command on the home under --json: its status, its document (None when there is none), its stderr."""

    def run(*words):
        status = main([*map(str, words), "--home", str(home.root), "--json"])
        told = capsys.readouterr()
        return status, json.loads(told.out) if told.out else None, told.err

    return run


@pytest.fixture
def done(pp):
    """The document of a command that must end well."""

    def run(*words):
        status, document, errors = pp(*words)
        assert status == 0, errors
        return document

    return run


@pytest.fixture
def package(folder, tmp_path, done):
    """Packed and signed with the home's development key."""
    path = Path(done("plugin", "pack", folder, "--out", tmp_path)["path"])
    done("plugin", "sign", path, "--dev")
    return path


@pytest.fixture
def publisher(tmp_path, pp):
    """A publisher's key, not enrolled anywhere."""
    status, document, errors = pp("plugin", "keygen", tmp_path / "me")
    assert status == 0
    assert (
        errors
        == f"pp: warning: {tmp_path / 'me'} has no passphrase: whoever reads it can sign in your name\n"
    )
    return document


def events(home) -> list[tuple[str, dict]]:
    from pp_host.record.reader import RecordReader

    with RecordReader.open(home.state) as reader:
        return [(entry.event, entry.subject) for entry in reader.entries()]


# --- the honest way ---


def test_from_source_to_installed(home, folder, tmp_path, done):
    packed = done("plugin", "pack", folder, "--out", tmp_path)
    assert packed.keys() == {"path", "digest", "files", "bytes"}
    assert (Path(packed["path"]).name, packed["files"]) == (NAME, ["momentum.py", "plugin.yaml"])
    signed = done("plugin", "sign", packed["path"], "--dev")
    assert signed["path"] == packed["path"] + ".sigstore.json"
    verified = done("plugin", "verify", packed["path"])
    assert verified == {
        "ok": True, "check": None, "reason": "", "id": ID, "version": "1.4.0",
        "digest": packed["digest"], "keyid": signed["keyid"],
    }  # fmt: skip
    installed = done("plugin", "install", packed["path"], "--yes")
    assert (installed["id"], installed["digest"], installed["publisher"]) == (ID, packed["digest"], "dev")
    assert installed["capabilities"][1]["max_order_micros"] == 50_250_000
    assert done("plugin", "list") == {"plugins": [{**installed, "kind": "agent", "state": "unset"}]}
    shown = done("plugin", "show", ID)
    assert {key: shown[key] for key in installed} == installed
    assert (shown["manifest"]["kind"], shown["files"]) == ("agent", ["momentum.py", "plugin.yaml"])
    names = {"id": ID, "version": "1.4.0", "digest": packed["digest"], "keyid": signed["keyid"]}
    assert events(home) == [("plugin.install", {**names, "grant": installed["grant"], "briefs": {}})]


def test_a_publisher_is_enrolled(home, folder, tmp_path, publisher, package, pp, done):
    done("plugin", "sign", package, "--key", publisher["private"])
    status, document, _ = pp("plugin", "verify", package)
    assert (status, document["check"]) == (3, 2)
    entry = done("trust", "add", publisher["public"], "--plugins", "org.example.*", "--name", "Example")
    assert (entry["name"], entry["keyid"], entry["plugins"]) == (
        "Example",
        publisher["keyid"],
        ["org.example.*"],
    )
    assert done("plugin", "verify", package)["keyid"] == publisher["keyid"]
    assert [key["name"] for key in done("trust", "list")["keys"]] == ["dev", "Example"]
    assert events(home) == [("trust.add", entry)]


def test_the_operator_narrows(package, tmp_path, done):
    grant = tmp_path / "grant.json"
    grant.write_text(
        '{"capabilities": [{"use": "decision.propose", "max_order_usd": 5}], "limits": {"memory_mb": 64}}'
    )
    installed = done("plugin", "install", package, "--grant", grant, "--yes")
    (propose,) = installed["capabilities"]
    assert (propose["max_order_micros"], installed["limits"]["memory_mb"]) == (5_000_000, 64)


def test_keygen_with_a_passphrase(tmp_path, package, pp, done):
    secret = tmp_path / "passphrase"
    secret.write_text("correct horse\n")
    secret.chmod(0o600)
    status, key, errors = pp("plugin", "keygen", tmp_path / "sealed", "--passphrase-file", secret)
    assert (status, key["passphrase"], errors) == (0, True, "")
    assert (tmp_path / "sealed").stat().st_mode & 0o777 == 0o600
    assert (
        done("plugin", "sign", package, "--key", tmp_path / "sealed", "--passphrase-file", secret)["keyid"]
        == key["keyid"]
    )
    status, _, errors = pp("plugin", "sign", package, "--key", tmp_path / "sealed")
    assert (status, errors) == (
        1,
        f"pp: error: {tmp_path / 'sealed'}: the key has a passphrase\npp: hint: --passphrase-file F\n",
    )
    secret.chmod(0o644)
    assert pp("plugin", "keygen", tmp_path / "again", "--passphrase-file", secret)[0] == 3


# --- what a person sees ---


def human(home, *words, **how):
    return subprocess.run(
        [PP, *words, "--home", home.root], capture_output=True, text=True, check=False, timeout=60, **how
    )


def test_a_person_is_shown_what_it_may_do(home, package):
    asked = human(home, "plugin", "install", package)
    assert asked.returncode == 3
    assert "nobody here to ask for consent" in asked.stderr
    assert human(home, "plugin", "install", package, "--yes").returncode == 0
    shown = human(home, "plugin", "show", ID, env={**os.environ, "COLUMNS": "250"}).stdout
    assert "Momentum [red]on[/red] markets" in shown
    assert "Proposes trades on any market: at most $50.25 an order, $500.00 a day." in shown
    assert "reads quotes" in shown
    assert re.search(r"│ momentum +│ 1\.4\.0 +│ agent +│ unset +│", human(home, "plugin", "list").stdout)
    assert "dev" in human(home, "trust", "list").stdout


def test_a_person_is_shown_whose_key_it_is(home, package, done):
    verified = human(home, "plugin", "verify", package)
    first, second = verified.stdout.splitlines()
    assert first.startswith(f"ok: {ID} 1.4.0 by dev, sha256 ")
    assert second == f"keyid {done('plugin', 'verify', package)['keyid']}"


@pytest.mark.parametrize(("answer", "status"), [(b"y\n", 0), (b"n\n", 3), (b"\n", 3)])
def test_a_person_is_asked(home, package, answer, status):
    terminal, other = pty.openpty()
    os.write(terminal, answer)
    asked = human(home, "plugin", "install", package, stdin=other)
    os.close(other)
    os.close(terminal)
    assert "Grant this? [y/N]" in asked.stdout
    assert "$50.25" in asked.stdout
    assert asked.returncode == status
    assert [path.name for path in home.grants.iterdir()] == ([f"{ID}.json"] if status == 0 else [])


# --- refusals, by number ---


def test_unsigned(home, package, pp):
    package.with_name(f"{NAME}.sigstore.json").unlink()
    status, document, _ = pp("plugin", "verify", package)
    assert (status, document["ok"], document["check"], document["id"]) == (3, False, 1, None)
    status, document, errors = pp("plugin", "install", package, "--yes")
    reason = f"not signed: there is no {NAME}.sigstore.json beside it"
    assert (status, document, errors.splitlines()[0]) == (3, None, f"pp: error: check 1: {reason}")
    assert events(home) == [("plugin.refused", {"file": NAME, "check": 1, "reason": reason})]


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def foreign(package: Path, pp, tmp_path: Path) -> None:
    pp("plugin", "keygen", tmp_path / "stranger")
    assert pp("plugin", "sign", package, "--key", tmp_path / "stranger")[0] == 0


@pytest.mark.parametrize(
    ("damage", "check"),
    [
        (lambda package, pp, tmp_path: flip(package), 3),
        (lambda package, pp, tmp_path: flip(package.with_name(f"{NAME}.sigstore.json")), None),
        (foreign, 2),
        (lambda package, pp, tmp_path: package.write_bytes(package.read_bytes() + b"\n"), 3),
    ],
    ids=["altered", "altered sidecar", "foreign-signed", "longer"],
)
def test_refused_by_number_and_nothing_installed(home, package, pp, tmp_path, damage, check):
    assert pp("plugin", "verify", package)[0] == 0
    damage(package, pp, tmp_path)
    status, document, _ = pp("plugin", "verify", package)
    assert (status, document["ok"]) == (3, False)
    assert document["check"] == check or (check is None and document["check"] in {1, 2})
    assert pp("plugin", "install", package, "--yes")[0] == 3
    assert [event for event, _ in events(home)] == ["plugin.refused"]
    assert not list(home.grants.iterdir())
    assert not list(home.store.iterdir())


def test_a_wider_grant_is_refused(home, package, tmp_path, pp):
    grant = tmp_path / "grant.json"
    grant.write_text('{"capabilities": [{"use": "decision.propose", "max_order_usd": 51}]}')
    status, _, errors = pp("plugin", "install", package, "--grant", grant, "--yes")
    assert status == 3
    assert errors == (
        "pp: error: grant: decision.propose: max_order_usd: $51.00 is wider than the $50.25 asked for\n"
        "pp: hint: a grant may only narrow what plugin.yaml asks for\n"
    )
    assert not list(home.grants.iterdir())


def test_a_ceiling_counts(home, package, publisher, pp, done):
    done("plugin", "sign", package, "--key", publisher["private"])
    done("trust", "add", publisher["public"], "--plugins", "*", "--max-capability", "market.read")
    status, document, _ = pp("plugin", "verify", package)
    assert (status, document["check"], document["reason"]) == (3, 6, "me may not ask for decision.propose")


def test_a_key_is_enrolled_once(home, publisher, pp, done):
    done("trust", "add", publisher["public"], "--plugins", "*")
    before = home.trust_file.read_bytes()
    status, _, errors = pp("trust", "add", publisher["public"], "--plugins", "a.b", "--name", "other")
    assert status == 1
    assert errors.startswith("pp: error: trusted key other: enrolled already as me ")
    assert f"pp: hint: it stands in {home.trust_file}; the same command with other --plugins" in errors
    assert pp("trust", "add", publisher["public"], "--plugins", "*")[0] == 1
    assert home.trust_file.read_bytes() == before


@pytest.mark.parametrize("text", ["", "ssh-rsa AAAA", "\xff\xfe"])
def test_what_is_no_key_is_not_enrolled(home, tmp_path, pp, text):
    (tmp_path / "key.pub").write_text(text)
    before = home.trust_file.read_bytes()
    status, _, errors = pp("trust", "add", tmp_path / "key.pub", "--plugins", "*")
    assert (status, errors.splitlines()[0]) == (
        1,
        f"pp: error: {tmp_path / 'key.pub'}: not an Ed25519 public key",
    )
    assert home.trust_file.read_bytes() == before
    assert not list(home.state.iterdir())  # not even a record was begun


# --- bad input: one line, a hint, status 1, nothing half-written ---

MALFORMED = [
    (MANIFEST.replace("license", "licence"), "plugin.yaml:7: licence: unknown key"),
    (
        MANIFEST.replace("license: MIT", "license: MIT\nlicense: MIT"),
        "plugin.yaml:8: license: this key stands twice",
    ),
    (MANIFEST.replace("license: MIT", "license: [MIT]"), "plugin.yaml:7: license: expected text, got a list"),
    (
        MANIFEST.replace("license: MIT", "license: &a MIT"),
        "plugin.yaml:7: license: anchors and aliases are not allowed",
    ),
    (
        MANIFEST.replace("license: MIT", "license: 5"),
        "plugin.yaml:7: license: expected text, got a whole number",
    ),
    (MANIFEST.encode("utf-16"), "plugin.yaml:1: not UTF-8"),
    (b"#" * 10_000_000, "plugin.yaml: larger than 65536 bytes"),
    (b"", "plugin.yaml:1: the file is empty"),
]


@pytest.mark.parametrize(("manifest", "line"), MALFORMED)
def test_a_malformed_manifest_is_one_line(folder, tmp_path, pp, manifest, line):
    (folder / "plugin.yaml").write_bytes(manifest if isinstance(manifest, bytes) else manifest.encode())
    out = tmp_path / "out"
    out.mkdir()
    status, document, errors = pp("plugin", "pack", folder, "--out", out)
    assert (status, document, errors.splitlines()[0]) == (1, None, f"pp: error: {line}")
    assert len(errors.splitlines()) <= 2
    assert not list(out.iterdir())


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["pack", "absent"], "absent: cannot be read: No such file or directory"),
        (["pack", "a-file"], "a-file: not a folder"),
        (["verify", "absent.ppz"], "absent.ppz: cannot be read: No such file or directory"),
        (["install", "absent.ppz", "--yes"], "absent.ppz: cannot be read: No such file or directory"),
        (["sign", "absent.ppz", "--dev"], "absent.ppz: cannot be read: No such file or directory"),
        (["sign", "absent.ppz"], "name one key"),
        (["sign", "absent.ppz", "--dev", "--key", "k"], "name one key"),
        (["show", ID], f"{ID}: not installed"),
        (["show", "../../etc/passwd"], "../../etc/passwd: not installed"),
    ],
)
def test_other_bad_input(tmp_path, pp, monkeypatch, words, line):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a-file").touch()
    status, document, errors = pp("plugin", *words)
    assert (status, document, errors.splitlines()[0]) == (1, None, f"pp: error: {line}")


def test_keys_are_never_overwritten(tmp_path, publisher, pp):
    before = (tmp_path / "me").read_bytes()
    status, _, errors = pp("plugin", "keygen", tmp_path / "me")
    assert (status, errors.splitlines()[0]) == (1, f"pp: error: {tmp_path / 'me'}: exists already")
    assert (tmp_path / "me").read_bytes() == before
    (tmp_path / "me").unlink()
    before = (tmp_path / "me.pub").read_bytes()
    status, _, errors = pp("plugin", "keygen", tmp_path / "me")
    assert (status, errors.splitlines()[0]) == (1, f"pp: error: {tmp_path / 'me.pub'}: exists already")
    assert (tmp_path / "me.pub").read_bytes() == before
    assert not (tmp_path / "me").exists()
    (tmp_path / "other").symlink_to(tmp_path / "elsewhere")
    assert pp("plugin", "keygen", tmp_path / "other")[0] == 1
    assert not (tmp_path / "elsewhere").exists()


def test_signing_refuses_what_would_not_verify(package, pp):
    renamed = package.rename(package.with_name("other.ppz"))
    status, _, errors = pp("plugin", "sign", renamed, "--dev")
    assert (status, errors.splitlines()[0]) == (3, f"pp: error: check 5: other.ppz holds {NAME}")
    assert not renamed.with_name("other.ppz.sigstore.json").exists()


def test_a_key_others_can_read_does_not_sign(package, publisher, pp):
    Path(publisher["private"]).chmod(0o644)
    status, _, errors = pp("plugin", "sign", package, "--key", publisher["private"])
    assert status == 3
    assert errors.splitlines()[1] == f"pp: hint: chmod 0600 {publisher['private']}"


def test_a_home_is_needed_to_judge(package, tmp_path, capsys):
    assert main(["plugin", "verify", str(package), "--home", str(tmp_path / "absent")]) == 1
    assert "no home here" in capsys.readouterr().err


# --- what to do about it ---


def test_other_patterns_replace_those_of_an_enrolled_key_and_never_lift_its_ceiling(
    home, publisher, pp, done
):
    ceiling = ("--max-capability", "market.read")
    done("trust", "add", publisher["public"], "--plugins", "a.b", "--name", "Example", *ceiling)
    status, entry, errors = pp("trust", "add", publisher["public"], "--plugins", "a.*", "--plugins", "c.d")
    assert (status, errors) == (0, "pp: note: Example is enrolled already for a.b; now for a.*, c.d\n")
    assert (entry["name"], entry["plugins"]) == ("Example", ["a.*", "c.d"])
    assert entry["max_capabilities"] == ["market.read"]
    assert done("trust", "list")["keys"][1:] == [entry]
    assert events(home)[-1] == ("trust.add", entry)


@pytest.mark.parametrize("name", [".", "/"])
def test_a_key_needs_a_files_name(pp, name):
    hint = "name the key's file, such as my-key"
    assert pp("plugin", "keygen", name) == (
        1,
        None,
        f"pp: error: {name}: a folder, not a file\npp: hint: {hint}\n",
    )


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["plugin", "verify", "absent"], "name a package, NAME-VERSION.ppz; pp plugin pack DIR makes one"),
        (["plugin", "install", "absent"], "name a package, NAME-VERSION.ppz; pp plugin pack DIR makes one"),
        (
            ["plugin", "sign", "absent", "--dev"],
            "name a package, NAME-VERSION.ppz; pp plugin pack DIR makes one",
        ),
        (["plugin", "pack", "absent"], "name your plugin's folder, the one that holds plugin.yaml"),
        (
            ["trust", "add", "absent", "--plugins", "*"],
            "name the file of the publisher's public key; yours is made by pp plugin keygen",
        ),
    ],
)
def test_what_is_missing_has_a_remedy(tmp_path, monkeypatch, pp, words, hint):
    monkeypatch.chdir(tmp_path)
    status, _, errors = pp(*words)
    assert (status, errors.splitlines()[1]) == (1, f"pp: hint: {hint}")


def test_the_public_key_does_not_sign(package, publisher, pp):
    path = publisher["public"]
    status, _, errors = pp("plugin", "sign", package, "--key", path)
    assert (status, errors) == (
        1,
        f"pp: error: {path}: that is the public key\npp: hint: name the private one\n",
    )


def test_the_end_of_an_id_is_recognised(package, pp, done):
    done("plugin", "install", package, "--yes")
    assert done("plugin", "show", ID)["id"] == ID
    status, _, errors = pp("plugin", "show", "momentum")
    assert (status, errors) == (
        1,
        f"pp: error: momentum: not installed\npp: hint: did you mean {ID}?\n",
    )
    assert "pp plugin install FILE" in pp("plugin", "show", "mentum")[2]


def test_an_id_that_ends_another_is_still_its_own(folder, tmp_path, done):
    for name in ("a.relapse", "b.a.relapse"):
        (folder / "plugin.yaml").write_text(MANIFEST.replace(ID, name))
        packed = done("plugin", "pack", folder, "--out", tmp_path)["path"]
        done("plugin", "sign", packed, "--dev")
        done("plugin", "install", packed, "--yes")
        assert done("plugin", "show", name)["id"] == name
    assert done("plugin", "show", "a.relapse")["id"] == "a.relapse"


def test_a_changed_package_is_signed_again(home, package, capsys):
    flip(package)
    for words in (["verify", str(package)], ["install", str(package), "--yes"]):
        assert main(["plugin", *words, "--home", str(home.root)]) == 3
        assert "pp: hint: if it is yours, sign it again" in capsys.readouterr().err
