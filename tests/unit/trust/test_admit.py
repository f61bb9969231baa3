"""The door, tested by attack: each failed check by its number, each beside the honest twin that passes."""

from __future__ import annotations

import hashlib

import pytest
from pp_host.trust import archive, envelope
from pp_host.trust.admit import Rejected, VerifiedPlugin, attest, verify
from pp_host.trust.truststore import TrustStore, enrol

NAME = "org.example.momentum-1.4.0.ppz"


@pytest.fixture
def package(source):
    return archive.write(source)


@pytest.fixture
def sidecar(package, publisher, now):
    return attest(package, publisher, archive_name=NAME, now=now)


def rejection(package, sidecar, trust, name=NAME) -> tuple[int, str]:
    with pytest.raises(Rejected) as caught:
        verify(package, sidecar, trust, archive_name=name)
    assert str(caught.value) == f"check {caught.value.check}: {caught.value.reason}"
    assert caught.value.exit_status == 3
    return caught.value.check, caught.value.reason


def stated(
    package, key, now, *, plugin_id="org.example.momentum", version="1.4.0", digest=None, manifest=None
) -> bytes:
    """A sidecar signed by `key` that says whatever it is told to say."""
    digest = digest or hashlib.sha256(package).hexdigest()
    try:
        manifest = manifest or hashlib.sha256(archive.read(package)["plugin.yaml"]).hexdigest()
    except (KeyError, archive.OperatorError):
        manifest = "00" * 32
    return envelope.sign(envelope.state(digest, plugin_id, version, manifest, now), key)


def test_the_honest_package_passes(package, sidecar, trust, source, publisher, now):
    plugin = verify(package, sidecar, trust, archive_name=NAME)
    assert plugin.archive == package
    assert plugin.files == source
    assert plugin.digest == hashlib.sha256(package).hexdigest()
    assert plugin.manifest_digest == hashlib.sha256(source["plugin.yaml"]).hexdigest()
    assert (plugin.manifest.id, plugin.manifest.version) == ("org.example.momentum", "1.4.0")
    assert (plugin.keyid, plugin.publisher) == (publisher.public.keyid, "Example Ltd")
    assert stated(package, publisher, now) == sidecar


def test_only_verify_makes_one(package, sidecar, trust):
    plugin = verify(package, sidecar, trust, archive_name=NAME)
    fields = {name: getattr(plugin, name) for name in plugin.__slots__}
    with pytest.raises(TypeError, match=r"only admit\.verify"):
        VerifiedPlugin(**fields, earned=object())
    with pytest.raises(TypeError):
        plugin.files["momentum.py"] = b"evil"  # type: ignore[index]  # what the proxy is for


