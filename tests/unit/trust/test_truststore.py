from __future__ import annotations

import json
from base64 import b64encode

import msgspec
import pytest
from pp_host.errors import OperatorError, Refused
from pp_host.limits import LIMITS
from pp_host.trust.capability import OFFERED
from pp_host.trust.truststore import TrustStore, enrol, succeeding


def test_round_trip(tmp_path, trust, stranger):
    path = tmp_path / "trust.json"
    both = trust.with_key(enrol(stranger.public.line("them"), "", ["*"], ["market.read"]))
    both.save(path)
    assert TrustStore.open(path) == both
    assert path.stat().st_mode & 0o777 == 0o600
    assert [key.name for key in both.keys] == ["Example Ltd", "them"]


def test_an_absent_file_trusts_nobody(tmp_path, publisher):
    assert TrustStore.open(tmp_path / "trust.json").find(publisher.public.keyid) is None


def test_find(trust, publisher, stranger):
    assert trust.find(publisher.public.keyid).key == publisher.public
    assert trust.find(stranger.public.keyid) is None


@pytest.mark.parametrize(
    ("pattern", "covered", "not_covered"),
    [
        ("*", ["a.b", "org.example.momentum"], []),
        (
            "org.example.*",
            ["org.example.momentum", "org.example.a.b"],
            ["org.example", "org.examples.a", "com.org.example.a"],
        ),
        (
            "org.example.momentum",
            ["org.example.momentum"],
            ["org.example.momentum2", "org.example.momentum.x"],
        ),
    ],
)
def test_patterns(publisher, pattern, covered, not_covered):
    key = enrol(publisher.public.line(), "k", [pattern], None)
    assert all(map(key.covers, covered))
    assert not any(map(key.covers, not_covered))


@pytest.mark.parametrize(
    "pattern",
    ["", "**", "org.*.x", "org*", "*.org", "Org.*", ".*", "org.example.", "org..x", "*\n", "a" * 200],
)
def test_other_patterns_are_refused(publisher, pattern):
    with pytest.raises(OperatorError, match=": not a pattern$"):
        enrol(publisher.public.line(), "k", [pattern], None)


def test_a_key_needs_a_pattern(publisher):
    with pytest.raises(OperatorError, match="^'': not a pattern$"):
        enrol(publisher.public.line(), "k", [], None)


def test_a_name_comes_from_somewhere(publisher):
    assert enrol(publisher.public.line("me@host"), "", ["*"], None).name == "me@host"
    assert enrol(publisher.public.line(), "", ["*"], None).name == publisher.public.keyid[:16]
    assert enrol(publisher.public.line("me@host"), "Me", ["*"], None).name == "Me"
    with pytest.raises(OperatorError, match="not a publisher's name$"):
        enrol(publisher.public.line(), "evil\x1b[31m", ["*"], None)


def test_a_key_or_a_name_stands_once(trust, publisher, stranger):
    with pytest.raises(OperatorError, match="enrolled already as Example Ltd"):
        trust.with_key(enrol(publisher.public.line(), "Other", ["*"], None))
    with pytest.raises(OperatorError, match="enrolled already as Example Ltd"):
        trust.with_key(enrol(stranger.public.line(), "Example Ltd", ["*"], None))


def test_a_ceiling_names_offered_capabilities(trust, stranger):
    key = enrol(stranger.public.line(), "k", ["*"], ["market.read"])
    assert key.allows([])
    assert key.allows(["market.read"])
    assert not key.allows(["market.read", "notify"])
    assert enrol(stranger.public.line(), "k", ["*"], None).allows(["notify"])
    assert not enrol(stranger.public.line(), "k", ["*"], []).allows(["notify"])
    assert trust.with_key(key).find(stranger.public.keyid) == key
    with pytest.raises(OperatorError, match="no such capability: raw.sign"):
        trust.with_key(enrol(stranger.public.line(), "k", ["*"], ["raw.sign"]))


def small_order(document):
    wire = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + b"\1" + bytes(31)
    document["keys"][0]["public"] = f"ssh-ed25519 {b64encode(wire).decode()}"


