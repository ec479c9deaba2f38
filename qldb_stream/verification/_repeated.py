"""
Compare what a block says more than once.

No hash covers addresses, transaction ids and tables as such (facts 2.5); but they
stand in a revision and in its block, and metadata and transactionInfo are hashed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qldb_stream.report import Check, Outcome, ProblemCode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from qldb_stream.events import Block, BlockSummary, DocumentInfo, Revision

__all__ = ["check_leaves", "check_repeated"]

_AGREES: Final = "what the revision repeats agrees with its block"
_NO_TABLE: Final = "a record without tableInfo to compare with transactionInfo"
_LEAVES_AGREE: Final = Check(
    ProblemCode.MISMATCH, Outcome.VERIFIED, "revisionSummaries agree with the revisions"
)
_LEAVES_MISCOUNTED: Final = Check(
    ProblemCode.MISMATCH,
    Outcome.FAILED,
    "there are not as many revisions as revisionSummaries",
    field="revisionSummaries",
)


def check_repeated(
    revision: Revision, summary: BlockSummary, documents: Mapping[str, DocumentInfo] | None
) -> Iterator[Check]:
    """
    Compare a revision with the summary of its block.

    Args:
        revision: of any kind; a system revision repeats its block's address only.
        summary: of the block.
        documents: what transactionInfo says, None when that is absent or unreadable.

    Yields:
        A failed MISMATCH for each field that differs, or one that is verified; and one
        that is not checkable for a stream's record without tableInfo.
    """
    document_id = revision.document_id
    agrees = True
    for field, detail in _iter_differences(revision, summary, documents):
        agrees = False
        yield Check(ProblemCode.MISMATCH, Outcome.FAILED, detail, document_id, field)
    if agrees:
        yield Check(ProblemCode.MISMATCH, Outcome.VERIFIED, _AGREES, document_id)
    if revision.table is None and document_id is not None and summary.stream_arn is not None:
        yield Check(ProblemCode.MISMATCH, Outcome.NOT_CHECKABLE, _NO_TABLE, document_id)


def check_leaves(block: Block) -> Iterator[Check]:
    """
    Compare the summary's leaves with the revisions, one by one.

    Yields:
        A failed MISMATCH for each leaf that differs, or one that is verified; nothing
        for a block that has neither.
    """
    leaves, revisions = block.summary.revision_summaries, block.revisions
    if not leaves and not revisions:
        return
    if len(leaves) != len(revisions):
        yield _LEAVES_MISCOUNTED
        return
    agrees = True
    for leaf, revision in zip(leaves, revisions, strict=True):
        document_id = revision.document_id or leaf.document_id
        if leaf.hash != revision.hash:
            agrees = False
            yield _leaf_differs("hash", "the summary has another hash of the revision", document_id)
        if leaf.document_id != revision.document_id:
            agrees = False
            yield _leaf_differs(
                "documentId", "the summary has another document id than the revision", document_id
            )
    if agrees:
        yield _LEAVES_AGREE


def _leaf_differs(field: str, detail: str, document_id: str | None) -> Check:
    return Check(ProblemCode.MISMATCH, Outcome.FAILED, detail, document_id, field)


def _iter_differences(
    revision: Revision, summary: BlockSummary, documents: Mapping[str, DocumentInfo] | None
) -> Iterator[tuple[str, str]]:
    if revision.address.strand_id != summary.address.strand_id:
        yield "blockAddress.strandId", "the revision names another strand than its block"
    if revision.address.sequence_no != summary.address.sequence_no:
        yield "blockAddress.sequenceNo", "the revision names another block than its block's address"
    if revision.metadata is None:
        return
    if revision.metadata.tx_id != summary.transaction_id:
        yield "transactionId", "the revision's txId is not the block's transactionId"
    if documents is None:
        return
    named = documents.get(revision.metadata.id)
    if named is None:
        yield "transactionInfo.documents", "transactionInfo does not name the revision's document"
    elif revision.table is not None and revision.table != named.table:
        if revision.table.table_name != named.table.table_name:
            yield "tableInfo.tableName", "the revision names another table than transactionInfo"
        if revision.table.table_id != named.table.table_id:
            yield "tableInfo.tableId", "the revision has another table id than transactionInfo"
