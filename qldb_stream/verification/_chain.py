"""
Link the blocks of each strand, and keep the root that GetDigest would give.

Strategy: one small state for each strand: the last block's number, hash and time, the range
seen, the holes, the frontier of the Merkle tree, and the delete rule that has fitted.
A hole is written down and the chain is checked again after it; nothing ever stops.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import attrs

from qldb_stream.errors import UsageError
from qldb_stream.events import BlockAddress
from qldb_stream.hashing import DIGEST_BYTES, MerkleFrontier
from qldb_stream.report import (
    BlockVerification,
    Check,
    DeleteRule,
    Outcome,
    ProblemCode,
    StrandReport,
)
from qldb_stream.verification._block import verify_block
from qldb_stream.verification._times import FALLING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from qldb_stream.events import Block
    from qldb_stream.report import Position
    from qldb_stream.verification.diagnosis import Efforts

__all__ = ["ChainVerifier", "Linked", "LinkedRun"]


def _chain(outcome: Outcome, detail: str) -> Check:
    field = "previousBlockHash" if outcome is Outcome.FAILED else None
    return Check(ProblemCode.CHAIN, outcome, detail, field=field)


_LINKED: Final = _chain(Outcome.VERIFIED, "previousBlockHash is the hash of the block before")
_BROKEN: Final = _chain(Outcome.FAILED, "previousBlockHash is not the hash of the block before")
_STARTS: Final = _chain(Outcome.VERIFIED, "block 0 starts the strand")
_STARTS_ODDLY: Final = _chain(Outcome.NOT_CHECKABLE, "block 0 names a block before it")
_ALONE: Final = _chain(Outcome.NOT_CHECKABLE, "the block before it is not at hand")

# What block 0 may have in previousBlockHash: nothing, or zeros (facts 1.3, 2.9).
_NOTHING_BEFORE: Final = (b"", bytes(DIGEST_BYTES))


class Linked(Protocol):
    """What a chain takes of a block in which nothing failed."""

    @property
    def strand_id(self) -> str:
        """Give the block's strand."""

    @property
    def sequence_no(self) -> int:
        """Give the block's number."""

    @property
    def block_timestamp(self) -> datetime:
        """Give the block's time; aware, UTC."""

    @property
    def block_hash(self) -> bytes:
        """Give the block's hash."""

    @property
    def previous_block_hash(self) -> bytes:
        """Give the hash of the block before it."""

    @property
    def delete_rule(self) -> DeleteRule | None:
        """Give the rule that its deletes have fitted."""


class LinkedRun(Protocol):
    """Consecutive blocks of a strand, in which nothing failed, each linked to the one before."""

    @property
    def first(self) -> Linked:
        """Give the first block."""

    @property
    def last(self) -> Linked:
        """Give the last block."""

    @property
    def delete_rule(self) -> DeleteRule | None:
        """Give the first rule that deletes in them have fitted."""

    @property
    def subtrees(self) -> Sequence[tuple[int, bytes]]:
        """Give what `hashing.subtrees` gives of their hashes, by their numbers."""


@attrs.define
class _Strand:
    """What is known of a strand; `first` is None while it was only resumed."""

    first: int | None
    last: int
    last_hash: bytes
    last_time: datetime | None = None
    missing: list[tuple[int, int]] = attrs.field(factory=list)
    frontier: MerkleFrontier | None = None
    delete_rule: DeleteRule | None = None


