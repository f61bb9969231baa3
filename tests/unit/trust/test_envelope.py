from __future__ import annotations

import json
from base64 import b64decode, b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pp_host.errors import OperatorError, Refused
from pp_host.limits import LIMITS
from pp_host.trust import envelope

DIGEST = "ab" * 32


@pytest.fixture
def statement(now):
    return envelope.state(DIGEST, "org.example.momentum", "1.4.0", "cd" * 32, now)


@pytest.fixture
def sidecar(statement, publisher):
    return envelope.sign(statement, publisher)


def test_round_trip(sidecar, statement, publisher):
    decoded = envelope.decode(sidecar)
    assert envelope.encode(decoded) == sidecar
    assert decoded.keyid == publisher.public.keyid
    assert decoded.check(publisher.public) == statement
    assert statement.archive_name == "org.example.momentum-1.4.0.ppz"


def test_the_format_is_the_published_one(sidecar, publisher):
    bundle = json.loads(sidecar)
    assert sidecar.endswith(b"}\n")
    keyid = publisher.public.keyid
    assert bundle.keys() == {"mediaType", "verificationMaterial", "dsseEnvelope"}
    assert bundle["mediaType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
    hint = b64encode(bytes.fromhex(keyid)).decode()
    assert bundle["verificationMaterial"] == {"publicKey": {"hint": hint}, "tlogEntries": []}
    assert bundle["dsseEnvelope"]["payloadType"] == "application/vnd.in-toto+json"
    assert bundle["dsseEnvelope"]["signatures"][0]["keyid"] == keyid
    assert json.loads(b64decode(bundle["dsseEnvelope"]["payload"])) == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "org.example.momentum-1.4.0.ppz", "digest": {"sha256": DIGEST}}],
        "predicateType": "https://probablyprofit.dev/plugin/v1",
        "predicate": {
            "id": "org.example.momentum",
            "version": "1.4.0",
            "created": "2026-11-22T12:00:00Z",
            "manifest": "cd" * 32,
        },
    }


def test_pae_is_the_specified_one():
    # The example of the DSSE protocol page has another payload type; this is its rule applied to ours.
    assert envelope.pae(b"hello world") == b"DSSEv1 28 application/vnd.in-toto+json 11 hello world"


def test_every_flipped_bit_is_refused(sidecar, publisher):
    assert envelope.decode(sidecar).check(publisher.public)
    for bit in range(len(sidecar) * 8):
        flipped = bytearray(sidecar)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(OperatorError):
            _accepted(bytes(flipped), publisher)


def _accepted(data, publisher):
    decoded = envelope.decode(data)
    if decoded.keyid != publisher.public.keyid:
        raise Refused("another key")
    return decoded.check(publisher.public)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused(data):
    with pytest.raises(OperatorError):
        envelope.decode(data)


def reshaped(sidecar: bytes, change) -> bytes:
    bundle = json.loads(sidecar)
    change(bundle)
    return json.dumps(bundle, separators=(",", ":")).encode() + b"\n"


def resigned(sidecar: bytes, key, change, pae=envelope.pae) -> bytes:
    """The sidecar with a changed payload, properly signed again."""

    def rewrite(bundle):
        envelope_ = bundle["dsseEnvelope"]
        payload = change(b64decode(envelope_["payload"]))
        envelope_["payload"] = b64encode(payload).decode()
        envelope_["signatures"][0]["sig"] = b64encode(key.sign(pae(payload))).decode()

    return reshaped(sidecar, rewrite)


def test_the_honest_twin_of_the_reshaped_passes(sidecar, publisher):
    assert reshaped(sidecar, lambda bundle: None) == sidecar
    assert resigned(sidecar, publisher, lambda payload: payload) == sidecar


def urlsafe(bundle):
    signature = bundle["dsseEnvelope"]["signatures"][0]
    signature["sig"] = signature["sig"].replace("+", "-").replace("/", "_").rstrip("=")


RESHAPED = {
    "other media type": lambda b: b.update(mediaType="application/vnd.dev.sigstore.bundle.v0.2+json"),
    "unknown key": lambda b: b.update(extra=1),
    "missing key": lambda b: b.pop("verificationMaterial"),
    "message signature": lambda b: b.update(messageSignature=b.pop("dsseEnvelope")),
    "other payload type": lambda b: b["dsseEnvelope"].update(payloadType="application/json"),
    "no signature": lambda b: b["dsseEnvelope"].update(signatures=[]),
    "two signatures": lambda b: b["dsseEnvelope"]["signatures"].append(b["dsseEnvelope"]["signatures"][0]),
    "a log entry": lambda b: b["verificationMaterial"]["tlogEntries"].append({}),
    "other hint": lambda b: b["verificationMaterial"]["publicKey"].update(hint=b64encode(bytes(32)).decode()),
    "other keyid": lambda b: b["dsseEnvelope"]["signatures"][0].update(keyid="00" * 32),
    "upper-case keyid": lambda b: b["dsseEnvelope"]["signatures"][0].update(
        keyid=b["dsseEnvelope"]["signatures"][0]["keyid"].upper()
    ),
    "unpadded url-safe base64": urlsafe,
    "payload not base64": lambda b: b["dsseEnvelope"].update(payload="!!!!"),
    "payload with a letter beyond ASCII": lambda b: b["dsseEnvelope"].update(
        payload="\u00e9" + b["dsseEnvelope"]["payload"]
    ),
    "signature with a letter beyond ASCII": lambda b: b["dsseEnvelope"]["signatures"][0].update(sig="\u00e9"),
    "payload with a line break": lambda b: b["dsseEnvelope"].update(
        payload=b["dsseEnvelope"]["payload"] + "\n"
    ),
    "payload not JSON": lambda b: b["dsseEnvelope"].update(payload=b64encode(b"\xff\xff").decode()),
    "signature not text": lambda b: b["dsseEnvelope"]["signatures"][0].update(sig=5),
}


