"""The hashes of a tree in tiles of 256, so that growing writes few rows and a proof reads few.

A tile of level 0 holds the hashes of 256 leaves beside each other; one of level k those of whole
subtrees of 256^k leaves. A full tile never changes. Of each level the last one is partial: these
are the tree's tail. Every other hash of a proof is computed from a part of a tile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from okr.proofs.tree import HASH_BYTES, Frontier, node_hash

HEIGHT: Final = 8
WIDTH: Final = 1 << HEIGHT
"""The hashes of a full tile."""

FULL_BYTES: Final = WIDTH * HASH_BYTES

ReadTile = Callable[[int, int], bytes]
"""The hashes of the full tile at (level, number), empty where there is none."""


class TreeDamaged(Exception):
    """Tiles of a tree are missing or not of the length that they should have."""


class Tile(NamedTuple):
    """A full tile: the one that holds the `number`th 256 hashes of its level, from 0."""

    level: int
    number: int
    hashes: bytes


class Growth:
    """A tree to which leaves are appended: its edge, and the tiles that have become full.

    Raises:
        TreeDamaged: the tail is not that of a tree of this size.
    """

    def __init__(self, size: int = 0, tail: bytes = b"") -> None:
        self._rows = [bytearray(row) for row in _rows(size, tail)]
        self._frontier = Frontier(size, list(_edge(size, self._rows)))
        self._full: list[Tile] = []

    @property
    def size(self) -> int:
        return self._frontier.size

    @property
    def tail(self) -> bytes:
        """The partial tiles of all levels, the lowest first: at most 8 160 bytes a level."""
        return b"".join(self._rows)

    def append(self, leaf: bytes) -> None:
        """Adds the hash of the next leaf. About 2 µs."""
        frontier = self._frontier
        hashes, place = frontier.hashes, frontier.size
        self._put(0, leaf)
        height = 0
        while place >> height & 1:
            leaf = node_hash(hashes.pop(), leaf)
            height += 1
            if height % HEIGHT == 0:
                self._put(height // HEIGHT, leaf)
        hashes.append(leaf)
        frontier.size += 1

    def root(self) -> bytes:
        """The root of what was appended."""
        return self._frontier.root()

    def taken(self) -> list[Tile]:
        """The tiles that have become full since this was last asked."""
        full, self._full = self._full, []
        return full

    def _put(self, level: int, hashed: bytes) -> None:
        if level == len(self._rows):
            self._rows.append(bytearray())
        row = self._rows[level]
        row += hashed
        if len(row) == FULL_BYTES:
            number = self._frontier.size >> HEIGHT * (level + 1)
            self._full.append(Tile(level, number, bytes(row)))
            row.clear()


class Tiles:
    """The whole subtrees of a tree of `size` leaves, from its tail and the tiles that it reads.

    Each tile is read once. Its `node` is what proofs are made from, `okr.proofs.tree.Nodes`.
    """

    def __init__(self, size: int, tail: bytes, read: ReadTile) -> None:
        self.size = size
        self._partial = list(_rows(size, tail))
        self._read = read
        self._tiles: dict[tuple[int, int], bytes] = {}

    def node(self, height: int, number: int) -> bytes:
        """The hash of a whole subtree; hashes up to 127 nodes.

        Raises:
            TreeDamaged: a tile that should be there is not.
        """
        level, within = divmod(height, HEIGHT)
        tile, offset = divmod(number << within, WIDTH)
        return _subtree(self.hashes(level, tile), offset, 1 << within)

    def leaf(self, index: int) -> bytes:
        """The hash of a leaf, counted from 0."""
        return self.node(0, index)

    def hashes(self, level: int, tile: int) -> bytes:
        """The hashes of a tile, full or not.

        Raises:
            TreeDamaged: it should be there and is not.
        """
        found = self._tiles.get((level, tile))
        if found is None:
            if tile == self.size >> HEIGHT * (level + 1):
                found = self._partial[level]
            else:
                found = self._read(level, tile)
                if len(found) != FULL_BYTES:
                    raise TreeDamaged(f"tile {tile} of level {level} is not there as it should be")
            self._tiles[level, tile] = found
        return found


def _rows(size: int, tail: bytes) -> Iterator[bytes]:
    """The partial tile of each level of a tree of this size."""
    begin = 0
    while size:
        end = begin + size % WIDTH * HASH_BYTES
        yield tail[begin:end]
        begin, size = end, size // WIDTH
    if begin != len(tail):
        raise TreeDamaged("the tail is not that of a tree of this size")


def _edge(size: int, rows: list[bytearray]) -> Iterator[bytes]:
    """The hashes of the largest whole subtrees, from the left."""
    for level in reversed(range(len(rows))):
        count = size >> HEIGHT * level & WIDTH - 1
        begin = 0
        for within in reversed(range(HEIGHT)):
            if count >> within & 1:
                yield _subtree(rows[level], begin, 1 << within)
                begin += 1 << within


def _subtree(hashes: bytes | bytearray, begin: int, width: int) -> bytes:
    """The hash over `width` hashes, a power of two."""
    found = [
        bytes(hashes[at * HASH_BYTES : (at + 1) * HASH_BYTES]) for at in range(begin, begin + width)
    ]
    if not found[-1]:
        raise TreeDamaged("a subtree is not whole yet")
    while len(found) > 1:
        pairs = iter(found)
        found = [node_hash(left, right) for left, right in zip(pairs, pairs, strict=True)]
    return found[0]
