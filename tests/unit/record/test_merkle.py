"""The tree against RFC 6962's own recursive definition."""

from __future__ import annotations

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st
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