TAMPERED = {
    "unknown key": lambda d: d.update(extra=1),
    "unknown field": lambda d: d["keys"][0].update(threshold=2),
    "other schema": lambda d: d.update(schema="probablyprofit/trust/v2"),
    "other keyid": lambda d: d["keys"][0].update(keyid="0" * 64),
    "key twice": lambda d: d["keys"].append({**d["keys"][0], "name": "again"}),
    "small order": small_order,
    "not a key": lambda d: d["keys"][0].update(public="ssh-rsa AAAA"),
    "wide pattern": lambda d: d["keys"][0].update(plugins=["org.*.x"]),
    "no pattern": lambda d: d["keys"][0].update(plugins=[]),
    "unknown capability": lambda d: d["keys"][0].update(max_capabilities=["raw.sign"]),
    "not an object": lambda d: d.update(keys={}),
}


@pytest.mark.parametrize("change", TAMPERED.values(), ids=TAMPERED.keys())
def test_a_malformed_file_is_refused(tmp_path, trust, change):
    path = tmp_path / "trust.json"
    trust.save(path)
    document = json.loads(path.read_bytes())
    path.write_text(json.dumps(document))
    assert TrustStore.open(path) == trust
    change(document)
    path.write_text(json.dumps(document))
    with pytest.raises(OperatorError):
        TrustStore.open(path)


def test_duplicate_json_keys_are_refused(tmp_path, trust):
    path = tmp_path / "trust.json"
    trust.save(path)
    path.write_bytes(path.read_bytes().replace(b'"keys"', b'"keys": [], "keys"'))
    with pytest.raises(OperatorError, match="stands twice"):
        TrustStore.open(path)


def test_a_file_others_could_have_written_is_refused(tmp_path, trust):
    path = tmp_path / "trust.json"
    trust.save(path)
    path.chmod(0o620)
    with pytest.raises(Refused, match="open to other users"):
        TrustStore.open(path)
    path.chmod(0o600)
    assert TrustStore.open(path) == trust


@pytest.mark.parametrize("target", ["real.json", "absent.json"])
def test_a_symlink_is_refused(tmp_path, trust, target):
    trust.save(tmp_path / "real.json")
    (tmp_path / "trust.json").symlink_to(target)
    with pytest.raises(OperatorError, match="cannot be read"):
        TrustStore.open(tmp_path / "trust.json")


def test_patterns_of_one_key_are_bounded(publisher):
    patterns = [f"org.example.p{number}" for number in range(LIMITS.package.patterns + 1)]
    assert len(enrol(publisher.public.line(), "k", patterns[:-1], None).plugins) == 64
    with pytest.raises(OperatorError, match="^65 patterns: more than 64$") as refused:
        enrol(publisher.public.line(), "k", patterns, None)
    assert refused.value.hint == "`prefix.*` covers every id below it"


def test_the_longest_entry_fits_the_record(publisher):
    longest = ["a" * 126 + f"{number:02d}" for number in range(LIMITS.package.patterns)]
    key = enrol(publisher.public.line(), "k" * 64, longest, sorted(OFFERED) * 99)
    assert len(msgspec.json.encode(key)) < LIMITS.record.entry_bytes // 4


def test_a_successor_keeps_name_and_ceiling(trust, publisher, stranger, tmp_path):
    narrow = trust.with_key(enrol(stranger.public.line(), "k", ["a.b"], ["market.read"]))
    wider, others = succeeding(enrol(stranger.public.line(), "", ["a.*"], None), narrow, "", tmp_path)
    assert (wider.name, wider.plugins, wider.max_capabilities) == ("k", ("a.*",), ("market.read",))
    assert others == trust
    new = enrol(stranger.public.line(), "k", ["a.b"], None)
    assert succeeding(new, trust, "k", tmp_path) == (new, trust)
    for name, patterns in (("other", ["a.*"]), ("", ["a.b"])):
        with pytest.raises(OperatorError, match="enrolled already as k"):
            succeeding(enrol(stranger.public.line(), name, patterns, None), narrow, name, tmp_path)
