"""The Merkle tree against RFC 6962 written down naively."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.audit import merkle
from libs.crypto.sm3 import sm3

LEAVES = [merkle.leaf_hash(str(n).encode()) for n in range(300)]


def naive_root(leaves: list[bytes]) -> bytes:
    if not leaves:
        return sm3(b"")
    if len(leaves) == 1:
        return leaves[0]
    k = naive_split(len(leaves))
    return sm3(b"\x01" + naive_root(leaves[:k]) + naive_root(leaves[k:]))


def naive_split(size: int) -> int:
    k = 1
    while k * 2 < size:
        k *= 2
    return k


def naive_path(index: int, leaves: list[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    k = naive_split(len(leaves))
    if index < k:
        return [*naive_path(index, leaves[:k]), naive_root(leaves[k:])]
    return [*naive_path(index - k, leaves[k:]), naive_root(leaves[:k])]


def naive_consistency(first: int, leaves: list[bytes], known: bool = True) -> list[bytes]:
    if first == len(leaves):
        return [] if known else [naive_root(leaves)]
    k = naive_split(len(leaves))
    if first <= k:
        return [*naive_consistency(first, leaves[:k], known), naive_root(leaves[k:])]
    return [*naive_consistency(first - k, leaves[k:], False), naive_root(leaves[:k])]


def grown(*batches: int) -> dict[merkle.NodeId, bytes]:
    """Appends batch after batch, giving each append only the nodes that it says it reads."""
    nodes: dict[merkle.NodeId, bytes] = {}
    size = 0
    for batch in batches:
        needed = {node: nodes[node] for node in merkle.append_nodes(size)}
        new = merkle.append(size, LEAVES[size : size + batch], merkle.getter(needed))
        assert not {(node.level, node.index) for node in new} & nodes.keys()
        nodes.update({(node.level, node.index): node.hash for node in new})
        size += batch
    return nodes


ALL = grown(len(LEAVES))


def only(wanted: list[merkle.NodeId]) -> merkle.GetNode:
    return merkle.getter({node: ALL[node] for node in wanted})


@st.composite
def two_sizes(draw: st.DrawFn) -> tuple[int, int]:
    second = draw(st.integers(1, 300))
    return draw(st.integers(1, second)), second


@st.composite
def place(draw: st.DrawFn) -> tuple[int, int]:
    size = draw(st.integers(1, 300))
    return draw(st.integers(0, size - 1)), size


def test_empty_tree_and_prefixes() -> None:
    assert merkle.root(0, only([])) == merkle.EMPTY_ROOT == sm3(b"")
    assert merkle.leaf_hash(b"x") == sm3(b"\x00x")
    assert merkle.node_hash(b"l", b"r") == sm3(b"\x01lr")


def test_every_root_from_the_nodes_it_names() -> None:
    accumulator = merkle.Accumulator()
    for size in range(301):
        expected = naive_root(LEAVES[:size])
        assert merkle.root(size, only(merkle.root_nodes(size))) == expected
        assert (accumulator.size, accumulator.root()) == (size, expected)
        if size < 300:
            accumulator.add(LEAVES[size])


@given(st.lists(st.integers(0, 60), max_size=5))
def test_batches_make_the_same_nodes(batches: list[int]) -> None:
    assert grown(*batches) == grown(sum(batches))


@given(st.integers(0, 200), st.integers(1, 100))
def test_new_root_needs_only_what_append_read_or_made(size: int, batch: int) -> None:
    known = {node: ALL[node] for node in merkle.append_nodes(size)}
    new = merkle.append(size, LEAVES[size : size + batch], merkle.getter(known))
    nodes = known | {(node.level, node.index): node.hash for node in new}
    assert merkle.root(size + batch, merkle.getter(nodes)) == naive_root(LEAVES[: size + batch])


@given(place())
def test_inclusion(where: tuple[int, int]) -> None:
    index, size = where
    path = merkle.inclusion_path(index, size, only(merkle.inclusion_nodes(index, size)))
    assert path == naive_path(index, LEAVES[:size])
    merkle.verify_inclusion(LEAVES[index], index, size, path, naive_root(LEAVES[:size]))


@given(place(), st.data())
def test_inclusion_of_anything_else_is_refused(where: tuple[int, int], data: st.DataObject) -> None:
    index, size = where
    path, root = naive_path(index, LEAVES[:size]), naive_root(LEAVES[:size])
    with pytest.raises(merkle.ProofInvalid):
        merkle.verify_inclusion(merkle.leaf_hash(b"other"), index, size, path, root)
    with pytest.raises(merkle.ProofInvalid):
        merkle.verify_inclusion(LEAVES[index], index, size, [*path, root], root)
    with pytest.raises(merkle.ProofInvalid):
        merkle.verify_inclusion(LEAVES[index], size, size, path, root)
    if path:
        broken = data.draw(st.integers(0, len(path) - 1))
        with pytest.raises(merkle.ProofInvalid):
            merkle.verify_inclusion(LEAVES[index], index, size, path[:-1], root)
        with pytest.raises(merkle.ProofInvalid, match="another root"):
            merkle.verify_inclusion(LEAVES[index], index, size, [*path[:broken], root, *path[broken + 1 :]], root)


@given(two_sizes())
def test_consistency(sizes: tuple[int, int]) -> None:
    first, second = sizes
    path = merkle.consistency_path(first, second, only(merkle.consistency_nodes(first, second)))
    assert path == naive_consistency(first, LEAVES[:second])
    merkle.verify_consistency(first, naive_root(LEAVES[:first]), second, naive_root(LEAVES[:second]), path)


@given(two_sizes(), st.data())
def test_rewritten_history_is_refused(sizes: tuple[int, int], data: st.DataObject) -> None:
    first, second = sizes
    changed = data.draw(st.integers(0, first - 1))
    leaves = [*LEAVES[:changed], merkle.leaf_hash(b"rewritten"), *LEAVES[changed + 1 : second]]
    old, new = naive_root(LEAVES[:first]), naive_root(leaves)
    with pytest.raises(merkle.ProofInvalid):
        merkle.verify_consistency(first, old, second, new, naive_consistency(first, leaves))
    path, later = naive_consistency(first, LEAVES[:second]), naive_root(LEAVES[:second])
    with pytest.raises(merkle.ProofInvalid):
        merkle.verify_consistency(first, old, second, later, [*path, old])
    if path:
        with pytest.raises(merkle.ProofInvalid):
            merkle.verify_consistency(first, old, second, later, path[:-1])


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_leaf_outside_the_tree(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="not in a tree"):
        merkle.inclusion_nodes(index, size)
    with pytest.raises(merkle.ProofInvalid):
        merkle.root_from_inclusion(LEAVES[0], index, size, [])


@pytest.mark.parametrize(("first", "second"), [(0, 3), (4, 3), (-1, 0)])
def test_sizes_without_a_proof(first: int, second: int) -> None:
    with pytest.raises(ValueError, match="no proof"):
        merkle.consistency_path(first, second, only([]))
    with pytest.raises(merkle.ProofInvalid):
        merkle.verify_consistency(first, LEAVES[0], second, LEAVES[0], [])