class ChainVerifier:
    """
    Verifies blocks one after the other and links them, for any number of strands.

    Blocks of a strand are fed with rising numbers. Memory does not grow with the
    number of blocks, holes and kept digests apart.

    Args:
        efforts: as `verify_block` takes it, for all blocks together.
    """

    def __init__(self, *, efforts: Efforts | None = None) -> None:
        self._efforts = efforts
        self._strands: dict[str, _Strand] = {}
        self._kept: dict[BlockAddress, bytes | None] = {}

    def feed(self, block: Block, found: BlockVerification | None = None) -> BlockVerification:
        """
        Verify a block by itself and against the one before it.

        Args:
            block: with a higher number than those of its strand before. When numbers are
                left out, they are written down as missing, and CHAIN is not checkable.
            found: what `verify_block` has said of it already; nothing in it may have failed,
                and nothing may depend on the delete rule.

        Returns:
            All checks of `verify_block`, and one named CHAIN; and a MISMATCH, not checkable,
            for a blockTimestamp that falls along the chain.

        Raises:
            UsageError: the strand has come further already; nothing has changed.
        """
        address = block.address
        strand = self._strands.get(address.strand_id)
        if strand is not None and address.sequence_no <= strand.last:
            raise UsageError(
                f"strand {address.strand_id}: block {address.sequence_no} comes after block "
                f"{strand.last}; blocks are verified in rising order"
            )
        if found is None:
            rule = strand.delete_rule if strand else None
            found = verify_block(block, delete_rule=rule, efforts=self._efforts)
        links = [_link(strand, block)]
        if _falls(strand, block):
            links.append(FALLING)
        strand = self._strands.setdefault(address.strand_id, strand or _Strand(None, -1, b""))
        _advance(strand, block, found.delete_rule)
        if address in self._kept:
            self._kept[address] = self.digest(address.strand_id)
        return BlockVerification(found.address, (*found.checks, *links), found.delete_rule)

    def follow(self, blocks: Sequence[Linked]) -> int:
        """
        Pass blocks that were verified elsewhere, as long as each plainly follows the last one.

        Args:
            blocks: in each nothing has failed, and nothing depends on the delete rule.

        Returns:
            How many were passed, as `feed` would: those of one strand that is under way, without
            a hole, each linked to the one before and not older. The next one is for `feed`.
        """
        strand_id = blocks[0].strand_id if blocks else ""
        strand = self._strands.get(strand_id)
        if strand is None or strand.first is None:
            return 0
        kept = {at.sequence_no for at in self._kept if at.strand_id == strand_id}
        hashes: list[bytes] = []
        for block in blocks:
            if block.strand_id != strand_id or block.sequence_no in kept:
                break
            if not _follows(strand, block):
                break
            hashes.append(block.block_hash)
            strand.last, strand.last_hash = block.sequence_no, block.block_hash
            strand.last_time = block.block_timestamp
            strand.delete_rule = strand.delete_rule or block.delete_rule
        if strand.frontier is not None:
            strand.frontier.extend(hashes)
        return len(hashes)

    def follow_run(self, run: LinkedRun) -> bool:
        """
        Pass blocks that were verified and linked elsewhere, where they plainly follow the last one.

        Args:
            run: in none of its blocks anything has failed, or depends on the delete rule.

        Returns:
            Whether all were passed, as by `follow`; else none.
        """
        strand_id, last = run.last.strand_id, run.last.sequence_no
        strand = self._strands.get(strand_id)
        if strand is None or strand.first is None or not _follows(strand, run.first):
            return False
        numbers = range(run.first.sequence_no, last + 1)
        if any(at.strand_id == strand_id and at.sequence_no in numbers for at in self._kept):
            return False
        strand.last, strand.last_hash = last, run.last.block_hash
        strand.last_time = run.last.block_timestamp
        strand.delete_rule = strand.delete_rule or run.delete_rule
        if strand.frontier is not None:
            for level, node in run.subtrees:
                strand.frontier.append_subtree(level, node)
        return True

    def resume(
        self, strand_id: str, position: Position, *, delete_rule: DeleteRule | None = None
    ) -> None:
        """
        Go on after a block that was verified earlier, in another run.

        Args:
            strand_id: the strand.
            position: the last block verified; its hash must link the next.
            delete_rule: the rule that has fitted before, if that is known.

        Raises:
            UsageError: the strand is under way, or the position is another strand's.
        """
        if strand_id in self._strands or position.strand_id != strand_id:
            raise UsageError(f"strand {strand_id} cannot be resumed here")
        self._strands[strand_id] = _Strand(
            None, position.sequence_no, position.block_hash, delete_rule=delete_rule
        )

    def digest(self, strand_id: str) -> bytes | None:
        """
        Give the root over all block hashes of a strand so far.

        Returns:
            32 bytes, what GetDigest gives at the last block; None when the strand is
            unknown, did not start at block 0, has holes, or has a block 0 that names a
            block before it.
        """
        strand = self._strands.get(strand_id)
        if strand is None or strand.frontier is None:
            return None
        return strand.frontier.root()

    def keep_digest(self, tip: BlockAddress) -> None:
        """Ask for the digest to be kept when block `tip` is fed, for `check_digest`."""
        self._kept.setdefault(tip, None)

    def check_digest(self, strand_id: str, digest: bytes, tip: BlockAddress) -> Check:
        """
        Compare a digest that was saved earlier with the strand's own.

        Args:
            strand_id: the strand.
            digest: 32 bytes, from GetDigest.
            tip: the block up to which it reaches: the last one fed, or one that
                `keep_digest` was told of before it was fed.

        Returns:
            A check named DIGEST; not checkable when the digest at `tip` is not known.
        """
        strand = self._strands.get(strand_id)
        if strand is None or tip.strand_id != strand_id:
            return _digest(Outcome.NOT_CHECKABLE, "the digest is of a strand that is not at hand")
        if tip.sequence_no > strand.last:
            return _digest(Outcome.NOT_CHECKABLE, "the digest reaches beyond the last block")
        at_tip = tip.sequence_no == strand.last
        own = self.digest(strand_id) if at_tip else self._kept.get(tip)
        if own is not None:
            if own == digest:
                return _digest(Outcome.VERIFIED, "the root over all block hashes is the digest")
            return _digest(Outcome.FAILED, "the root over all block hashes is not the digest")
        if at_tip or tip in self._kept:
            return _digest(
                Outcome.NOT_CHECKABLE, "the strand does not start at block 0 or has holes"
            )
        return _digest(Outcome.NOT_CHECKABLE, "the digest's block went by and nothing was kept")

    def strands(self) -> tuple[StrandReport, ...]:
        """Give what was seen of each strand that was fed, by strand id."""
        return tuple(
            StrandReport(
                strand_id,
                strand.first,
                strand.last,
                tuple(strand.missing),
                self.digest(strand_id),
            )
            for strand_id, strand in sorted(self._strands.items())
            if strand.first is not None
        )


