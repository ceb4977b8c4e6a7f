"""Tiles give the hashes of the tree, whatever its size."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from okr.proofs.tree import HASH_BYTES, Frontier, inclusion, leaf_hash, node_hash, root
from projections.proofs.tiles import FULL_BYTES, Growth, Tile, Tiles, TreeDamaged

SIZE = 70_000
LEAVES = [leaf_hash(number.to_bytes(4, "big")) for number in range(SIZE)]


@pytest.fixture(scope="module")
def grown() -> tuple[Growth, dict[tuple[int, int], bytes]]:
    """A tree whose tiles have three levels, and its full tiles."""
    growth = Growth()
    for leaf in LEAVES:
        growth.append(leaf)
    return growth, {(tile.level, tile.number): tile.hashes for tile in growth.taken()}


def tiles_of(grown: tuple[Growth, dict[tuple[int, int], bytes]]) -> Tiles:
    growth, full = grown
    return Tiles(growth.size, growth.tail, lambda level, number: full.get((level, number), b""))


def test_full_tiles_are_numbered_without_gaps(
    grown: tuple[Growth, dict[tuple[int, int], bytes]],
) -> None:
    _, full = grown
    assert sorted(full) == [*((0, n) for n in range(SIZE // 256)), (1, 0)]
    assert {len(hashes) for hashes in full.values()} == {FULL_BYTES}


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, SIZE])
def test_the_root_of_every_earlier_size_is_in_the_tiles(
    grown: tuple[Growth, dict[tuple[int, int], bytes]], size: int
) -> None:
    frontier = Frontier()
    for leaf in LEAVES[:size]:
        frontier.append(leaf)
    assert root(tiles_of(grown).node, size) == frontier.root()


@given(st.data())
def test_a_subtree_is_made_of_the_leaves_that_it_covers(
    grown: tuple[Growth, dict[tuple[int, int], bytes]], data: st.DataObject
) -> None:
    height = data.draw(st.integers(0, 12))
    number = data.draw(st.integers(0, (SIZE >> height) - 1))
    hashes = LEAVES[number << height : number + 1 << height]
    while len(hashes) > 1:
        hashes = [node_hash(*hashes[at : at + 2]) for at in range(0, len(hashes), 2)]
    assert tiles_of(grown).node(height, number) == hashes[0]


@given(st.lists(st.integers(1, 400), max_size=5))
def test_a_tree_goes_on_from_its_size_and_tail(steps: list[int]) -> None:
    growth, whole = Growth(), Growth()
    full: list[Tile] = []
    for step in steps:
        for leaf in LEAVES[whole.size : whole.size + step]:
            whole.append(leaf)
            growth.append(leaf)
        full += growth.taken()
        growth = Growth(growth.size, growth.tail)
    assert (growth.size, growth.tail, growth.root()) == (whole.size, whole.tail, whole.root())
    assert full == whole.taken()


def test_a_tile_that_is_gone_is_told(grown: tuple[Growth, dict[tuple[int, int], bytes]]) -> None:
    growth, _ = grown
    with pytest.raises(TreeDamaged, match="tile 0 of level 1 is not there"):
        inclusion(Tiles(growth.size, growth.tail, lambda *_: b"").node, 1, growth.size)


@pytest.mark.parametrize("tail", [b"", bytes(HASH_BYTES - 1), bytes(2 * HASH_BYTES)])
def test_a_tail_of_another_length_is_told(tail: bytes) -> None:
    with pytest.raises(TreeDamaged):
        Growth(1, tail)
