"""RFC 6962 Merkle trees over SM3 (GB/T 32905), pure.

A tree is kept as the hashes of its *complete* subtrees: node ``(level, index)`` covers the leaves from
``index << level`` on, ``1 << level`` of them. Such a node never changes, so a log table of nodes is append-only.
Whoever holds the nodes in a database asks first which are needed (``*_nodes``), fetches them in one read, and
computes then from a mapping.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from libs.crypto.sm3 import sm3

NodeId = tuple[int, int]
"""(level, index) of a complete subtree; level 0 is a leaf."""

GetNode = Callable[[NodeId], bytes]
"""Gives the hash of a complete subtree."""

_Range = tuple[int, int]


class ProofInvalid(ValueError):
    """A proof does not lead where it should; the message says at which point."""


@dataclass(frozen=True, slots=True)
class Node:
    """A complete subtree that an append brought into being."""

    level: int
    index: int
    hash: bytes


EMPTY_ROOT = sm3(b"")
"""The root of the tree without leaves (RFC 6962, 2.1)."""


def leaf_hash(entry: bytes) -> bytes:
    """Returns SM3(0x00 || entry)."""
    return sm3(b"\x00" + entry)


def node_hash(left: bytes, right: bytes) -> bytes:
    """Returns SM3(0x01 || left || right)."""
    return sm3(b"\x01" + left + right)


# ---- growing ----


def append_nodes(size: int) -> list[NodeId]:
    """Names the nodes that :func:`append` reads to add leaves to a tree of ``size``."""
    return _cover((0, size))


def append(size: int, leaves: Iterable[bytes], get: GetNode) -> list[Node]:
    """Adds leaf hashes to a tree of ``size`` leaves and returns every node that is new, leaves among them."""
    open_subtrees = [(level, get((level, index))) for level, index in _cover((0, size))]
    new: list[Node] = []
    for position, leaf in enumerate(leaves, start=size):
        level, value = 0, leaf
        new.append(Node(0, position, leaf))
        while open_subtrees and open_subtrees[-1][0] == level:
            value = node_hash(open_subtrees.pop()[1], value)
            level += 1
            new.append(Node(level, position >> level, value))
        open_subtrees.append((level, value))
    return new


def getter(nodes: Mapping[NodeId, bytes]) -> GetNode:
    """Makes a node getter of a mapping."""
    return nodes.__getitem__


# ---- root and proofs ----


def root_nodes(size: int) -> list[NodeId]:
    """Names the nodes that :func:`root` reads."""
    return _cover((0, size))


def root(size: int, get: GetNode) -> bytes:
    """Returns the root of the tree of the first ``size`` leaves."""
    return _range_hash((0, size), get) if size else EMPTY_ROOT


def inclusion_nodes(index: int, size: int) -> list[NodeId]:
    """Names the nodes that :func:`inclusion_path` reads."""
    return [node for part in _inclusion_ranges(index, size) for node in _cover(part)]


def inclusion_path(index: int, size: int, get: GetNode) -> list[bytes]:
    """Returns the audit path of leaf ``index`` in the tree of ``size``, from the leaf up (RFC 6962, 2.1.1).

    Raises:
        ValueError: the leaf is not in the tree.
    """
    return [_range_hash(part, get) for part in _inclusion_ranges(index, size)]


def consistency_nodes(first: int, second: int) -> list[NodeId]:
    """Names the nodes that :func:`consistency_path` reads."""
    return [node for part in _consistency_ranges(first, second) for node in _cover(part)]


def consistency_path(first: int, second: int, get: GetNode) -> list[bytes]:
    """Returns the proof that the tree of ``second`` leaves continues that of ``first`` (RFC 6962, 2.1.2).

    Raises:
        ValueError: the sizes are not ``1 <= first <= second``.
    """
    return [_range_hash(part, get) for part in _consistency_ranges(first, second)]


def _split(size: int) -> int:
    """Returns the largest power of two smaller than ``size`` (at least 2)."""
    return 1 << ((size - 1).bit_length() - 1)


def _cover(part: _Range) -> list[NodeId]:
    """Returns the complete subtrees that make up a range, left to right; they get smaller to the right.

    Holds for the ranges that RFC 6962 splits a tree into: their start is a multiple of their largest subtree.
    """
    start, end = part
    nodes = []
    while start < end:
        level = (end - start).bit_length() - 1
        nodes.append((level, start >> level))
        start += 1 << level
    return nodes


def _range_hash(part: _Range, get: GetNode) -> bytes:
    *rest, last = _cover(part)
    value = get(last)
    for node in reversed(rest):
        value = node_hash(get(node), value)
    return value


def _inclusion_ranges(index: int, size: int) -> list[_Range]:
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    start, end = 0, size
    siblings = []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            siblings.append((middle, end))
            end = middle
        else:
            siblings.append((start, middle))
            start = middle
    return siblings[::-1]


def _consistency_ranges(first: int, second: int) -> list[_Range]:
    if not 1 <= first <= second:
        raise ValueError(f"no proof from size {first} to {second}")
    start, end = 0, second
    siblings = []
    while end > first:
        middle = start + _split(end - start)
        if first <= middle:
            siblings.append((middle, end))
            end = middle
        else:
            siblings.append((start, middle))
            start = middle
    # The first tree's own root is known to the verifier where that tree is a complete subtree of the second.
    own = [(start, end)] if start else []
    return own + siblings[::-1]


# ---- verification ----


def root_from_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """Computes the root that an audit path leads to (RFC 9162, 2.1.3.2).

    Raises:
        ProofInvalid: index, size and length of the path do not fit together.
    """
    if not 0 <= index < size:
        raise ProofInvalid(f"leaf {index} is not in a tree of {size}")
    position, last, value = index, size - 1, leaf
    for sibling in path:
        if not last:
            raise ProofInvalid("the path is too long")
        if position & 1 or position == last:
            value = node_hash(sibling, value)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            value = node_hash(value, sibling)
        position, last = position >> 1, last >> 1
    if last:
        raise ProofInvalid("the path is too short")
    return value


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], expected_root: bytes) -> None:
    """Checks that a leaf hash stands at ``index`` in the tree of ``size`` with this root.

    Raises:
        ProofInvalid: it does not, or the path has the wrong length.
    """
    if root_from_inclusion(leaf, index, size, path) != expected_root:
        raise ProofInvalid("the path leads to another root")


def verify_consistency(first: int, first_root: bytes, second: int, second_root: bytes, path: Sequence[bytes]) -> None:
    """Checks that the tree of ``second`` leaves continues that of ``first`` (RFC 9162, 2.1.4.2).

    Raises:
        ProofInvalid: it does not, or the proof has the wrong length.
    """
    if not 1 <= first <= second:
        raise ProofInvalid(f"no proof leads from size {first} to {second}")
    if first == second:
        if path or first_root != second_root:
            raise ProofInvalid("trees of one size need one root and no path")
        return
    nodes = [first_root, *path] if first & (first - 1) == 0 else list(path)
    if not nodes:
        raise ProofInvalid("the path is too short")
    old, new = _fold_consistency(first, second, nodes)
    if old != first_root:
        raise ProofInvalid("the path does not contain the earlier root")
    if new != second_root:
        raise ProofInvalid("the path leads to another later root")


def _fold_consistency(first: int, second: int, nodes: Sequence[bytes]) -> tuple[bytes, bytes]:
    position, last = first - 1, second - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old = new = nodes[0]
    for node in nodes[1:]:
        if not last:
            raise ProofInvalid("the path is too long")
        if position & 1 or position == last:
            old, new = node_hash(node, old), node_hash(node, new)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            new = node_hash(new, node)
        position, last = position >> 1, last >> 1
    if last:
        raise ProofInvalid("the path is too short")
    return old, new


class Accumulator:
    """Computes roots over a stream of leaf hashes in logarithmic memory; for checking a log that is not trusted."""

    def __init__(self) -> None:
        """Starts with the empty tree."""
        self._subtrees: list[tuple[int, bytes]] = []
        self.size = 0

    def add(self, leaf: bytes) -> None:
        """Appends a leaf hash."""
        level, value = 0, leaf
        while self._subtrees and self._subtrees[-1][0] == level:
            value = node_hash(self._subtrees.pop()[1], value)
            level += 1
        self._subtrees.append((level, value))
        self.size += 1

    def root(self) -> bytes:
        """Returns the root of what was added so far."""
        if not self._subtrees:
            return EMPTY_ROOT
        *rest, (_, value) = self._subtrees
        for _, left in reversed(rest):
            value = node_hash(left, value)
        return value
