"""The Merkle tree over a ledger's leaves: its root, and proofs about it.

The first n leaves make the tree of size n, so that a later tree holds every earlier one. A proof of
inclusion leads from one leaf to a root; a proof of consistency leads from an earlier root to a
later one. Both are lists of hashes, at most one or two for each doubling of the size.

Source: RFC 6962, section 2.1; the verification is that of RFC 9162, sections 2.1.3.2 and 2.1.4.2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Final, TypeAlias

HASH_BYTES: Final = 32

EMPTY_ROOT: Final = sha256(b"").digest()
"""The root of the tree of size 0."""

Nodes: TypeAlias = Callable[[int, int], bytes]
"""The hash of the whole subtree at (height, number): of the leaves from number · 2^height on, of
which there are 2^height; at height 0 of one leaf."""


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of a leaf's bytes."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees beside each other."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of a tree that grows: enough to append to it and to tell its root.

    `hashes` are those of the largest whole subtrees, from the left; one for each bit of `size`.
    """

    def __init__(self, size: int = 0, hashes: Sequence[bytes] = ()) -> None:
        self.size = size
        self.hashes = list(hashes)

    def append(self, leaf: bytes) -> None:
        """Adds the hash of the next leaf. Hashes one node on average."""
        merges, hashes = self.size, self.hashes
        while merges & 1:
            leaf = node_hash(hashes.pop(), leaf)
            merges >>= 1
        hashes.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """The root of what was appended. Hashes a node for each bit of the size."""
        return _joined(self.hashes)


def root(nodes: Nodes, size: int) -> bytes:
    """The root of the first `size` leaves."""
    return _range_hash(nodes, 0, size)


def inclusion(nodes: Nodes, index: int, size: int) -> list[bytes]:
    """What proves that a leaf, counted from 0, is in the tree of a size that is larger."""
    proof: list[bytes] = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + _half(end - begin)
        if index < middle:
            proof.append(_range_hash(nodes, middle, end))
            end = middle
        else:
            proof.append(_range_hash(nodes, begin, middle))
            begin = middle
    return proof[::-1]


def consistency(nodes: Nodes, first: int, second: int) -> list[bytes]:
    """What proves that the tree of the first size is the beginning of that of the second.

    Empty where the first is 0 or both are the same.
    """
    proof: list[bytes] = []
    if first in {0, second}:
        return proof
    begin, end = 0, second
    while first != end:
        middle = begin + _half(end - begin)
        if first <= middle:
            proof.append(_range_hash(nodes, middle, end))
            end = middle
        else:
            proof.append(_range_hash(nodes, begin, middle))
            begin = middle
    if begin:
        proof.append(_range_hash(nodes, begin, end))
    return proof[::-1]


def includes(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected_root: bytes
) -> bool:
    """Whether a proof shows the hash of a leaf, counted from 0, in the tree of a size and root."""
    if not 0 <= index < size:
        return False
    place, last, found = index, size - 1, leaf
    for hashed in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            found = node_hash(hashed, found)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, hashed)
        place, last = place >> 1, last >> 1
    return last == 0 and found == expected_root


def is_consistent(
    first: int, first_root: bytes, second: int, second_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Whether a proof shows that the tree of the first size and root begins that of the second."""
    if not 0 <= first <= second:
        return False
    if first == second:
        return not proof and first_root == second_root
    if first == 0:
        return not proof and first_root == EMPTY_ROOT
    if not proof:
        return False
    # Where the earlier tree is a whole subtree of the later one, the way begins with it.
    way = [first_root, *proof] if first & (first - 1) == 0 else proof
    place, last = first - 1, second - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    earlier = later = way[0]
    for hashed in way[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            earlier, later = node_hash(hashed, earlier), node_hash(hashed, later)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            later = node_hash(later, hashed)
        place, last = place >> 1, last >> 1
    return last == 0 and earlier == first_root and later == second_root


def _half(width: int) -> int:
    """The largest power of two below a width of at least 2."""
    return 1 << ((width - 1).bit_length() - 1)


def _range_hash(nodes: Nodes, begin: int, end: int) -> bytes:
    """The root of the leaves of a range, which begins where a subtree of its size would."""
    hashes: list[bytes] = []
    for height in reversed(range((end - begin).bit_length())):
        if (end - begin) >> height & 1:
            hashes.append(nodes(height, begin >> height))
            begin += 1 << height
    return _joined(hashes)


def _joined(hashes: Sequence[bytes]) -> bytes:
    """The root of whole subtrees, each smaller than the one to its left."""
    if not hashes:
        return EMPTY_ROOT
    *left, found = hashes
    for hashed in reversed(left):
        found = node_hash(hashed, found)
    return found
