from __future__ import annotations

import hashlib
import json

import msgspec
import pytest
from pp_host.errors import OperatorError, Refused
from pp_host.trust import archive, grants
from pp_host.trust.admit import attest, verify
from pp_host.trust.grants import Wish

NAME = "org.example.momentum-1.4.0.ppz"


@pytest.fixture
def plugin(source, publisher, trust, now):
    package = archive.write(source)
    return verify(package, attest(package, publisher, archive_name=NAME, now=now), trust, archive_name=NAME)


@pytest.fixture
def grant(plugin, now):
    return grants.propose(plugin, Wish(), granted_by="op", now=now)


@pytest.fixture
def wish_file(tmp_path):
    def write(text: str):
        path = tmp_path / "grant.json"
        path.write_text(text)
        return path

    return write


def test_all_as_asked(plugin, grant):
    assert (grant.id, grant.version, grant.digest) == ("org.example.momentum", "1.4.0", plugin.digest)
    assert (grant.keyid, grant.publisher) == (plugin.keyid, "Example Ltd")
    assert grant.capabilities == plugin.manifest.capabilities
    assert grant.limits == plugin.manifest.limits
    assert (grant.granted_at, grant.granted_by) == ("2026-11-22T12:00:00Z", "op")
    grant.check(plugin)


def test_a_grant_file_round_trips(tmp_path, grant):
    path = tmp_path / f"{grant.id}.json"
    path.write_bytes(grant.encode())
    path.chmod(0o600)
    assert grants.find(tmp_path, grant.id) == grant
    assert grants.every(tmp_path) == [grant]
    assert grant.file_digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert json.loads(path.read_bytes())["capabilities"][1]["max_order_micros"] == 50_000_000


def test_an_absent_grant(tmp_path):
    assert grants.find(tmp_path, "org.example.momentum") is None
    assert grants.every(tmp_path) == []


def test_an_id_is_no_path(tmp_path, grant):
    folder = tmp_path / "grants"
    folder.mkdir()
    for place in (tmp_path, folder):
        (place / f"{grant.id}.json").write_bytes(grant.encode())
        (place / f"{grant.id}.json").chmod(0o600)
    assert grants.find(folder, grant.id) == grant
    assert grants.find(folder, f"../{grant.id}") is None


def test_the_operator_narrows_in_dollars(plugin, now, wish_file):
    path = wish_file(
        '{"capabilities": [{"use": "decision.propose", "max_order_usd": 12.5, "orders_per_minute": 2}],'
        ' "limits": {"memory_mb": 64}}'
    )
    grant = grants.propose(plugin, grants.read_wish(path), granted_by="op", now=now)
    (propose,) = grant.capabilities
    assert (propose.max_order_micros, propose.max_day_micros, propose.orders_per_minute) == (
        12_500_000,
        500_000_000,
        2,
    )
    assert (grant.limits.memory_mb, grant.limits.wall_seconds_per_call) == (64, 5.0)
    grant.check(plugin)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"capabilities": [{"use": "decision.propose", "max_order_usd": 50.000001}]}',
         "grant: decision.propose: max_order_usd: $50.000001 is wider than the $50.00 asked for"),
        ('{"capabilities": [{"use": "notify"}]}', "grant: 'notify': not asked for, or named twice"),
        ('{"capabilities": [{"use": "market.read"}, {"use": "market.read"}]}', "grant: 'market.read': not asked for, or named twice"),
        ('{"capabilities": [{}]}', "grant: '': not asked for, or named twice"),
        ('{"limits": {"memory_mb": 512}}', "grant: limits: memory_mb: 512 is wider than the 256 asked for"),
    ],
)  # fmt: skip
def test_more_than_asked_is_refused(plugin, now, wish_file, text, message):
    with pytest.raises(Refused) as caught:
        grants.propose(plugin, grants.read_wish(wish_file(text)), granted_by="op", now=now)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"capability": []}', '{"capabilities": 5}', '{"capabilities": [5]}', '{"limits": 1, "limits": {}}',
     '{"capabilities": [{"use": "decision.propose", "max_order_usd": "5"}]}',
     '{"capabilities": [{"use": "decision.propose", "max_order_micros": 5}]}'],
)  # fmt: skip
def test_a_malformed_wish_names_its_file(wish_file, text):
    path = wish_file(text)
    with pytest.raises(OperatorError, match=f"^{path}: "):
        grants.read_wish(path)


