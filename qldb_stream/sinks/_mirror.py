"""
`ledger:PATH?mode=mirror`: a ledger that holds the very blocks of its source.

The position is the journal itself: a block's number says whether it is there, so a repeat is
passed over and nothing else has to be kept, but for the fencing token, which is written with
each block.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from os import PathLike, fspath
from typing import TYPE_CHECKING, Self

from qldb_stream.errors import QldbStreamError, ReplayRefusedError
from qldb_stream.events import Block
from qldb_stream.report import Position, SinkSummary

if TYPE_CHECKING:
    from qldb_stream.ledger import Ledger, MirroredBlock

__all__ = ["MirrorSink"]


class MirrorSink:
    """
    Mirror blocks into an embedded ledger; a `qldb_stream.typing.ErasingSink`.

    Attributes:
        ledger: the mirror, empty or mirrored into before; closed with the sink.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._is_ours = False
        self._documents = 0
        self._kept: list[tuple[str, int, str]] = []
        self._left_out: Counter[str] = Counter()

    @classmethod
    def open(cls, path: str | PathLike[str]) -> Self:
        """
        Open a ledger file, made when absent, and mirror into it.

        A ledger that this made is gone again when it is closed before a block was stored.

        Raises:
            LedgerError: the file cannot be opened.
        """
        from qldb_stream.ledger import Ledger  # sinks are listed without loading it

        sink = cls(Ledger.open(fspath(path)))
        sink._is_ours = sink.ledger.is_new
        return sink

    def position(self, strand_id: str) -> Position | None:
        """
        Give the last mirrored block of a strand, or None when the mirror has none.

        Raises:
            LedgerFileError: the file cannot be read.
        """
        mirrored = self.ledger.mirrored_blocks
        if not mirrored or self.ledger.strand_id != strand_id:
            return None
        last = next(self.ledger.blocks(mirrored - 1))
        return Position(strand_id, mirrored - 1, last.block_hash, start=0)

    def apply(self, blocks: Sequence[Block], position: Position, token: int) -> Position:
        """
        Store a run of blocks as they are, durable together on return.

        Blocks that are there already are passed over.

        Returns:
            The position reached: `position`, or the last block's before one that was
            refused.

        Raises:
            ReplayRefusedError: the mirror cannot take the first block, and why.
            IntegrityError: the first block does not follow on what is there.
            StaleTokenError: the mirror has seen a higher token.
            LedgerFileError: the file could not be written; nothing of the run is left.
        """
        if position.gaps or position.parked:
            raise ReplayRefusedError(
                position.strand_id,
                blocks[0].address.sequence_no if blocks else position.sequence_no,
                "a mirror has no gaps, because its digest is over all blocks; replay the "
                "journal without mirroring it",
            )
        stored: list[tuple[Block, MirroredBlock]] = []
        with self.ledger.group_commit():
            reached = self._apply_run(blocks, position, token, stored)
        self._count(stored)
        return reached

    def erase(self, blocks: Sequence[Block], token: int) -> None:
        """
        Erase the documents that are redacted in these copies of blocks, durably on return.

        Blocks that the mirror has not are passed over, and so is a revision that is current
        in it still: the block that redacts it comes later, and erases it then.

        Raises:
            ConflictError: a copy is of another block than the one that is here.
            StaleTokenError: the mirror has seen a higher token.
            LedgerFileError: the file could not be written; nothing is erased.
        """
        with self.ledger.group_commit():
            for block in blocks:
                is_ours = block.address.strand_id == self.ledger.strand_id
                if is_ours and block.address.sequence_no < self.ledger.mirrored_blocks:
                    self.ledger.mirror(block, token=token)

    def summary(self) -> SinkSummary:
        """Say what became of the blocks that are durable; redactions were carried out."""
        return SinkSummary(
            documents=self._documents,
            indexes_kept=tuple(self._kept),
            left_out=dict(self._left_out),
        )

    def close(self) -> None:
        """Close the ledger; mirrored blocks stay."""
        is_ours, self._is_ours = self._is_ours, False
        if is_ours and next(self.ledger.blocks(), None) is None:
            self.ledger.discard()
        else:
            self.ledger.close()

    def _apply_run(
        self,
        blocks: Sequence[Block],
        position: Position,
        token: int,
        stored: list[tuple[Block, MirroredBlock]],
    ) -> Position:
        reached: Position | None = None
        for block in blocks:
            try:
                outcome = self.ledger.mirror(block, token=token)
            except QldbStreamError:
                if reached is None:
                    raise
                return reached
            if outcome is not None:
                stored.append((block, outcome))
            reached = position.at(block)
        return position

    def _count(self, stored: Sequence[tuple[Block, MirroredBlock]]) -> None:
        for block, outcome in stored:
            address = block.address
            self._documents += outcome.documents
            self._left_out.update(f"field {name}" for name in outcome.left_out)
            self._kept += [
                (address.strand_id, address.sequence_no, table) for table in outcome.indexes_kept
            ]
