"""
QLDB's tree of hashes: dot, Merkle root, frontier and proofs.

Pure functions over digests (32 bytes, SHA-256); nothing here knows Ion, blocks or
what was hashed. The rules are those of qldb-facts 2.5 and 2.7, the vectors of 2.9:

* `dot` sorts its two operands by SIGNED bytes, compared from the LAST byte
  backwards; it is not a lexicographic sort. It commutes, and the empty bytes are its
  neutral element.
* a Merkle tree joins neighbours level by level; an odd node at the end of a level is
  promoted unchanged.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

from qldb_stream.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "DIGEST_BYTES",
    "MerkleFrontier",
    "MerklePath",
    "dot",
    "fold_proof",
    "merkle_proof",
    "merkle_root",
    "subtrees",
]

DIGEST_BYTES: Final = 32
"""The length of a SHA-256 digest; QLDB knows no other."""

# Unsigned comparison of bytes whose sign bit is flipped is signed comparison.
_SIGN_FLIPPED: Final = bytes(byte ^ 0x80 for byte in range(256))


def dot(a: bytes, b: bytes) -> bytes:
    """
    Join two digests into one, in the order that QLDB gives them.

    Args:
        a: 32 bytes, or empty.
        b: 32 bytes, or empty.

    Returns:
        32 bytes; the other operand when one is empty (qldb-facts 2.5).

    Raises:
        UsageError: an operand is neither empty nor 32 bytes long.
    """
    if len(a) != DIGEST_BYTES or len(b) != DIGEST_BYTES:
        return _dot_with_empty(a, b)
    return _joined(a, b)


def _joined(a: bytes, b: bytes) -> bytes:
    """Join two digests that have 32 bytes."""
    last_a = a[31] ^ 0x80
    last_b = b[31] ^ 0x80
    if last_a == last_b:  # one pair in 256
        a_first = a.translate(_SIGN_FLIPPED)[::-1] < b.translate(_SIGN_FLIPPED)[::-1]
    else:
        a_first = last_a < last_b
    return sha256(a + b if a_first else b + a).digest()


def merkle_root(leaves: Iterable[bytes]) -> bytes:
    """
    Give the Merkle root over leaves in their order.

    Args:
        leaves: 32 bytes each.

    Returns:
        32 bytes; empty when there are no leaves; the leaf itself when there is one.

    Raises:
        UsageError: a leaf is not 32 bytes long.
    """
    level = list(leaves)
    _check_leaves(level)
    while len(level) > 1:
        level = _next_level(level)
    return level[0] if level else b""


def merkle_proof(leaves: Iterable[bytes], index: int) -> tuple[bytes, ...]:
    """
    Give the siblings that lead from a leaf to the root, from the bottom up.

    A level on which the node is the promoted odd one adds nothing (qldb-facts 2.7).

    Args:
        leaves: 32 bytes each.
        index: which leaf is to be proven, from 0.

    Returns:
        32 bytes each; `fold_proof(leaves[index], proof)` is the root.

    Raises:
        UsageError: a leaf is not 32 bytes long, or there is no leaf at `index`.
    """
    level = list(leaves)
    _check_leaves(level)
    if not 0 <= index < len(level):
        raise UsageError(f"a proof for leaf {index} of {len(level)} leaves")
    proof: list[bytes] = []
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            proof.append(level[sibling])
        level = _next_level(level)
        index //= 2
    return tuple(proof)


def fold_proof(leaf: bytes, proof: Sequence[bytes]) -> bytes:
    """
    Give the root that a leaf and its proof lead to; compare it with a digest.

    Args:
        leaf: 32 bytes.
        proof: siblings from the bottom up, 32 bytes each.

    Returns:
        32 bytes.

    Raises:
        UsageError: the leaf or a sibling is not 32 bytes long.
    """
    _check_leaves([leaf, *proof])
    root = leaf
    for sibling in proof:
        root = dot(root, sibling)
    return root


class MerkleFrontier:
    """
    A Merkle tree that only grows, kept as the roots of its full subtrees.

    Memory is O(log n); appending costs one `dot` on average. After any number of
    leaves `root()` equals `merkle_root` over all of them.
    """

    __slots__ = ("_peaks", "_size")

    def __init__(self) -> None:
        self._size = 0
        # Roots of full subtrees, the largest first: one for each bit that is set in size.
        self._peaks: list[bytes] = []

    @property
    def size(self) -> int:
        """Give the number of leaves appended so far."""
        return self._size

    def append(self, leaf: bytes) -> None:
        """
        Add the next leaf.

        Args:
            leaf: 32 bytes.

        Raises:
            UsageError: the leaf is not 32 bytes long; the tree is as it was.
        """
        _check_leaves((leaf,))
        self.append_subtree(0, leaf)

    def append_subtree(self, level: int, node: bytes) -> None:
        """
        Add the next `2 ** level` leaves by the root of the full subtree over them.

        Args:
            level: 0 for a leaf; the number of leaves so far is a multiple of `2 ** level`.
            node: 32 bytes; `subtrees` gives both.
        """
        filled = self._size >> level
        assert filled << level == self._size, "a subtree begins at a multiple of its size"
        while filled & 1:
            node = dot(self._peaks.pop(), node)
            filled >>= 1
        self._peaks.append(node)
        self._size += 1 << level

    def extend(self, leaves: Sequence[bytes]) -> None:
        """
        Add the next leaves, level by level: for many that is twice as fast as one by one.

        Args:
            leaves: 32 bytes each.

        Raises:
            UsageError: a leaf is not 32 bytes long; the tree is as it was.
        """
        for level, node in subtrees(self._size, leaves):
            self.append_subtree(level, node)

    def root(self) -> bytes:
        """Give the root over all leaves so far, 32 bytes; empty without leaves."""
        root = b""
        for peak in reversed(self._peaks):
            root = dot(peak, root)
        return root

    def path_of_next(self) -> MerklePath:
        """Begin the path of the leaf that is appended next; tell it of those after that."""
        return MerklePath(self._size, self._peaks)


def subtrees(first: int, leaves: Sequence[bytes]) -> tuple[tuple[int, bytes], ...]:
    """
    Hash consecutive leaves of a tree as far as that needs none of the others.

    Args:
        first: how many leaves stand before them.
        leaves: 32 bytes each.

    Returns:
        The level and the root of each full subtree over them, as many leaves together as can
        be, in their order: what `MerkleFrontier.append_subtree` takes.

    Raises:
        UsageError: a leaf is not 32 bytes long.
    """
    _check_leaves(leaves)
    level, nodes = 0, list(leaves)
    left: list[tuple[int, bytes]] = []
    right: list[tuple[int, bytes]] = []
    while nodes:
        if first & 1:
            left.append((level, nodes.pop(0)))
            first += 1
        if len(nodes) % 2:
            right.append((level, nodes.pop()))
        nodes = [_joined(nodes[i], nodes[i + 1]) for i in range(0, len(nodes), 2)]
        first >>= 1
        level += 1
    return (*left, *reversed(right))


class MerklePath:
    """
    The siblings of one leaf in a tree that grows; made by `MerkleFrontier.path_of_next`.

    Memory is O(log n). On a level on which the leaf's node is a right one, its sibling is a
    full subtree of leaves before it; on any other it is filled by those that come after, one
    level after the other.
    """

    __slots__ = ("_done", "_growing", "_index", "_left")

    def __init__(self, index: int, peaks: Sequence[bytes]) -> None:
        self._index = index
        self._left = list(peaks)  # the lowest level last
        self._done: list[bytes] = []
        self._growing = MerkleFrontier()
        self._take_left()

    def append(self, leaf: bytes) -> None:
        """
        Take note of the next leaf after the one whose path it is.

        Args:
            leaf: 32 bytes.

        Raises:
            UsageError: the leaf is not 32 bytes long; the path is as it was.
        """
        self._growing.append(leaf)
        if self._growing.size == 1 << len(self._done):
            self._done.append(self._growing.root())
            self._growing = MerkleFrontier()
            self._take_left()

    def siblings(self) -> tuple[bytes, ...]:
        """Give what leads to the root over all leaves so far, as `merkle_proof` does."""
        growing = [self._growing.root()] if self._growing.size else []
        return (*self._done, *growing, *reversed(self._left))

    def _take_left(self) -> None:
        """Pass over the levels on which the sibling stands before the leaf."""
        while self._index >> len(self._done) & 1:
            self._done.append(self._left.pop())


def _dot_with_empty(a: bytes, b: bytes) -> bytes:
    for operand in (a, b):
        if len(operand) not in (0, DIGEST_BYTES):
            raise UsageError(f"dot takes digests of 32 bytes or none, not of {len(operand)}")
    return a or b


def _next_level(level: list[bytes]) -> list[bytes]:
    joined = [_joined(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
    if len(level) % 2:
        joined.append(level[-1])
    return joined


def _check_leaves(leaves: Iterable[bytes]) -> None:
    for leaf in leaves:
        if len(leaf) != DIGEST_BYTES:
            raise UsageError(f"a digest has 32 bytes, this one has {len(leaf)}")