def test_a_flipped_bit_in_any_byte_of_the_package_is_check_3(package, sidecar, trust):
    for bit in range(0, len(package) * 8, 7):
        flipped = bytearray(package)
        flipped[bit // 8] ^= 1 << bit % 8
        assert rejection(bytes(flipped), sidecar, trust)[0] == 3


def test_every_flipped_bit_of_the_sidecar_is_check_1_or_2(package, sidecar, trust):
    seen = set()
    for bit in range(len(sidecar) * 8):
        flipped = bytearray(sidecar)
        flipped[bit // 8] ^= 1 << bit % 8
        seen.add(rejection(package, bytes(flipped), trust)[0])
    assert seen == {1, 2}


# --- 1: envelope and statement ---


def test_1_malformed(package, sidecar, trust):
    assert rejection(package, b"", trust)[0] == 1
    assert rejection(package, sidecar + b"\n", trust)[0] == 1


def test_1_a_statement_about_another_name(package, publisher, trust, now):
    said = envelope.state("00" * 32, "org.example.momentum", "1.4.0", "00" * 32, now)
    other = envelope.Statement(
        type=said.type,
        subject=(envelope.Subject("harmless-1.0.0.ppz", said.subject[0].digest),),
        predicate_type=said.predicate_type,
        predicate=said.predicate,
    )
    check, reason = rejection(package, envelope.sign(other, publisher), trust)
    assert check == 1
    assert reason == "the statement is about harmless-1.0.0.ppz, its plugin is org.example.momentum-1.4.0.ppz"


# --- 2: who signed ---


def test_2_a_stranger(package, stranger, trust, now):
    signed = attest(package, stranger, archive_name=NAME, now=now)
    check, reason = rejection(package, signed, trust)
    assert (check, reason) == (2, f"signed by a key that is not enrolled ({stranger.public.keyid[:16]}...)")
    known = trust.with_key(enrol(stranger.public.line(), "Them", ["org.example.*"], None))
    assert verify(package, signed, known, archive_name=NAME).publisher == "Them"


def test_2_nobody_is_trusted(package, sidecar):
    assert rejection(package, sidecar, TrustStore())[0] == 2


def test_2_a_strangers_signature_under_a_known_name(package, sidecar, publisher, stranger, trust):
    honest = envelope.decode(sidecar)
    forged = envelope.Sidecar(
        honest.statement, honest.payload, publisher.public.keyid, stranger.sign(envelope.pae(honest.payload))
    )
    check, reason = rejection(package, envelope.encode(forged), trust)
    assert (check, reason) == (2, "Example Ltd: the signature is not by this key")


def test_2_a_known_publisher_outside_its_patterns(package, stranger, trust, now):
    narrow = trust.with_key(enrol(stranger.public.line(), "Them", ["com.them.*"], None))
    signed = attest(package, stranger, archive_name=NAME, now=now)
    assert rejection(package, signed, narrow) == (2, "Them may not sign org.example.momentum")


# --- 3: which archive ---


def test_3_an_altered_archive(source, sidecar, trust):
    altered = archive.write({**source, "momentum.py": b"plugin = 'evil'\n"})
    check, reason = rejection(altered, sidecar, trust)
    assert check == 3
    assert reason.startswith("the archive is not the one that was signed")


def test_3_an_extra_file(source, sidecar, trust):
    assert rejection(archive.write({**source, "extra.py": b""}), sidecar, trust)[0] == 3


def test_3_a_sidecar_of_another_version(package, source, publisher, edited, trust, now):
    newer = archive.write(edited("version: 1.4.0", "version: 1.5.0"))
    other = attest(newer, publisher, archive_name="org.example.momentum-1.5.0.ppz", now=now)
    assert (
        verify(newer, other, trust, archive_name="org.example.momentum-1.5.0.ppz").manifest.version == "1.5.0"
    )
    assert rejection(package, other, trust)[0] == 3


def test_3_another_file_name(package, sidecar, trust):
    assert rejection(package, sidecar, trust, "renamed.ppz") == (
        3,
        f"signed as {NAME}, but named renamed.ppz",
    )


# --- 4: the archive itself, though properly signed ---


@pytest.mark.parametrize(
    "damage", [lambda p: p + b"\n", lambda p: b"#!/bin/sh\n" + p, lambda p: p[:-1], lambda p: b"not a zip"]
)
def test_4_a_signed_archive_that_is_not_canonical(package, publisher, trust, now, damage):
    damaged = damage(package)
    assert rejection(damaged, stated(damaged, publisher, now), trust)[0] == 4


def test_4_comes_after_3(package, sidecar, trust):
    """No parser sees bytes that no known publisher has signed."""
    assert rejection(package + b"\n", sidecar, trust)[0] == 3


# --- 5: the manifest ---


def test_5_a_malformed_manifest(edited, publisher, trust, now):
    malformed = archive.write(edited("license: MIT", "licence: MIT"))
    check, reason = rejection(malformed, stated(malformed, publisher, now), trust)
    assert (check, reason) == (5, "plugin.yaml:7: licence: unknown key")


def test_5_no_manifest(publisher, trust, now):
    empty = archive.write({"momentum.py": b""})
    assert rejection(empty, stated(empty, publisher, now), trust) == (
        5,
        "plugin.yaml: missing from the package",
    )


@pytest.mark.parametrize(
    "lie", [{"plugin_id": "org.example.other"}, {"version": "1.4.1"}, {"manifest": "ab" * 32}]
)
def test_5_a_statement_that_lies(package, publisher, trust, now, lie):
    sidecar = stated(package, publisher, now, **lie)
    name = envelope.decode(sidecar).statement.archive_name
    assert rejection(package, sidecar, trust, name) == (5, "plugin.yaml is not the one that was signed")


def test_5_another_host_is_wanted(edited, publisher, trust, now):
    wanting = archive.write(edited('python: ">=3.11"', 'python: ">=9"'))
    sidecar = attest(wanting, publisher, archive_name=NAME, now=now)
    check, reason = rejection(wanting, sidecar, trust)
    assert check == 5
    assert reason.startswith("plugin.yaml: api.python: wants >=9, this host has 3.")


# --- 6: the ceiling ---


def test_6_above_the_ceiling(package, sidecar, publisher):
    def under(ceiling):
        return TrustStore().with_key(enrol(publisher.public.line(), "Example Ltd", ["*"], ceiling))

    assert rejection(package, sidecar, under(["market.read"])) == (
        6,
        "Example Ltd may not ask for decision.propose",
    )
    assert rejection(package, sidecar, under([]))[0] == 6
    assert verify(package, sidecar, under(["market.read", "decision.propose", "notify"]), archive_name=NAME)


# --- the author's side ---


def test_attest_refuses_what_verify_would(source, package, publisher, now):
    def refused(data, name=NAME):
        with pytest.raises(Rejected) as caught:
            attest(data, publisher, archive_name=name, now=now)
        return caught.value.check

    assert refused(package + b"\n") == 4
    assert refused(archive.write({**source, "plugin.yaml": b"id: x"})) == 5
    assert refused(package, "other.ppz") == 5
