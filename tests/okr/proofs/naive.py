"""The Merkle tree by its definition: whole lists, no edges, no caches."""

from hashlib import sha256


def root(leaves: list[bytes]) -> bytes:
    """The root over hashes of leaves."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    middle = split(len(leaves))
    return sha256(b"\x01" + root(leaves[:middle]) + root(leaves[middle:])).digest()


def path(index: int, leaves: list[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    middle = split(len(leaves))
    if index < middle:
        return [*path(index, leaves[:middle]), root(leaves[middle:])]
    return [*path(index - middle, leaves[middle:]), root(leaves[:middle])]


def proof(first: int, leaves: list[bytes]) -> list[bytes]:
    return [] if first == 0 else sub_proof(first, leaves, whole=True)


def sub_proof(first: int, leaves: list[bytes], *, whole: bool) -> list[bytes]:
    if first == len(leaves):
        return [] if whole else [root(leaves)]
    middle = split(len(leaves))
    if first <= middle:
        return [*sub_proof(first, leaves[:middle], whole=whole), root(leaves[middle:])]
    return [*sub_proof(first - middle, leaves[middle:], whole=False), root(leaves[:middle])]


def split(size: int) -> int:
    """The largest power of two below a size."""
    power = 1
    while 2 * power < size:
        power *= 2
    return power


def node(leaves: list[bytes], height: int, number: int) -> bytes:
    """The hash of a whole subtree."""
    begin = number << height
    within = leaves[begin : begin + (1 << height)]
    assert len(within) == 1 << height, "no proof needs a subtree that is not whole"
    return root(within)
