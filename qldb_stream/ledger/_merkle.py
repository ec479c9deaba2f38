"""
The Merkle tree over all block hashes, kept so that a digest costs O(log n).

Strategy: a full subtree never changes, so its root is stored with the block that filled
it: block n carries its own hash and the roots of the subtrees of 2, 4, 8, ... blocks that
end with it. The node at `level` and `index` is thus the entry `level` of block
`(index + 1) * 2**level - 1`. The roots of the full subtrees that make up the whole tree,
the largest first, are its peaks; the digest folds them (facts 2.7).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from qldb_stream.hashing import DIGEST_BYTES, dot

__all__ = ["append_leaf", "load_peaks", "node_of", "proof_of", "root_of"]

Peaks = tuple[bytes, ...]

_BYTES: Final = DIGEST_BYTES


def append_leaf(peaks: Peaks, size: int, leaf: bytes) -> tuple[Peaks, bytes]:
    """
    Add a leaf to a tree of `size` leaves.

    Returns:
        The new peaks, and the nodes to store with the block: the leaf and the roots of
        the subtrees that it fills, from the bottom up, 32 bytes each, joined.
    """
    nodes = leaf
    kept = len(peaks)
    while size & 1:
        kept -= 1
        leaf = dot(peaks[kept], leaf)
        nodes += leaf
        size >>= 1
    return (*peaks[:kept], leaf), nodes


def root_of(peaks: Peaks) -> bytes:
    """Fold the peaks to the digest, 32 bytes; empty without blocks."""
    root = b""
    for peak in reversed(peaks):
        root = dot(peak, root)
    return root


def node_of(nodes: bytes, level: int) -> bytes:
    """Pick the node of a level from what is stored with a block."""
    return nodes[level * _BYTES : (level + 1) * _BYTES]


def load_peaks(size: int, read_nodes: Callable[[int], bytes], *, start: int = 0) -> Peaks:
    """
    Give the peaks of the tree over `size` blocks.

    Args:
        size: how many blocks.
        read_nodes: gives the nodes stored with a block; called once for each peak.
        start: the first block: 0, or that of a subtree that holds at least `size` blocks.
    """
    peaks: list[bytes] = []
    end = start
    for level in reversed(range(size.bit_length())):
        if size >> level & 1:
            end += 1 << level
            peaks.append(node_of(read_nodes(end - 1), level))
    return tuple(peaks)


def proof_of(index: int, size: int, read_nodes: Callable[[int], bytes]) -> tuple[bytes, ...]:
    """
    Give the siblings that lead from a block's hash to the digest, from the bottom up.

    A level on which the node is the promoted odd one adds nothing (facts 2.7). All siblings
    but one at most are full subtrees, each stored; the one at the tree's end is folded from
    its peaks. O(log n) look-ups.

    Args:
        index: the block's number, less than `size`.
        size: how many blocks the tree has.
        read_nodes: gives the nodes stored with a block.
    """
    proof: list[bytes] = []
    for level in range((size - 1).bit_length()):
        start = (index >> level ^ 1) << level
        count = min(1 << level, size - start)
        if count > 0:
            proof.append(root_of(load_peaks(count, read_nodes, start=start)))
    return tuple(proof)
