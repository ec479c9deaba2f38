"""
A replayed ledger beside its source, block by block and document by document.

The definition (design, end of "Replaying into a ledger"): they are equal when, per
source block, the list of (table, id mapped back, version, kind, data with ids mapped
back) is the same, `qldb_stream_*` tables aside. The order inside a block is the Merkle
leaves', which is the ledger's own business and not compared.

A block that was parked and requeued stands later in the destination. It is held until its repeat
comes, and compared with that; what is parked still, or was given up, is a difference that says so.

Beyond the definition, these are differences too: a block that was repeated twice, changes
by others, and current documents that are not what the journal last said of them.

Both journals are streamed; what must be remembered of each document is on disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Protocol, TypeAlias

import attrs

from qldb_stream.errors import DecodeError
from qldb_stream.events import Block, RedactedRevision, RevisionKind
from qldb_stream.reconcile._current import compare_current
from qldb_stream.reconcile._destination import (
    Repeat,
    RepeatKind,
    Written,
    iter_repeats,
    iter_written,
)
from qldb_stream.reconcile._differences import Comparison, Difference, Findings
from qldb_stream.reconcile._held import HeldBlocks
from qldb_stream.reconcile._notes import Notes
from qldb_stream.reconcile._revisions import compare_revision, note_newest
from qldb_stream.replay import OWN_TABLES, Driver, IdRecord

_FIRST_DIFFERENCES: Final = 1_000
"""How many differences are kept; a person reads fewer, and memory is bounded."""

_REDACTED_HERE: Final = "the revision is redacted in the destination only"

_Key: TypeAlias = tuple[int, str, int]  # block, document, version

_MOST_UNASKED: Final = 100_000
"""How many redactions are remembered until they are asked for, as in `verification`; each a few
hundred bytes, without documents. Beyond it no more are held against the source's requests."""


class Replayed(Protocol):
    """A ledger that a journal was replayed into."""

    def blocks(self) -> Iterator[Block]:
        """Iterate over its journal, from block 0."""

    def driver(self) -> Driver:
        """Give a driver for it."""


def compare_ledgers(
    source: Iterable[Block], destination: Replayed, *, limit: int = _FIRST_DIFFERENCES
) -> Comparison:
    """
    Compare a destination with the journal that was replayed into it.

    Args:
        source: the source's blocks; of each strand in rising order. None at all is a
            difference: nothing was shown to be equal.
        destination: the ledger that was replayed into. It is only read.
        limit: how many differences are kept; the rest is counted.

    Raises:
        LedgerError: the destination cannot be read.
        ReplayRefusedError: the destination's journal has DDL that cannot be read.
        SourceError: there is no room for what must be remembered.
        DecodeError: a source block's transactionInfo cannot be read; verify it first.
    """
    findings = Findings(limit)
    strands: dict[str, _Strand] = {}
    try:
        for block in source:
            strand_id = block.address.strand_id
            if strand_id not in strands:
                strands[strand_id] = _Strand(strand_id, destination, findings)
            strands[strand_id].feed(block)
        if not strands:
            findings.add(Difference("the source has no blocks"))
        for strand in strands.values():
            strand.finish(destination)
    finally:
        for strand in strands.values():
            strand.close()
    return findings.comparison()


