"""Where a ledger's journal ends: what the next block is built on."""

from __future__ import annotations

import attrs

from qldb_stream.events import BlockAddress
from qldb_stream.ledger._catalog import Catalog
from qldb_stream.ledger._merkle import root_of

__all__ = ["Digest", "State"]


@attrs.frozen
class Digest:
    """
    What a ledger's whole journal hashes to, and up to which block.

    Attributes:
        digest: 32 bytes, SHA-256: the Merkle root over all block hashes (facts 2.7).
        tip: the address of the last block that it covers.
    """

    digest: bytes
    tip: BlockAddress


@attrs.frozen
class State:
    """
    The ledger after a block; frozen, so that a failed commit leaves the one before.

    Attributes:
        size: how many blocks there are; the number of the next one.
        block_hash: of the last block, 32 bytes; empty when there is none.
        peaks: roots of the Merkle tree's full subtrees, the largest first.
        next_revision_no: what the next revision is stored under.
        last_ms: the last block's time; the next one's is not earlier.
        catalog: tables and indexes.
        strand_id: of the journal's only strand; a mirror takes on its source's.
        mirrored: how many blocks, from block 0 on, are another ledger's; 0 in most ledgers.
    """

    size: int = 0
    block_hash: bytes = b""
    peaks: tuple[bytes, ...] = ()
    next_revision_no: int = 1
    last_ms: int = 0
    catalog: Catalog = attrs.field(factory=Catalog)
    strand_id: str = ""
    mirrored: int = 0

    def digest(self) -> Digest | None:
        """Give digest and tip; None when there is no block."""
        if not self.size:
            return None
        return Digest(root_of(self.peaks), BlockAddress(self.strand_id, self.size - 1))