def _digest(outcome: Outcome, detail: str) -> Check:
    return Check(ProblemCode.DIGEST, outcome, detail)


def _link(strand: _Strand | None, block: Block) -> Check:
    """Check the block against what is known of the one before it."""
    number, previous = block.address.sequence_no, block.summary.previous_block_hash
    if number == 0:
        return _STARTS if previous in _NOTHING_BEFORE else _STARTS_ODDLY
    if strand is None or strand.last + 1 != number:
        return _ALONE
    return _LINKED if previous == strand.last_hash else _BROKEN


def _follows(strand: _Strand, block: Linked) -> bool:
    """Say whether nothing is to be told of a block's place in the chain."""
    return (
        block.sequence_no == strand.last + 1
        and block.previous_block_hash == strand.last_hash
        and strand.last_time is not None
        and block.block_timestamp >= strand.last_time
        and len(block.block_hash) == DIGEST_BYTES
    )


def _falls(strand: _Strand | None, block: Block) -> bool:
    """Say whether a block is older than one before it."""
    last = None if strand is None else strand.last_time
    return last is not None and block.summary.block_timestamp < last


def _advance(strand: _Strand, block: Block, rule: DeleteRule | None) -> None:
    number = block.address.sequence_no
    if strand.first is None:
        _start(strand, block)
    elif number > strand.last + 1:
        strand.missing.append((strand.last + 1, number - 1))
        strand.frontier = None
    if strand.frontier is not None:
        if len(block.block_hash) == DIGEST_BYTES:
            strand.frontier.append(block.block_hash)
        else:
            strand.frontier = None  # BLOCK_HASH has failed; there is no root over such a leaf
    strand.last = number
    strand.last_hash = block.block_hash
    strand.last_time = block.summary.block_timestamp
    strand.delete_rule = strand.delete_rule or rule


def _start(strand: _Strand, block: Block) -> None:
    """Note the first block fed; after `resume` a hole may lie before it."""
    number = block.address.sequence_no
    resumed = strand.last >= 0
    strand.first = number
    if resumed and number > strand.last + 1:
        strand.missing.append((strand.last + 1, number - 1))
    # A block 0 with a predecessor may be a later one, renumbered: no root is this journal's.
    if number == 0 and not resumed and block.summary.previous_block_hash in _NOTHING_BEFORE:
        strand.frontier = MerkleFrontier()
