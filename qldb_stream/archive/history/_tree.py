"""
The Merkle tree over a strand's block hashes, as nodes that are kept with the blocks.

Block n carries its own hash and the roots of the full subtrees of 2, 4, 8, ... blocks that end
with it, so the node at `level` and `index` is entry `level` of block `(index + 1) * 2**level -
1`. There is a tree only as long as the blocks come from 0 on without a hole (facts 2.7).
"""

from __future__ import annotations

from collections.abc import Callable

from qldb_stream.errors import UsageError
from qldb_stream.hashing import DIGEST_BYTES, dot

__all__ = ["Tree", "path_of"]


class Tree:
    """Grows with the blocks of a strand, and says what to keep with each."""

    def __init__(self) -> None:
        self._peaks: list[bytes] = []
        self._size = 0
        self._is_broken = False

    def append(self, number: int, block_hash: bytes) -> bytes | None:
        """
        Take in the next block.

        Returns:
            The nodes to keep with it, 32 bytes each; None where there is no tree (any more).
        """
        if number != self._size or len(block_hash) != DIGEST_BYTES:
            self._is_broken = True
        if self._is_broken:
            return None
        node = nodes = block_hash
        filled = self._size
        while filled & 1:
            node = dot(self._peaks.pop(), node)
            nodes += node
            filled >>= 1
        self._peaks.append(node)
        self._size += 1
        return nodes


def path_of(index: int, size: int, nodes_of: Callable[[int], bytes]) -> tuple[bytes, ...]:
    """
    Give the siblings that lead from a block's hash to the digest, from the bottom up.

    Args:
        index: the block's number, less than `size`.
        size: how many blocks the digest covers.
        nodes_of: gives what is kept with a block.

    Raises:
        UsageError: a node is not there, or is none.
    """
    path: list[bytes] = []
    for level in range((size - 1).bit_length()):
        start = (index >> level ^ 1) << level
        count = min(1 << level, size - start)
        if count > 0:
            path.append(_root(start, count, nodes_of))
    return tuple(path)


def _root(start: int, count: int, nodes_of: Callable[[int], bytes]) -> bytes:
    """Fold the full subtrees over some blocks; `start` is where one as large could begin."""
    peaks: list[bytes] = []
    end = start
    for level in reversed(range(count.bit_length())):
        if count >> level & 1:
            end += 1 << level
            peaks.append(_node(nodes_of(end - 1), level))
    root = b""
    for peak in reversed(peaks):
        root = dot(peak, root)
    return root


def _node(nodes: bytes, level: int) -> bytes:
    node = nodes[level * DIGEST_BYTES : (level + 1) * DIGEST_BYTES]
    if len(node) != DIGEST_BYTES:
        raise UsageError(f"there is no node of level {level}")
    return node
