"""
A mirrored ledger beside its source, block by block.

A mirror equals its source when every source block is there with the same hash, and holds
what that hash says: the mirror's own blocks are verified, so equal hashes are equal
contents. What no hash covers (a block's transaction id and time) is compared as it is.
A revision that only the mirror shows as redacted is no difference: the source was written
down before the redaction. The other way round it is one, because erased data must be gone.

Blocks of the mirror's own, which continue the chain, are no difference either; but then
what is current is no longer the source's alone, and only without them is it compared.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from qldb_stream.events import Block, RevisionKind
from qldb_stream.reconcile._current import compare_current
from qldb_stream.reconcile._destination import iter_written
from qldb_stream.reconcile._differences import Comparison, Difference, Findings
from qldb_stream.reconcile._notes import Newest, Notes
from qldb_stream.reconcile._verified import MirroredLedger, VerifiedLedger
from qldb_stream.replay import OWN_TABLES, IdRecord, iter_ddl
from qldb_stream.verification import verify_block

_FIRST_DIFFERENCES: Final = 1_000
"""How many differences are kept, as for replayed ledgers."""


def compare_mirror(
    source: Iterable[Block], mirror: MirroredLedger, *, limit: int = _FIRST_DIFFERENCES
) -> Comparison:
    """
    Compare a mirrored ledger with its source.

    Args:
        source: the source's blocks; of each strand in rising order. None at all is a
            difference: nothing was shown to be equal.
        mirror: the ledger that was mirrored into. It is only read; what a `VerifiedLedger`
            has verified is not verified again.
        limit: how many differences are kept; the rest is counted.

    Raises:
        LedgerError: the mirror cannot be read.
        SourceError: there is no room for what must be remembered.
        DecodeError: the mirror's file is damaged.
    """
    walk = _Walk(mirror, Findings(limit))
    try:
        for block in source:
            walk.feed(block)
        walk.finish()
    finally:
        walk.notes.close()
    return walk.findings.comparison()


class _Walk:
    """Source and mirror, one block after the other."""

    def __init__(self, mirror: MirroredLedger, findings: Findings) -> None:
        self.findings = findings
        self.notes = Notes()
        self._mirror = mirror
        self._ours = mirror.blocks()
        self._next = 0
        self._read = 0

    def feed(self, block: Block) -> None:
        self.findings.blocks += 1
        number = block.address.sequence_no
        if block.address.strand_id != self._mirror.strand_id:
            self._add("the strand is not the destination's", block)
            return
        self._skip_until(number)
        if number >= self._mirror.mirrored_blocks:
            self._add("the block is not in the destination", block)
            return
        self._compare(block, self._take())

    def finish(self) -> None:
        if not self.findings.blocks:
            self.findings.add(Difference("the source has no blocks"))
        self._skip_until(self._mirror.mirrored_blocks)
        if next(self._ours, None) is None:
            for compared, differences in compare_current(self._mirror.driver(), self.notes):
                self.findings.documents += compared
                for difference in differences:
                    self.findings.add(difference)

    def _skip_until(self, number: int) -> None:
        """Pass over what the source has not, reporting it; it still says what is current."""
        while self._next < min(number, self._mirror.mirrored_blocks):
            self._add("the destination has a block that the source has not", self._take())

    def _take(self) -> Block:
        block = next(self._ours)
        self._next += 1
        _note(block, self.notes)
        return block

    def _compare(self, source: Block, ours: Block) -> None:
        self.findings.revisions += len(source.revisions)
        if source.block_hash != ours.block_hash:
            self._add("the block is another one: its hash differs", source)
            return
        if not self._is_verified(ours):
            self._add("the block in the destination does not verify", source)
        theirs, here = source.summary, ours.summary
        if theirs.transaction_id != here.transaction_id:
            self._add("the transaction id differs", source)
        if theirs.block_timestamp != here.block_timestamp:
            self._add("the block's time differs", source)
        for revision, found in zip(source.revisions, ours.revisions, strict=False):
            if revision.kind is RevisionKind.REDACTED and found.kind is not RevisionKind.REDACTED:
                what = "the revision is redacted in the source only"
                self._add(what, source, revision.document_id)

    def _is_verified(self, ours: Block) -> bool:
        """Say whether a block verifies; each is verified once, here or where it was read."""
        known = self._mirror.verdict(ours) if isinstance(self._mirror, VerifiedLedger) else None
        return verify_block(ours).ok if known is None else known

    def _add(self, what: str, block: Block, document_id: str | None = None) -> None:
        address = block.address
        self.findings.add(Difference(what, address.strand_id, address.sequence_no, document_id))


def _note(block: Block, notes: Notes) -> None:
    """Note what a block says of documents and tables; here every id stands for itself."""
    strand_id, number = block.address.strand_id, block.address.sequence_no
    for written in iter_written(block):
        document_id, table_id = written.document_id, written.table_id
        if written.table.startswith(OWN_TABLES) or table_id is None:
            continue
        notes.record(IdRecord(document_id, document_id, table_id, 0))
        notes.newest(
            Newest(document_id, document_id, strand_id, number, written.table, written.data_hash)
        )
        notes.tables.see(written.table, table_id)
    info = block.summary.transaction_info
    if info is None:
        return
    for _, change in iter_ddl(block.address, [one.statement for one in info.statements]):
        notes.tables.change(change)
