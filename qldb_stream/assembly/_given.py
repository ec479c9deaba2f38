"""
What is remembered of blocks that were given out, and what copies that come later mean.

A block's bytes are not kept, only marks of them. A copy of the same bytes has the same
mark; any other is judged by its hashes, because a hash that recomputes is proof of the
same contents.
"""

from __future__ import annotations

from collections import OrderedDict

import attrs

from qldb_stream.assembly._copies import (
    conflict,
    revision_mark,
    slice_mark,
    worse_revision,
    worse_summary,
)
from qldb_stream.events import (
    Block,
    BlockAddress,
    BlockSummary,
    RedactionInfo,
    Revision,
    RevisionKind,
    TransactionInfo,
)
from qldb_stream.formulas import revision_recomputes, summary_recomputes
from qldb_stream.records import is_from_json
from qldb_stream.report import Problem, ProblemCode

__all__ = [
    "GivenBlock",
    "GivenBlocks",
    "judge_late_revision",
    "judge_late_summary",
    "redacts",
    "summary_mark",
]


@attrs.frozen(eq=False)
class GivenBlock:
    """
    What is remembered of one block.

    `revisions` has by hash the mark of the revision, None for a hash-only leaf; `deletes`
    are the hashes of delete revisions, which may fit none of the rules known here.
    `redacted` are those of revisions that were given out without their data.
    """

    address: BlockAddress
    summary: int
    infos: tuple[int, int]
    revisions: dict[bytes, tuple[int, int, int] | None]
    documents: frozenset[str]
    deletes: frozenset[bytes]
    redacted: frozenset[bytes]


class GivenBlocks:
    """Remembers blocks, the last of them within a limit of revisions and blocks."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._blocks: OrderedDict[BlockAddress, GivenBlock] = OrderedDict()  # the first goes first
        self._by_hash: dict[bytes, GivenBlock] = {}

    def add(self, block: Block) -> GivenBlock:
        """Remember a block; the oldest ones are forgotten for it."""
        summary = block.summary
        given = GivenBlock(
            block.address,
            _summary_mark(summary),
            (_info_mark(summary.transaction_info), _info_mark(summary.redaction_info)),
            {found.hash: _mark_unless_system(found) for found in block.revisions},
            frozenset([found.metadata.id for found in block.revisions if found.metadata]),
            frozenset([found.hash for found in block.revisions if _is_delete(found)]),
            frozenset([found.hash for found in block.revisions if _is_redacted(found)]),
        )
        self._blocks[given.address] = given
        for digest in given.revisions:
            self._by_hash[digest] = given
        while len(self._blocks) + len(self._by_hash) > self._limit and len(self._blocks) > 1:
            self._drop(next(iter(self._blocks)))
        return given

    def at(self, address: BlockAddress) -> GivenBlock | None:
        """Look up a block by its address."""
        return self._blocks.get(address)

    def with_hash(self, digest: bytes) -> GivenBlock | None:
        """Look up the block that lists a revision's hash."""
        return self._by_hash.get(digest)

    def forget(self, address: BlockAddress) -> None:
        """Forget the blocks up to an address, as far as they were given out in order."""
        while self._blocks:
            first = next(iter(self._blocks))
            if first > address:
                return
            self._drop(first)

    def _drop(self, address: BlockAddress) -> None:
        given = self._blocks.pop(address)
        for digest in given.revisions:
            if self._by_hash.get(digest) is given:
                del self._by_hash[digest]


def judge_late_revision(revision: Revision, given: GivenBlock) -> Problem | None:
    """Say what is wrong with a copy that came after its block; None for a duplicate."""
    address = given.address
    mark = given.revisions[revision.hash]
    if mark is None:
        return Problem(
            ProblemCode.INCOMPLETE,
            "this revision came after its block, which lists it by hash alone",
            address.strand_id,
            address.sequence_no,
            revision.document_id,
        )
    late = revision_mark(revision)
    if mark == late:
        return None
    is_known_delete = _is_delete(revision) and revision.hash in given.deletes
    is_known = is_known_delete or revision.from_json  # what no hash of its own can tell
    if revision.address != address or not (is_known or revision_recomputes(revision)):
        return worse_revision(revision, address)
    difference = _unhashed_difference(late, mark)
    return None if difference is None else conflict(address, difference, revision)


def redacts(copy: Revision, given: GivenBlock) -> bool:
    """Say whether a duplicate shows that data which was given out is redacted by now."""
    return _is_redacted(copy) and copy.hash not in given.redacted


def judge_late_summary(summary: BlockSummary, given: GivenBlock) -> Problem | None:
    """Say what is wrong with a copy that came after its block; None for a duplicate."""
    infos = (_info_mark(summary.transaction_info), _info_mark(summary.redaction_info))
    is_plain_same = _summary_mark(summary) == given.summary
    if is_plain_same and infos == given.infos:
        return None
    if is_plain_same and is_from_json(summary):
        return None  # what no hash of its own can tell
    if not summary_recomputes(summary):
        return worse_summary(given.address)
    have_same_parts = [mark == 0 for mark in infos] == [mark == 0 for mark in given.infos]
    if is_plain_same and have_same_parts:
        return None
    return conflict(given.address, "the parts of one given out before")


def _unhashed_difference(late: tuple[int, int, int], given: tuple[int, int, int]) -> str | None:
    """Name what no hash covers and is another than before; a table may be absent."""
    if late[1] and given[1] and late[1] != given[1]:
        return "table"
    return None if late[2] == given[2] else "unknown fields"


def _mark_unless_system(revision: Revision) -> tuple[int, int, int] | None:
    return None if revision.metadata is None else revision_mark(revision)


def _is_redacted(revision: Revision) -> bool:
    return revision.kind is RevisionKind.REDACTED


def _is_delete(revision: Revision) -> bool:
    return revision.kind is RevisionKind.DELETE


def summary_mark(summary: BlockSummary) -> int:
    """Mark a summary, the stream's name aside, by what is plain and the bytes of the rest."""
    infos = (_info_mark(summary.transaction_info), _info_mark(summary.redaction_info))
    return hash((summary.address, _summary_mark(summary), infos))


def _summary_mark(summary: BlockSummary) -> int:
    """Mark what is plain in a summary, the stream's name aside."""
    return hash(
        (
            summary.transaction_id,
            summary.block_timestamp,
            summary.block_hash,
            summary.entries_hash,
            summary.previous_block_hash,
            summary.entries_hash_list,
            summary.revision_summaries,
            summary.unknown_fields,
        )
    )


def _info_mark(info: TransactionInfo | RedactionInfo | None) -> int:
    return 0 if info is None else slice_mark(info.ion)
