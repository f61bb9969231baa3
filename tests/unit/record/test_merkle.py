"""The tree against RFC 6962's own recursive definition."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pp_host.errors import RecordError
from pp_host.record import merkle

LEAVES = [merkle.leaf_hash(bytes([n])) for n in range(70)]
trees = st.lists(st.binary(min_size=32, max_size=32), max_size=200)


def defined_root(leaves):
    """MTH of RFC 6962, 2.1, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + defined_root(leaves[:k]) + defined_root(leaves[k:])).digest()


def test_the_hashes_are_those_of_the_rfc():
    # Constants of the certificate transparency reference tests.
    assert merkle.EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert merkle.leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    two = merkle.node_hash(merkle.leaf_hash(b""), merkle.leaf_hash(b"\x00"))
    assert two.hex() == "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"


@given(trees)
def test_the_growing_root_is_the_defined_one(leaves):
    frontier = merkle.Frontier()
    assert frontier.root() == defined_root([])
    for size, leaf in enumerate(leaves, 1):
        frontier.append(leaf)
        assert frontier.size == size
    assert frontier.root() == defined_root(leaves)


@pytest.mark.parametrize("size", range(1, 35))
def test_every_leaf_is_proved_and_no_other_in_its_place(size):
    leaves, root = LEAVES[:size], defined_root(LEAVES[:size])
    for index in range(size):
        proof = merkle.inclusion_proof(index, leaves)
        merkle.verify_inclusion(index, size, leaves[index], proof, root)
        for elsewhere in {0, index + 1, size - 1} - {index}:
            with pytest.raises(RecordError, match="proof"):
                merkle.verify_inclusion(elsewhere, size, leaves[index], proof, root)


@pytest.mark.parametrize("size2", range(1, 35))
def test_every_beginning_is_proved_and_no_other(size2):
    for size1 in range(1, size2 + 1):
        proof = merkle.consistency_proof(size1, LEAVES[:size2])
        root1, root2 = defined_root(LEAVES[:size1]), defined_root(LEAVES[:size2])
        merkle.verify_consistency(size1, size2, proof, root1, root2)
        with pytest.raises(RecordError, match="proof"):
            merkle.verify_consistency(size1, size2, proof, defined_root(LEAVES[1 : size1 + 1]), root2)
        with pytest.raises(RecordError, match="proof"):
            merkle.verify_consistency(size1, size2, proof, root1, LEAVES[-1])


@given(st.data())
def test_a_proof_with_one_bit_changed_is_refused(data):
    size = data.draw(st.integers(2, 70))
    index = data.draw(st.integers(0, size - 1))
    proof = merkle.inclusion_proof(index, LEAVES[:size])
    at = data.draw(st.integers(0, len(proof) - 1))
    bit = data.draw(st.integers(0, 255))
    proof[at] = (int.from_bytes(proof[at], "big") ^ 1 << bit).to_bytes(32, "big")
    with pytest.raises(RecordError, match=f"leaf {index} does not lead to the root"):
        merkle.verify_inclusion(index, size, LEAVES[index], proof, defined_root(LEAVES[:size]))


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_hash_of_another_length_is_refused(length):
    odd, root = bytes(length), defined_root(LEAVES[:2])
    for leaf, proof, top in (
        (odd, LEAVES[1:2], root),
        (LEAVES[0], [odd], root),
        (LEAVES[0], LEAVES[1:2], odd),
    ):
        with pytest.raises(RecordError, match="every hash has 32 bytes"):
            merkle.verify_inclusion(0, 2, leaf, proof, top)
    merkle.verify_inclusion(0, 2, LEAVES[0], LEAVES[1:2], root)


def test_a_proof_of_another_length_is_refused():
    proof, root = merkle.inclusion_proof(4, LEAVES[:7]), defined_root(LEAVES[:7])
    for wrong, says in ((proof[:-1], "shorter"), ([*proof, LEAVES[0]], "longer")):
        with pytest.raises(RecordError, match=says):
            merkle.verify_inclusion(4, 7, LEAVES[4], wrong, root)


@pytest.mark.parametrize(("size1", "size2"), [(0, 0), (0, 5), (6, 5), (-1, 5)])
def test_nothing_is_proved_from_nothing_or_backwards(size1, size2):
    with pytest.raises(RecordError, match="not in order, or empty"):
        merkle.verify_consistency(size1, size2, [], merkle.EMPTY_ROOT, merkle.EMPTY_ROOT)


@pytest.mark.parametrize("index", [-1, 3])
def test_no_proof_is_made_for_what_is_not_there(index):
    with pytest.raises(RecordError, match="is not in a tree of 3"):
        merkle.inclusion_proof(index, LEAVES[:3])
    with pytest.raises(RecordError, match="no consistency proof"):
        merkle.consistency_proof(4, LEAVES[:3])
