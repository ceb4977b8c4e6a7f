"""Roots and proofs against published figures, and against the definition of the tree."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from okr.proofs.tree import (
    EMPTY_ROOT,
    Frontier,
    consistency,
    includes,
    inclusion,
    is_consistent,
    leaf_hash,
    root,
)
from tests.okr.proofs import naive
from tests.okr.proofs.published import CONSISTENCY, INCLUSION, LEAVES, ROOTS

HASHES = [leaf_hash(leaf) for leaf in LEAVES]


def leaves(size: int) -> list[bytes]:
    return [leaf_hash(number.to_bytes(2, "big")) for number in range(size)]


def flipped(hashed: bytes, bit: int) -> bytes:
    """The bytes with one bit the other way round."""
    number = int.from_bytes(hashed, "big") ^ 1 << bit
    return number.to_bytes(len(hashed), "big")


def test_roots_are_the_published_ones() -> None:
    frontier = Frontier()
    assert frontier.root() == ROOTS[0] == EMPTY_ROOT
    for size, hashed in enumerate(HASHES, start=1):
        frontier.append(hashed)
        assert frontier.root() == ROOTS[size]
        assert root(partial(naive.node, HASHES), size) == ROOTS[size]


@pytest.mark.parametrize(("index", "size"), INCLUSION)
def test_inclusion_proofs_are_the_published_ones(index: int, size: int) -> None:
    proof = inclusion(partial(naive.node, HASHES), index, size)
    assert [hashed.hex() for hashed in proof] == INCLUSION[index, size]
    assert includes(HASHES[index], index, size, proof, ROOTS[size])


@pytest.mark.parametrize(("first", "second"), CONSISTENCY)
def test_consistency_proofs_are_the_published_ones(first: int, second: int) -> None:
    proof = consistency(partial(naive.node, HASHES), first, second)
    assert [hashed.hex() for hashed in proof] == CONSISTENCY[first, second]
    assert is_consistent(first, ROOTS[first], second, ROOTS[second], proof)


@given(st.data())
def test_every_inclusion_proof_verifies_and_is_the_definition_s(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 130))
    index = data.draw(st.integers(0, size - 1))
    hashes = leaves(size)
    proof = inclusion(partial(naive.node, hashes), index, size)
    assert proof == naive.path(index, hashes)
    assert includes(hashes[index], index, size, proof, naive.root(hashes))


@given(st.data())
def test_every_consistency_proof_verifies_and_is_the_definition_s(data: st.DataObject) -> None:
    second = data.draw(st.integers(0, 130))
    first = data.draw(st.integers(0, second))
    hashes = leaves(second)
    proof = consistency(partial(naive.node, hashes), first, second)
    assert proof == naive.proof(first, hashes)
    roots = naive.root(hashes[:first]), naive.root(hashes)
    assert is_consistent(first, roots[0], second, roots[1], proof)


@given(st.data())
def test_an_inclusion_proof_with_one_bit_changed_fails(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 130))
    index = data.draw(st.integers(0, size - 1))
    hashes = leaves(size)
    parts = [hashes[index], naive.root(hashes), *naive.path(index, hashes)]
    changed = data.draw(st.integers(0, len(parts) - 1))
    parts[changed] = flipped(parts[changed], data.draw(st.integers(0, 255)))
    leaf, expected, *proof = parts
    assert not includes(leaf, index, size, proof, expected)


@given(st.data())
def test_a_consistency_proof_with_one_bit_changed_fails(data: st.DataObject) -> None:
    second = data.draw(st.integers(1, 130))
    first = data.draw(st.integers(0, second))
    hashes = leaves(second)
    parts = [naive.root(hashes[:first]), naive.root(hashes), *naive.proof(first, hashes)]
    # The empty tree is the beginning of any, whatever root it grows to.
    changeable = [0] if first == 0 else range(len(parts))
    changed = data.draw(st.sampled_from(changeable))
    parts[changed] = flipped(parts[changed], data.draw(st.integers(0, 255)))
    first_root, second_root, *proof = parts
    assert not is_consistent(first, first_root, second, second_root, proof)


@given(st.data())
def test_a_proof_of_another_length_fails(data: st.DataObject) -> None:
    second = data.draw(st.integers(2, 130))
    first = data.draw(st.integers(1, second - 1))
    hashes = leaves(second)
    both = naive.root(hashes[:first]), naive.root(hashes)
    way, proof = naive.path(first, hashes), naive.proof(first, hashes)
    for longer_or_shorter in (way[:-1], way[1:], [*way, way[-1]]):
        assert not includes(hashes[first], first, second, longer_or_shorter, both[1])
    for longer_or_shorter in (proof[:-1], [*proof, proof[-1]]):
        assert not is_consistent(first, both[0], second, both[1], longer_or_shorter)


@pytest.mark.parametrize(("index", "size"), [(-1, 1), (0, 0), (1, 1), (8, 8), (0, -1)])
def test_a_leaf_that_no_tree_of_that_size_has_is_in_none(index: int, size: int) -> None:
    assert not includes(HASHES[0], index, size, [], HASHES[0])


@pytest.mark.parametrize(("first", "second"), [(-1, 1), (2, 1), (-2, -1), (0, -1)])
def test_sizes_that_cannot_follow_each_other_are_not_consistent(first: int, second: int) -> None:
    assert not is_consistent(first, EMPTY_ROOT, second, HASHES[0], [])


def test_a_frontier_goes_on_from_what_is_kept_of_it() -> None:
    whole, resumed = Frontier(), Frontier()
    for hashed in leaves(77):
        whole.append(hashed)
        resumed = Frontier(resumed.size, resumed.hashes)
        resumed.append(hashed)
        assert resumed.root() == whole.root()
