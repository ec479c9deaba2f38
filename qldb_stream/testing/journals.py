"""
Make whole synthetic journals: valid hashes, a chain from block 0, realistic documents.

Strategy: a journal is its seed and its shape; every walk over it tells it again, block
by block, in constant memory, so that an archive of any size can be streamed. Neither
the ledger nor the parsers nor Hypothesis take part: the generator writes and hashes
its Ion itself, and is therefore a second opinion on all of them.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final

import attrs

from qldb_stream.errors import UsageError
from qldb_stream.hashing import MerkleFrontier
from qldb_stream.testing._blocks import block_of
from qldb_stream.testing._documents import DocumentMaker, make_document, make_id
from qldb_stream.testing._plan import JournalShape, plan_blocks
from qldb_stream.testing._records import (
    control_record,
    records,
    sealed_details,
    sealed_summary,
)
from qldb_stream.testing._seal import Sealer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qldb_stream.events import Block
    from qldb_stream.testing._seal import SealedBlock

__all__ = [
    "DocumentMaker",
    "Journal",
    "JournalShape",
    "control_record",
    "make_document",
    "make_journal",
    "records",
]

_OPAQUE_SEED: Final = "opaque"


@attrs.frozen
class Journal:
    """
    A journal of one strand, told again on each walk; see `make_journal`.

    Iterating gives its blocks as `Block` values, from block 0 on. `iter_records` gives
    the same journal as stream records, much faster.
    """

    seed: int
    blocks: int
    shape: JournalShape
    strand_id: str
    stream_arn: str

    def __iter__(self) -> Iterator[Block]:
        for sealed in self._sealed():
            yield block_of(sealed, self.stream_arn, erased=self.shape.erased)

    def __len__(self) -> int:
        return self.blocks

    def iter_records(self) -> Iterator[bytes]:
        """
        Iterate over the stream's records in the order in which they were written.

        Yields:
            CONTROL CREATED; then for each block its BLOCK_SUMMARY and a REVISION_DETAILS
            for each revision. Not aggregated: see `qldb_stream.testing.deliveries`.
        """
        yield control_record(self.stream_arn)
        for written in self.iter_block_records():
            yield from written

    def iter_block_records(self) -> Iterator[list[bytes]]:
        """Iterate over the records of each block: its summary, then its revisions."""
        for sealed in self._sealed():
            yield self._records(sealed)

    def digest(self) -> bytes:
        """
        Walk the journal and give its digest.

        Returns:
            32 bytes: the Merkle root over all block hashes, what GetDigest would answer
            at the last block (facts 2.7).
        """
        frontier = MerkleFrontier()
        for sealed in self._sealed():
            frontier.append(sealed.block_hash)
        return frontier.root()

    def with_erased(self, *, erased: bool = True) -> Journal:
        """Give the same journal, as it reads after (or before) its redactions."""
        return attrs.evolve(self, shape=attrs.evolve(self.shape, erased=erased))

    def _sealed(self) -> Iterator[SealedBlock]:
        # Two sources of chance, so that the shape of the hashes does not change the story.
        sealer = Sealer(Random(f"{self.seed}/{_OPAQUE_SEED}"), self.shape.delete_rule)
        for plan in plan_blocks(Random(self.seed), self.strand_id, self.blocks, self.shape):
            yield sealer.seal(plan)

    def _records(self, sealed: SealedBlock) -> list[bytes]:
        if any(r.data is None and r.data_hash is not None for r in sealed.revisions):
            return records(block_of(sealed, self.stream_arn, erased=self.shape.erased))
        written = [sealed_summary(self.stream_arn, sealed)]
        for revision in sealed.revisions:
            erased = self.shape.erased and revision.plan.doomed
            written.append(sealed_details(self.stream_arn, sealed, revision, erased=erased))
        return written


def make_journal(
    seed: int,
    *,
    blocks: int,
    shape: JournalShape | None = None,
    strand_id: str | None = None,
    ledger_name: str = "synthetic",
) -> Journal:
    """
    Make a synthetic journal.

    The first blocks create tables and indexes; then come inserts, updates, deletes and
    redactions, blocks without revisions and hash-only system revisions, in the shares
    that `shape` asks for. The same arguments give the same bytes, on every machine.

    Args:
        seed: where all chance comes from.
        blocks: how many blocks, from block 0 on.
        shape: what it is made of; None for a bit of everything.
        strand_id: 22 characters; None for one that follows from the seed.
        ledger_name: goes into the stream's ARN.

    Raises:
        UsageError: a journal of such a shape cannot be made.
    """
    shape = JournalShape() if shape is None else shape
    if blocks < 0 or shape.tables < 1 or not 0 <= shape.least_revisions <= shape.most_revisions:
        raise UsageError("a journal has blocks >= 0, tables >= 1 and least <= most revisions")
    if shape.document is None and shape.tables > _MOST_TABLES:
        raise UsageError(f"a journal has at most {_MOST_TABLES} tables, facts 5.8")
    names = Random(f"{seed}/names")
    strand_id = make_id(names) if strand_id is None else strand_id
    arn = f"arn:aws:qldb:eu-west-1:123456789012:stream/{ledger_name}/{make_id(names)}"
    return Journal(seed, blocks, shape, strand_id, arn)


_MOST_TABLES: Final = 40