@pytest.mark.parametrize(
    "text",
    ['{"limits": {"memory_gb": 1}}', '{"limits": {"memory_mb": "64"}}', '{"limits": {"memory_mb": 64.5}}'],
)
def test_a_wish_of_the_wrong_kind_is_an_error(plugin, now, wish_file, text):
    with pytest.raises(OperatorError, match="^grant: limits: "):
        grants.propose(plugin, grants.read_wish(wish_file(text)), granted_by="op", now=now)


EDITS = {
    "respelled": (lambda text: text + " ", "edited by hand"),
    "key twice": (lambda text: text.replace('"id"', '"id": "a.b", "id"'), "stands twice"),
    "unknown key": (lambda text: text.replace('"id"', '"extra": 1, "id"'), "unknown field"),
    "other id": (lambda text: text.replace("org.example.momentum", "org.example.other"), "edited by hand"),
    "bad digest": (lambda text: text.replace('"digest": "', '"digest": "zz'), "digest"),
    "not JSON": (lambda text: text[:-10], "not strict JSON"),
}


@pytest.mark.parametrize(("edit", "what"), EDITS.values(), ids=EDITS.keys())
def test_an_edited_file_is_refused(tmp_path, grant, edit, what):
    path = tmp_path / f"{grant.id}.json"
    path.write_text(edit(grant.encode().decode()))
    path.chmod(0o600)
    with pytest.raises(OperatorError, match=what):
        grants.find(tmp_path, grant.id)


def test_a_file_others_could_have_written_is_refused(tmp_path, grant):
    path = tmp_path / f"{grant.id}.json"
    path.write_bytes(grant.encode())
    path.chmod(0o622)
    with pytest.raises(Refused, match="open to other users"):
        grants.find(tmp_path, grant.id)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            '"max_order_micros": 50000000',
            '"max_order_micros": 50000001',
            "decision.propose: max_order_usd: .* is wider",
        ),
        ('"memory_mb": 256', '"memory_mb": 512', "limits: memory_mb: 512 is wider"),
        ('"use": "market.read"', '"use": "account.read"', None),
        ('"version": "1.4.0"', '"version": "1.4.1"', "the grant is for other bytes"),
        ('"polymarket"', '"kalshi"', "venues: kalshi is wider"),
    ],
)
def test_a_widened_file_is_refused_at_start(tmp_path, plugin, grant, old, new, message):
    text = grant.encode().decode()
    assert old in text
    path = tmp_path / f"{grant.id}.json"
    path.write_text(text.replace(old, new))
    path.chmod(0o600)
    if message is None:
        with pytest.raises(OperatorError):
            grants.find(tmp_path, grant.id)
        return
    with pytest.raises(Refused, match=message):
        grants.find(tmp_path, grant.id).check(plugin)


def test_a_grant_is_for_one_key(plugin, grant, stranger):
    import msgspec

    other = msgspec.structs.replace(grant, keyid=stranger.public.keyid)
    with pytest.raises(Refused, match="another publisher's key"):
        other.check(plugin)


STRATEGY = b"""kind: strategy
briefs: {value: value.txt, other: other.txt}
"""


@pytest.fixture
def strategy(source, publisher, trust, now):
    text = source["plugin.yaml"].replace(b"kind: agent\n", STRATEGY).replace(b"[decide]", b"[select]")
    text = b"\n".join(line for line in text.split(b"\n") if b"decision.propose" not in line)
    files = {**source, "plugin.yaml": text, "value.txt": b"Buy what is cheap.", "other.txt": b"Buy the rest."}
    package = archive.write(files)
    return verify(package, attest(package, publisher, archive_name=NAME, now=now), trust, archive_name=NAME)


def test_a_strategys_briefs_are_pinned_by_their_digests(strategy, now):
    grant = grants.propose(strategy, Wish(), granted_by="op", now=now)
    assert grant.briefs == {
        "value": hashlib.sha256(b"Buy what is cheap.").hexdigest(),
        "other": hashlib.sha256(b"Buy the rest.").hexdigest(),
    }
    grant.check(strategy)
    other = msgspec.structs.replace(grant, briefs={**grant.briefs, "value": "0" * 64})
    with pytest.raises(Refused, match=r"^org.example.momentum: the grant is for other briefs$"):
        other.check(strategy)


def test_what_has_no_briefs_has_no_key_for_them(grant):
    assert b"briefs" not in grant.encode()
