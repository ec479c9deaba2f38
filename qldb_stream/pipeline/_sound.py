"""
What is said of a block where it is found: that it is whole and sound, and what links it.

Most blocks of most archives are so. Of everything else (a part is missing, two copies differ, a
hash fails, a document is redacted or came as JSON, a delete fits no rule) nothing is said: the
one who holds the chain reads such a block anew and judges it as ever. So a report is the same
whoever settled what, and however many processes there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, Protocol

from qldb_stream.assembly import BlockAssembler
from qldb_stream.errors import QldbStreamError
from qldb_stream.events import Block, BlockAddress, BlockSummary, Event, RevisionKind
from qldb_stream.hashing import DIGEST_BYTES, subtrees
from qldb_stream.records import is_from_json
from qldb_stream.report import BlockVerification, Check, DeleteRule, Outcome, ProblemCode
from qldb_stream.verification import Request, requests_of, verify_block

if TYPE_CHECKING:
    from qldb_stream.events import Revision

__all__ = ["SettledBlock", "SettledRun", "SoundBlock", "SoundRun", "maybe_run", "maybe_sound"]


class SoundBlock(NamedTuple):
    """
    A block in which nothing failed; a plain tuple, since each block of an archive has one pickled.

    `not_checkable` are those of its checks; `revisions` counts what has contents; `requests` are
    the redactions that it asks for.
    """

    strand_id: str
    sequence_no: int
    block_timestamp: datetime
    block_hash: bytes
    previous_block_hash: bytes
    revisions: int
    not_checkable: tuple[Check, ...] = ()
    delete_rule: DeleteRule | None = None
    requests: tuple[Request, ...] = ()

    @property
    def address(self) -> BlockAddress:
        """Give the block's address."""
        return BlockAddress(self.strand_id, self.sequence_no)

    @property
    def verification(self) -> BlockVerification:
        """Give what `verify_block` said of it, without the checks that are verified."""
        return BlockVerification(self.address, self.not_checkable, self.delete_rule)

    def stub(self) -> Block:
        """Give as much of the block as its place in the chain takes."""
        summary = BlockSummary(
            None,
            self.address,
            "",
            self.block_timestamp,
            self.block_hash,
            b"",
            self.previous_block_hash,
            (),
        )
        return Block(summary, ())


class SoundRun(NamedTuple):
    """
    Consecutive blocks in which nothing failed, each linked to the one before it.

    `told` are those of which something is to be told; `delete_rule` and `subtrees` are those of
    `verification.LinkedRun`; `revisions` and `events` are of all blocks together.
    """

    first: SoundBlock
    last: SoundBlock
    revisions: int
    events: int
    delete_rule: DeleteRule | None
    subtrees: tuple[tuple[int, bytes], ...]
    told: tuple[SoundBlock, ...]

    @property
    def blocks(self) -> int:
        """Count them."""
        return self.last.sequence_no - self.first.sequence_no + 1


class SettledBlock(Protocol):
    """What a source tells in place of a block of which `maybe_sound` has answered."""

    @property
    def answer(self) -> SoundBlock:
        """Give what was answered."""

    @property
    def events(self) -> int:
        """Count the events that it is made of."""


class SettledRun(Protocol):
    """What a source tells in place of several blocks of which `maybe_sound` has answered."""

    @property
    def settled(self) -> Sequence[SettledBlock]:
        """Give each of them, in their order."""

    @property
    def summed(self) -> SoundRun | None:
        """Give what `maybe_run` said of all, where that was asked."""


def maybe_run(settled: Sequence[SettledBlock]) -> SoundRun | None:
    """
    Sum up blocks of consecutive numbers; None where one is not plainly linked to the one before.

    This is what a chain takes of each block, once for all of them: whoever settles them does it,
    in whatever process, and the one who holds the chain has little left to do.
    """
    blocks: list[SoundBlock] = [one.answer for one in settled]
    is_linked = all(
        block.previous_block_hash == before.block_hash
        and block.block_timestamp >= before.block_timestamp
        for before, block in pairwise(blocks)
    )
    hashes = [block.block_hash for block in blocks]
    if not is_linked or any(len(one) != DIGEST_BYTES for one in hashes):
        return None
    rules = [block.delete_rule for block in blocks if block.delete_rule is not None]
    return SoundRun(
        blocks[0],
        blocks[-1],
        sum([block.revisions for block in blocks]),
        sum([one.events for one in settled]),
        rules[0] if rules else None,
        subtrees(blocks[0].sequence_no, hashes),
        tuple([block for block in blocks if block.not_checkable or block.requests]),
    )


def maybe_sound(address: BlockAddress, found: Block | Sequence[Event]) -> SoundBlock | None:
    """
    Say of a block that it is sound; None where anything is to tell.

    Args:
        address: where it is to stand.
        found: the block as an export has it, or all events of one.
    """
    try:
        block = _maybe_own(found) if isinstance(found, Block) else _maybe_whole(found)
    except QldbStreamError:
        return None
    if block is None or block.address != address or not _is_plain(block):
        return None
    verification = verify_block(block)
    if any(map(_is_to_tell, verification.checks)):
        return None
    summary = block.summary
    return SoundBlock(
        address.strand_id,
        address.sequence_no,
        summary.block_timestamp,
        summary.block_hash,
        summary.previous_block_hash,
        sum(revision.metadata is not None for revision in block.revisions),
        tuple([c for c in verification.checks if c.outcome is Outcome.NOT_CHECKABLE]),
        verification.delete_rule,
        requests_of(block),
    )


def _maybe_own(block: Block) -> Block | None:
    """Give a block of an export in which each revision has its own place; else it is joined."""
    leaves = {revision.hash for revision in block.revisions}
    is_own = all(revision.address == block.address for revision in block.revisions)
    return block if is_own and len(leaves) == len(block.revisions) else None


def _maybe_whole(events: Sequence[Event]) -> Block | None:
    """Join events to one block; None where they are more, or less, or not of one mind."""
    assembler = BlockAssembler(hold=True)
    for event in events:
        assembler.feed(event)
    left_over = assembler.close()
    block = assembler.next_block()
    if left_over or not isinstance(block, Block) or isinstance(assembler.next_block(), Block):
        return None
    return None if assembler.take_problems() or assembler.take_redacted() else block


def _is_plain(block: Block) -> bool:
    """Say whether all of a block is at hand: nothing is redacted, no types are lost."""
    return not is_from_json(block.summary) and not any(map(_is_special, block.revisions))


def _is_special(revision: Revision) -> bool:
    return revision.from_json or revision.kind is RevisionKind.REDACTED


def _is_to_tell(check: Check) -> bool:
    """Say whether a check failed, or might have in another place of the chain."""
    if check.outcome is Outcome.NOT_CHECKABLE:
        # A bare hash is of no document; a document's is a delete that fits no rule, so far.
        return check.name is ProblemCode.REVISION_HASH and check.document_id is not None
    return check.outcome is not Outcome.VERIFIED or check.diagnosis is not None
