"""The RFC 6962 tree over SHA-256: leaf and node hashes, a growing root, and the two proofs.

Laws: pure; hashes in, hashes out; it knows neither entries nor files. Every hash is exactly 32 bytes. A
proof is accepted whole or refused: `verify_*` raises RecordError and returns nothing. Proofs are read as in
RFC 9162, 2.1.3.2 and 2.1.4.2, which are the verification halves that RFC 6962 leaves to the reader.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

from pp_host.errors import RecordError

HASH_BYTES = 32
EMPTY_ROOT = sha256().digest()


def leaf_hash(data: bytes) -> bytes:
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """The roots of the full subtrees, largest first: all that is needed to go on appending."""

    __slots__ = ("_peaks", "size")

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        self._peaks: list[bytes] = []
        self.size = 0
        for leaf in leaves:
            self.append(leaf)

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash; two hashes of work on average."""
        climbing, peaks = self.size, self._peaks
        while climbing & 1:
            leaf = node_hash(peaks.pop(), leaf)
            climbing >>= 1
        peaks.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        if not self._peaks:
            return EMPTY_ROOT
        root = self._peaks[-1]
        for peak in self._peaks[-2::-1]:
            root = node_hash(peak, root)
        return root


def inclusion_proof(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """The hashes that lead from leaf `index` to the root of `leaves`, nearest first."""
    if not 0 <= index < len(leaves):
        raise RecordError(f"leaf {index} is not in a tree of {len(leaves)}")
    if len(leaves) == 1:
        return []
    split = _split(len(leaves))
    left, right = leaves[:split], leaves[split:]
    if index < split:
        return [*inclusion_proof(index, left), Frontier(right).root()]
    return [*inclusion_proof(index - split, right), Frontier(left).root()]


def consistency_proof(size: int, leaves: Sequence[bytes]) -> list[bytes]:
    """The hashes that show the tree of the first `size` leaves to be a beginning of the tree of `leaves`."""
    if not 0 < size <= len(leaves):
        raise RecordError(f"no consistency proof from size {size} to {len(leaves)}")
    return _old_part(size, leaves, known=True)


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Return if `leaf` is the leaf hash at `index` of the tree (size, root); else RecordError."""
    _check_lengths(leaf, root, *proof)
    if not 0 <= index < size:
        raise RecordError(f"inclusion proof: leaf {index} is not in a tree of {size}")
    _, climbed = _climb(index, size - 1, leaf, proof)
    if climbed != root:
        raise RecordError(f"inclusion proof: leaf {index} does not lead to the root of size {size}")


def verify_consistency(size1: int, size2: int, proof: Sequence[bytes], root1: bytes, root2: bytes) -> None:
    """Return if the tree (size1, root1), not empty, is a beginning of (size2, root2); else RecordError."""
    _check_lengths(root1, root2, *proof)
    if not 0 < size1 <= size2:
        raise RecordError(f"consistency proof: sizes {size1} and {size2} are not in order, or empty")
    if size1 == size2:
        if proof or root1 != root2:
            raise RecordError(f"consistency proof: equal sizes {size1} need equal roots and no hashes")
        return
    path = [root1, *proof] if _is_power_of_two(size1) else proof
    if not path:
        raise RecordError("consistency proof: empty")
    old, new = size1 - 1, size2 - 1
    while old & 1:
        old, new = old >> 1, new >> 1
    if _climb(old, new, path[0], path[1:]) != (root1, root2):
        raise RecordError(f"consistency proof: size {size1} is not a beginning of size {size2}")


def _climb(index: int, last: int, start: bytes, path: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Walk from a node to the top: the root of what lies left of the walk and in it, and the root of all."""
    left = whole = start
    for sibling in path:
        if last == 0:
            raise RecordError("proof: longer than the tree is high")
        if index & 1 or index == last:
            left, whole = node_hash(sibling, left), node_hash(sibling, whole)
            while index and not index & 1:
                index, last = index >> 1, last >> 1
        else:
            whole = node_hash(whole, sibling)
        index, last = index >> 1, last >> 1
    if last != 0:
        raise RecordError("proof: shorter than the tree is high")
    return left, whole


def _old_part(size: int, leaves: Sequence[bytes], *, known: bool) -> list[bytes]:
    """RFC 6962 SUBPROOF; `known` while the subtree's root is the old root itself, which the reader has."""
    if size == len(leaves):
        return [] if known else [Frontier(leaves).root()]
    split = _split(len(leaves))
    left, right = leaves[:split], leaves[split:]
    if size <= split:
        return [*_old_part(size, left, known=known), Frontier(right).root()]
    return [*_old_part(size - split, right, known=False), Frontier(left).root()]


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1


def _is_power_of_two(number: int) -> bool:
    return number & (number - 1) == 0


def _check_lengths(*hashes: bytes) -> None:
    if any(len(each) != HASH_BYTES for each in hashes):
        raise RecordError(f"proof: every hash has {HASH_BYTES} bytes")
