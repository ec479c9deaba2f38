"""
Verify one block: facts 2.5, the official check, and what it leaves out.

Strategy: a list of checks in the order in which a reader wants them, revisions first.
Membership in entriesHashList is tested, never position, and each part needs a member of
its own. Whatever cannot be read while it is hashed, or after, is a failed check of that
part, not an exception: verification must be able to speak about damaged blocks. What could
vanish without a hash noticing (optional parts, whole lists) is tied to parts that are hashed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qldb_stream.errors import DecodeError
from qldb_stream.report import BlockVerification, Check, DeleteRule, Outcome
from qldb_stream.statements import missing_documents
from qldb_stream.verification._documents import check_missing
from qldb_stream.verification._evidence import BlockEvidence
from qldb_stream.verification._explain import explain, explain_summary
from qldb_stream.verification._repeated import check_leaves, check_repeated
from qldb_stream.verification._revision import check_revision
from qldb_stream.verification._summary import check_summary
from qldb_stream.verification._times import check_times
from qldb_stream.verification._unknown import check_unknown_fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qldb_stream.events import Block, BlockSummary, DocumentInfo
    from qldb_stream.verification.diagnosis import Efforts

__all__ = ["verify_block"]


def verify_block(
    block: Block, *, delete_rule: DeleteRule | None = None, efforts: Efforts | None = None
) -> BlockVerification:
    """
    Recompute and compare all that a client can of one block.

    Args:
        block: whole, from the assembler or an export.
        delete_rule: the rule for delete revisions that has fitted in this strand before,
            None when none has. With it a delete that fits no rule fails; without it such
            a delete is not checkable (facts 1.4).
        efforts: what may be spent to find out what was changed in a revision that fails,
            and the types that a document of a JSON export lost; None to look for nothing. What
            is found holds parts of documents, in the checks' `diagnosis` and nowhere else. A
            block of which nothing fails costs the same.

    Returns:
        Every check with its outcome: for each revision REVISION_HASH and MISMATCH, a
        MISMATCH for each document that has none, then
        REVISIONS_ROOT, TRANSACTION_INFO, REDACTION_INFO, ENTRIES_HASH and BLOCK_HASH as
        far as they apply, and a MISMATCH for each unknown field and for a blockTimestamp
        that its transaction's times do not bear out. Nothing raises because of the block's
        contents.
    """
    checks, rule = _check_revisions(block, delete_rule, efforts)
    checks.extend(check_leaves(block))
    missing = _missing(block)
    checks.extend(check_missing(missing))
    for check in check_summary(block, missing):
        if efforts is not None and check.outcome is not Outcome.VERIFIED:
            checks.append(explain_summary(check, block, efforts))
        else:
            checks.append(check)
    checks.extend(check_times(block))
    checks.extend(check_unknown_fields(block.summary.unknown_fields))
    return BlockVerification(block.address, tuple(checks), rule)


def _check_revisions(
    block: Block, delete_rule: DeleteRule | None, efforts: Efforts | None
) -> tuple[list[Check], DeleteRule | None]:
    """Check each revision by itself and against the block that holds it."""
    checks: list[Check] = []
    found: DeleteRule | None = None
    documents = _maybe_documents(block.summary)
    evidence = BlockEvidence(block.summary)
    for revision in block.revisions:
        check, rule = check_revision(revision, evidence, found or delete_rule)
        found = found or rule
        if efforts is not None and check.outcome is not Outcome.VERIFIED:
            check = explain(check, revision, evidence, efforts)
        checks.append(check)
        checks.extend(check_repeated(revision, block.summary, documents))
        if revision.unknown_fields:
            lacks_table = revision.table is None and block.summary.stream_arn is not None
            checks.extend(
                check_unknown_fields(
                    revision.unknown_fields, revision.document_id, lacks_table=lacks_table
                )
            )
    return checks, found


def _maybe_documents(summary: BlockSummary) -> Mapping[str, DocumentInfo] | None:
    """Give the documents of transactionInfo, or None when it is absent or unreadable."""
    if summary.transaction_info is None:
        return None
    try:
        return summary.transaction_info.documents
    except DecodeError:
        return None  # TRANSACTION_INFO fails: check_summary reads it, whatever its hash


def _missing(block: Block) -> Mapping[str, bool]:
    """Give the documents that neither leaves nor revisions have; none when nothing names any."""
    info = block.summary.transaction_info
    if info is None:
        return {}
    present = {leaf.document_id for leaf in block.summary.revision_summaries}
    try:
        if present.issuperset(info.documents):  # as in every sound block
            return {}
        present.update(revision.document_id for revision in block.revisions)
        return missing_documents(info, present)
    except DecodeError:
        return {}  # TRANSACTION_INFO fails, as above