class _Strand:
    """One strand of the source beside its repeats."""

    def __init__(self, strand_id: str, destination: Replayed, findings: Findings) -> None:
        self._strand_id = strand_id
        self._findings = findings
        self._notes = Notes()
        self._repeats = iter_repeats(destination.blocks(), strand_id, self._notes)
        self._ahead: Repeat | None = None
        self._matched: int | None = None
        self._unasked: dict[_Key, Difference] = {}
        self._held = HeldBlocks()

    def close(self) -> None:
        self._notes.close()

    def feed(self, block: Block) -> None:
        """Compare a source block with its repeat, which must be the next one."""
        number = block.address.sequence_no
        self._findings.blocks += 1
        self._skip_until(number)
        repeat = self._peek()
        if repeat is None or repeat.sequence_no != number:
            self._add("the block is not in the destination", number)
            return
        self._take(repeat)
        self._matched = number
        if repeat.kind is RepeatKind.PARKED:
            self._hold(block)
        elif repeat.kind is RepeatKind.PARTIAL:
            self._add("the block is in the destination in part", number, repeat)
        else:
            self._match(block, repeat)

    def _hold(self, block: Block) -> None:
        """Keep a parked block until it is requeued."""
        if not self._held.add(block):
            self._add("the block was parked, and too many are held to compare it", _number(block))

    def _match(self, block: Block, repeat: Repeat) -> None:
        self._compare(block, repeat)
        for asked in _asked_by(block):
            key = asked.block_address.sequence_no, asked.document_id, asked.version
            self._unasked.pop(key, None)

    def finish(self, destination: Replayed) -> None:
        """Report what the destination has beyond the source, and look at its documents."""
        self._skip_until(None)
        for block in self._held.iter_left():
            self._add("the block is parked, and not in the destination", _number(block))
        for difference in self._unasked.values():
            self._findings.add(difference)
        for compared, differences in compare_current(destination.driver(), self._notes):
            self._findings.documents += compared
            for difference in differences:
                self._findings.add(difference)

    def _peek(self) -> Repeat | None:
        if self._ahead is None:
            self._ahead = next(self._repeats, None)
        return self._ahead

    def _take(self, repeat: Repeat) -> None:
        """Go on to the next repeat, noting what this one says about documents."""
        self._ahead = None
        for written in repeat.written:
            note_newest(self._notes, written, self._strand_id, repeat.sequence_no)

    def _skip_until(self, number: int | None) -> None:
        """Pass over what comes before the repeat of block `number`, reporting all of it."""
        while (repeat := self._peek()) is not None:
            found = repeat.sequence_no
            if found is not None and number is not None and found >= number:
                return
            self._take(repeat)
            if found is None:
                self._report_foreign(repeat)
            elif repeat.kind is not RepeatKind.APPLIED:
                self._pass_late(repeat, found)
            elif self._matched is not None and found <= self._matched:
                self._add("the block was applied more than once", found, repeat)
            else:
                self._add("the destination has a block that the source has not", found, repeat)

    def _pass_late(self, repeat: Repeat, number: int) -> None:
        """Compare a block that was requeued; take note of one that was given up."""
        if repeat.kind is RepeatKind.PARKED:
            return  # the source has no such block
        if repeat.kind is RepeatKind.PARTIAL:
            self._add("the destination has a block that the source has not", number, repeat)
            return
        block = self._held.pop(number)
        if repeat.kind is RepeatKind.GIVEN_UP:
            self._add("the block was given up, and is not in the destination", number, repeat)
        elif block is not None:
            self._findings.requeued += 1
            self._match(block, repeat)
        elif not self._held.was_left_out(number):
            self._add("the destination has a block that the source has not", number, repeat)

    def _report_foreign(self, repeat: Repeat) -> None:
        for written in repeat.written:
            record = self._notes.find(written.document_id)
            self._findings.add(
                Difference(
                    "the document was changed by something else than the replay",
                    self._strand_id,
                    None,
                    None if record is None else record.source_id,
                    written.table,
                    repeat.number,
                    written.document_id,
                )
            )

    def _compare(self, block: Block, repeat: Repeat) -> None:
        number = block.address.sequence_no
        theirs: dict[str, tuple[Written, IdRecord]] = {}
        unknown: list[Written] = []
        for written in repeat.written:
            record = self._notes.find(written.document_id)
            if record is None:
                unknown.append(written)
            else:
                theirs[record.source_id] = written, record
        for ours in iter_written(block):
            if ours.table.startswith(OWN_TABLES):
                continue
            self._findings.revisions += 1
            found = theirs.pop(ours.document_id, None)
            what = compare_revision(ours, found, self._notes)
            if what is not None:
                self._add(what, number, repeat, ours)
            elif found is not None:
                self._note_redacted(ours, found[0], number, repeat)
        for written, record in theirs.values():
            spare = attrs.evolve(written, document_id=record.source_id)
            self._add(
                "the destination has a revision that the source has not", number, repeat, spare
            )
        for written in unknown:
            self._report_unmapped(written, number, repeat)

    def _note_redacted(self, ours: Written, theirs: Written, number: int, repeat: Repeat) -> None:
        """Remember what is redacted in the destination only, until a block asks for that."""
        metadata = ours.revision.metadata
        here, there = ours.revision.kind, theirs.revision.kind
        if here is RevisionKind.REDACTED or there is not RevisionKind.REDACTED:
            return
        if metadata is not None and len(self._unasked) < _MOST_UNASKED:
            self._unasked[number, metadata.id, metadata.version] = Difference(
                _REDACTED_HERE,
                self._strand_id,
                number,
                ours.document_id,
                ours.table,
                repeat.number,
            )

    def _report_unmapped(self, written: Written, number: int, repeat: Repeat) -> None:
        self._findings.add(
            Difference(
                "nothing says what the document stands for",
                self._strand_id,
                number,
                table=written.table,
                destination_no=repeat.number,
                destination_id=written.document_id,
            )
        )

    def _add(
        self,
        what: str,
        number: int,
        repeat: Repeat | None = None,
        written: Written | None = None,
    ) -> None:
        self._findings.add(
            Difference(
                what,
                self._strand_id,
                number,
                None if written is None else written.document_id,
                None if written is None else written.table,
                None if repeat is None else repeat.number,
            )
        )


def _number(block: Block) -> int:
    return block.address.sequence_no


def _asked_by(block: Block) -> tuple[RedactedRevision, ...]:
    """Give what a block redacts; nothing where that cannot be read, which verification says."""
    info = block.summary.redaction_info
    try:
        return () if info is None else info.revisions
    except DecodeError:
        return ()
