"""The stored Merkle nodes give the digest of any number of blocks."""

from __future__ import annotations

import hashlib

import pytest

from qldb_stream.hashing import merkle_root
from qldb_stream.ledger._merkle import append_leaf, load_peaks, node_of, root_of


def leaves(count: int) -> list[bytes]:
    """SHA-256 of 0, 1, 2 and so on."""
    return [hashlib.sha256(str(n).encode()).digest() for n in range(count)]


@pytest.mark.parametrize("count", [*range(20), 100])
def test_peaks_give_the_root(count: int) -> None:
    """Appending leaf by leaf, and loading the peaks again, give the whole tree's root."""
    peaks: tuple[bytes, ...] = ()
    stored: list[bytes] = []
    for size, leaf in enumerate(leaves(count)):
        peaks, nodes = append_leaf(peaks, size, leaf)
        stored.append(nodes)
    assert merkle_root(leaves(count)) == root_of(peaks)
    assert peaks == load_peaks(count, stored.__getitem__)


def test_a_node_stands_with_the_block_that_fills_it() -> None:
    """Block 7 carries its own hash and the roots over the last 2, 4 and 8 blocks."""
    peaks: tuple[bytes, ...] = ()
    for size, leaf in enumerate(leaves(8)):
        peaks, nodes = append_leaf(peaks, size, leaf)
    all_leaves = leaves(8)
    expected = [merkle_root(all_leaves[8 - count :]) for count in (1, 2, 4, 8)]
    assert expected == [node_of(nodes, level) for level in range(4)]
