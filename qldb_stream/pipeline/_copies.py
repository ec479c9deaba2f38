"""
Redacted copies of blocks that a sink has: gathered, and erased there.

QLDB leaves the hash of a revision that it redacts, and of its data; so a copy that came later
shows what was to go, though the block that asks for it may be far ahead. Only a copy that
verifies is taken: any other could have data erased that nobody redacted.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from qldb_stream.events import Block, RedactedRevision, RevisionKind
from qldb_stream.pipeline._foreign import named
from qldb_stream.pipeline._lease import Tokens
from qldb_stream.pipeline._retry import Retrying
from qldb_stream.pipeline._target import Target
from qldb_stream.typing import ErasingSink

__all__ = ["RedactedCopies", "redactions_of", "size_of"]

_MOST_BYTES: Final = 8 * 2**20  # as of a run


class RedactedCopies:
    """
    Gathers copies for one sink, as many as a run may have, or has none of them.

    Args:
        target: the sink; where it does not erase, nothing is gathered.
        tokens: the fencing tokens to erase with.
        retrying: how failures are tried again.
        most: how many blocks wait at most.

    Attributes:
        erased: how many copies the sink has been given, durably.
    """

    def __init__(self, target: Target, tokens: Tokens, retrying: Retrying, most: int) -> None:
        self.erased = 0
        own = target.own
        self._sink = own if isinstance(own, ErasingSink) else None
        self._own = own
        self._tokens = tokens
        self._retrying = retrying
        self._most = most
        self._copies: list[Block] = []
        self._bytes = 0

    @property
    def is_wanted(self) -> bool:
        """Say whether the sink erases."""
        return self._sink is not None

    def add(self, block: Block) -> None:
        """
        Take a copy of a block that the sink has.

        Raises:
            QldbStreamError: what erasing raised, where enough has been gathered for it.
        """
        self._copies.append(block)
        self._bytes += size_of(block)
        if len(self._copies) >= self._most or self._bytes >= _MOST_BYTES:
            self.erase()

    def erase(self) -> None:
        """
        Have everything erased that was gathered.

        Raises:
            QldbStreamError: whatever the sink raised, after retries; these copies are dropped,
                and come again when the source is read again.
        """
        copies, self._copies, self._bytes = self._copies, [], 0
        by_strand: dict[str, list[Block]] = {}
        for block in copies:
            by_strand.setdefault(block.address.strand_id, []).append(block)
        for strand_id, blocks in by_strand.items():
            self._retrying.call(partial(self._erase, blocks, strand_id))
            self.erased += len(blocks)

    def _erase(self, blocks: list[Block], strand_id: str) -> None:
        assert self._sink is not None
        with named(self._own, "erase"):
            self._sink.erase(blocks, self._tokens.token(strand_id))


def redactions_of(block: Block) -> list[RedactedRevision]:
    """Name the revisions that are redacted in a block."""
    return [
        RedactedRevision(
            block.address,
            "" if revision.table is None else revision.table.table_id,
            revision.metadata.id,
            revision.metadata.version,
        )
        for revision in block.revisions
        if revision.kind is RevisionKind.REDACTED and revision.metadata is not None
    ]


def size_of(block: Block) -> int:
    """Estimate what a block holds, in bytes of documents and statements."""
    info = block.summary.transaction_info
    slices = [revision.data_ion for revision in block.revisions]
    slices.append(None if info is None else info.ion)
    return sum(part.end - part.start for part in slices if part is not None)