@pytest.mark.parametrize("change", RESHAPED.values(), ids=RESHAPED.keys())
def test_other_shapes_are_refused(sidecar, change):
    with pytest.raises(OperatorError, match="^the signature file is"):
        envelope.decode(reshaped(sidecar, change))


RESPELLED = {
    "spaces": lambda b: b.replace(b'":', b'": ', 1),
    "no final newline": lambda b: b.removesuffix(b"\n"),
    "two final newlines": lambda b: b + b"\n",
    "byte order mark": lambda b: b"\xef\xbb\xbf" + b,
    "key twice": lambda b: b.replace(b'{"mediaType"', b'{"mediaType":"x","mediaType"', 1),
    "escaped letter": lambda b: b.replace(b'"mediaType"', b'"\\u006dediaType"', 1),
    "escaped slash": lambda b: b.replace(b"application/vnd.dev", b"application\\/vnd.dev", 1),
    "trailing junk": lambda b: b + b"{}",
    "deep": lambda b: b"[" * 100_000,
    "large": lambda b: b" " * LIMITS.package.sidecar_bytes + b,
}


@pytest.mark.parametrize("change", RESPELLED.values(), ids=RESPELLED.keys())
def test_other_spellings_are_refused(sidecar, change):
    with pytest.raises(OperatorError, match="^the signature file is"):
        envelope.decode(change(sidecar))


RESTATED = {
    "other type": lambda p: p.replace(b"Statement/v1", b"Statement/v2"),
    "other predicate type": lambda p: p.replace(b"/plugin/v1", b"/plugin/v9"),
    "two subjects": lambda p: p.replace(
        b'"subject":[', b'"subject":[{"name":"x","digest":{"sha256":"' + b"0" * 64 + b'"}},'
    ),
    "no subject": lambda p: p[: p.index(b'"subject":[') + 11] + p[p.index(b'],"predicateType') :],
    "weak digest": lambda p: p.replace(b'"sha256"', b'"sha1"', 1),
    "short digest": lambda p: p.replace(DIGEST.encode(), b"abab"),
    "upper-case digest": lambda p: p.replace(DIGEST.encode(), DIGEST.upper().encode()),
    "further claim": lambda p: p.replace(b'"predicate":{', b'"predicate":{"trusted":true,'),
    "key twice": lambda p: p.replace(b'"predicate":{', b'"predicate":{"id":"org.example.other",'),
    "spaces": lambda p: p.replace(b":", b": ", 1),
    "not ASCII": lambda p: p.replace(b"momentum", "momentüm".encode()),
    "other time": lambda p: p.replace(b"2026-11-22T12:00:00Z", b"2026-11-22 12:00:00"),
}


@pytest.mark.parametrize("change", RESTATED.values(), ids=RESTATED.keys())
def test_other_statements_are_refused_even_when_signed(sidecar, publisher, change):
    with pytest.raises(OperatorError, match="^the signature file is"):
        envelope.decode(resigned(sidecar, publisher, change))


FOREIGN = {
    "payload without pae": lambda payload: payload,
    "other payload type": lambda payload: b"DSSEv1 16 application/json %d %s" % (len(payload), payload),
    "other scheme": lambda payload: b"SSHSIG" + payload,
}


@pytest.mark.parametrize("pae", FOREIGN.values(), ids=FOREIGN.keys())
def test_signatures_over_other_bytes_are_refused(sidecar, publisher, pae):
    foreign = resigned(sidecar, publisher, lambda payload: payload, pae)
    with pytest.raises(Refused, match="not by this key"):
        envelope.decode(foreign).check(publisher.public)


@pytest.mark.parametrize("length", [0, 63, 65])
def test_signatures_of_other_lengths_are_refused(sidecar, publisher, length):
    def cut(bundle):
        bundle["dsseEnvelope"]["signatures"][0]["sig"] = b64encode(bytes(length)).decode()

    with pytest.raises(Refused, match="not by this key"):
        envelope.decode(reshaped(sidecar, cut)).check(publisher.public)
