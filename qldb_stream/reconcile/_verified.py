"""
A ledger whose blocks are verified while they are read for a comparison.

Strategy: a comparison reads both journals once anyway; each block goes through a
`ChainVerifier` on its way. So every hash that a client can recompute is, of source and
destination, and at the end the root over all blocks is held against the ledger's own digest.
What a file holds beside its journal (index entries, the Merkle nodes, columns that repeat
what is hashed) is the business of `Ledger.check`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol

from qldb_stream.errors import DecodeError, LedgerFileError
from qldb_stream.events import Block, BlockAddress
from qldb_stream.pipeline import Tally
from qldb_stream.replay import Driver
from qldb_stream.report import Outcome, Problem, ProblemCode, VerifyReport
from qldb_stream.verification import ChainVerifier


class Rooted(Protocol):
    """What a ledger's digest is compared by."""

    @property
    def digest(self) -> bytes:
        """Give the root over the block hashes, 32 bytes."""


class MirroredLedger(Protocol):
    """A ledger that a journal was mirrored into."""

    @property
    def strand_id(self) -> str:
        """Give the id of its strand."""

    @property
    def mirrored_blocks(self) -> int:
        """Count the blocks that are its source's."""

    def blocks(self) -> Iterator[Block]:
        """Iterate over its journal, from block 0."""

    def driver(self) -> Driver:
        """Give a driver for it."""


class WholeLedger(MirroredLedger, Protocol):
    """What is asked of a ledger; `qldb_stream.ledger.Ledger` has it."""

    @property
    def path(self) -> str:
        """Give its file, for messages."""

    def digest(self, tip: int | None = None) -> Rooted:
        """Give its digest up to a block."""


class VerifiedLedger:
    """
    A ledger to compare with, which verifies its blocks as they go by; memory does not grow.

    Only the first iteration verifies; `report` brings it to its end.
    """

    def __init__(self, ledger: WholeLedger) -> None:
        self._ledger: Final = ledger
        self._verifier: Final = ChainVerifier()
        self._tally: Final = Tally()
        self._verified: Iterator[Block] | None = None
        self._last: tuple[Block, bool] | None = None

    @property
    def strand_id(self) -> str:
        """Give the id of its strand."""
        return self._ledger.strand_id

    @property
    def mirrored_blocks(self) -> int:
        """Count the blocks that are its source's."""
        return self._ledger.mirrored_blocks

    def driver(self) -> Driver:
        """Give a driver for it."""
        return self._ledger.driver()

    def blocks(self) -> Iterator[Block]:
        """
        Iterate over its journal, from block 0.

        Raises:
            LedgerFileError: the file cannot be read, or a block in it is damaged.
        """
        if self._verified is not None:
            return self._ledger.blocks()
        self._verified = self._iter_verified()
        return self._verified

    def verdict(self, block: Block) -> bool | None:
        """Say whether a block verified; None when it is not the last that was verified here."""
        if self._last is None or self._last[0] is not block:
            return None
        return self._last[1]

    def report(self) -> VerifyReport:
        """
        Read what is left of the journal, and say what verifying it came to.

        Raises:
            LedgerFileError: the file cannot be read, or a block in it is damaged.
        """
        for _ in self.blocks() if self._verified is None else self._verified:
            pass
        return self._tally.report(self._verifier.strands())

    def _iter_verified(self) -> Iterator[Block]:
        strand_id = self.strand_id
        for number, block in enumerate(self._ledger.blocks()):
            self._check_shape(block, BlockAddress(strand_id, number))
            self._tally.records += 1
            verification = self._verifier.feed(block)
            self._tally.add_verification(verification, len(block.revisions))
            self._last = (block, verification.ok)
            yield block
        if self._tally.records:
            tip = BlockAddress(strand_id, self._tally.records - 1)
            digest = self._ledger.digest(tip.sequence_no).digest
            check = self._verifier.check_digest(strand_id, digest, tip)
            if check.outcome is Outcome.FAILED:
                message = "the ledger's digest is not the root over its block hashes"
                self._tally.add_problem(
                    Problem(ProblemCode.DIGEST, message, strand_id, tip.sequence_no)
                )

    def _check_shape(self, block: Block, address: BlockAddress) -> None:
        """Refuse a block that cannot be verified as this one, or not be compared."""
        try:
            info = block.summary.transaction_info
            sound = block.address == address and (info is None or info.documents is not None)
        except DecodeError as exc:
            raise self._damaged(address) from exc
        if not sound:
            raise self._damaged(address)

    def _damaged(self, address: BlockAddress) -> LedgerFileError:
        return LedgerFileError(
            self._ledger.path,
            f"block {address.sequence_no} is damaged; `qldb-stream ledger check` lists all that "
            "is wrong with the file",
        )
