"""
What is said of a block where it is found: that it is whole and sound, and what links it.

Most blocks of most archives are so. Of everything else (a part is missing, two copies differ, a
hash fails, a document is redacted or came as JSON, a delete fits no rule) nothing is said: the
one who holds the chain reads such a block anew and judges it as ever. So a report is the same
whoever settled what, and however many processes there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from qldb_stream.assembly import BlockAssembler
from qldb_stream.errors import QldbStreamError
from qldb_stream.events import Block, BlockAddress, BlockSummary, Event, RevisionKind
from qldb_stream.records import is_from_json
from qldb_stream.report import BlockVerification, Check, DeleteRule, Outcome, ProblemCode
from qldb_stream.verification import verify_block

if TYPE_CHECKING:
    from qldb_stream.events import Revision

__all__ = ["SoundBlock", "maybe_sound"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class SoundBlock(NamedTuple):
    """
    A block in which nothing failed, wherever it stands.

    `block_time_us` counts from 1970; `revisions` counts what has contents. Of each check that is
    not checkable there is all but the outcome. Plain values, because they are written down, or
    sent, for each block of an archive.
    """

    block_time_us: int
    block_hash: bytes
    previous_block_hash: bytes
    revisions: int
    not_checkable: tuple[tuple[str, str, str | None, str | None], ...]
    delete_rule: str | None

    def verification(self, address: BlockAddress) -> BlockVerification:
        """Give what `verify_block` said of it, without the checks that are verified."""
        checks = [
            Check(ProblemCode(name), Outcome.NOT_CHECKABLE, detail, document_id, field)
            for name, detail, document_id, field in self.not_checkable
        ]
        rule = None if self.delete_rule is None else DeleteRule(self.delete_rule)
        return BlockVerification(address, tuple(checks), rule)

    def stub(self, address: BlockAddress) -> Block:
        """Give as much of the block as its place in the chain takes."""
        summary = BlockSummary(
            None,
            address,
            "",
            _EPOCH + timedelta(microseconds=self.block_time_us),
            self.block_hash,
            b"",
            self.previous_block_hash,
            (),
        )
        return Block(summary, ())


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
        (summary.block_timestamp - _EPOCH) // _MICROSECOND,
        summary.block_hash,
        summary.previous_block_hash,
        sum(revision.metadata is not None for revision in block.revisions),
        tuple(
            [
                (check.name.value, check.detail, check.document_id, check.field)
                for check in verification.checks
                if check.outcome is Outcome.NOT_CHECKABLE
            ]
        ),
        None if verification.delete_rule is None else verification.delete_rule.value,
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
    """Say whether nothing in a block has to do with other blocks: no redaction, no lost types."""
    summary = block.summary
    is_simple = summary.redaction_info is None and not is_from_json(summary)
    return is_simple and not any(map(_is_special, block.revisions))


def _is_special(revision: Revision) -> bool:
    return revision.from_json or revision.kind is RevisionKind.REDACTED


def _is_to_tell(check: Check) -> bool:
    """Say whether a check failed, or might have in another place of the chain."""
    if check.outcome is Outcome.NOT_CHECKABLE:
        # A bare hash is of no document; a document's is a delete that fits no rule, so far.
        return check.name is ProblemCode.REVISION_HASH and check.document_id is not None
    return check.outcome is not Outcome.VERIFIED or check.diagnosis is not None
