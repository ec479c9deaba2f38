"""
Verify one block: facts 2.5, the official check, and what it leaves out.

Strategy: a list of checks in the order in which a reader wants them, revisions first.
Membership in entriesHashList is tested, never position. Whatever cannot be read while
it is hashed is a failed check of that part, not an exception: verification must be
able to speak about damaged blocks. What could vanish without a hash noticing (optional
parts, whole lists) is tied to parts that are hashed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qldb_stream.errors import DecodeError, UsageError
from qldb_stream.hashing import DIGEST_BYTES, dot, merkle_root
from qldb_stream.report import BlockVerification, Check, DeleteRule, Outcome, ProblemCode
from qldb_stream.verification._documents import check_missing, missing_documents
from qldb_stream.verification._repeated import check_leaves, check_repeated
from qldb_stream.verification._revision import check_revision
from qldb_stream.verification._unknown import check_unknown_fields

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from qldb_stream.events import Block, BlockSummary, DocumentInfo

__all__ = ["verify_block"]

_REDACT: Final = b"redact_revision"


def _verified(name: ProblemCode, detail: str) -> Check:
    return Check(name, Outcome.VERIFIED, detail)


def _failed(name: ProblemCode, detail: str, field: str | None = None) -> Check:
    return Check(name, Outcome.FAILED, detail, None, field)


def _not_checkable(name: ProblemCode, detail: str) -> Check:
    return Check(name, Outcome.NOT_CHECKABLE, detail)


_ROOT_OK: Final = _verified(
    ProblemCode.REVISIONS_ROOT, "the root over all revision hashes is in entriesHashList"
)
_ROOT_WRONG: Final = _failed(
    ProblemCode.REVISIONS_ROOT, "the root over all revision hashes is not in entriesHashList"
)
_ROOT_GONE: Final = _failed(
    ProblemCode.REVISIONS_ROOT,
    "transactionInfo names changed documents, but the block has no revisions of documents",
    "revisionSummaries",
)
_INFO_OK: Final = _verified(
    ProblemCode.TRANSACTION_INFO, "the hash of transactionInfo is in entriesHashList"
)
_INFO_WRONG: Final = _failed(
    ProblemCode.TRANSACTION_INFO,
    "the hash of transactionInfo is not in entriesHashList",
    "transactionInfo",
)
_INFO_UNREADABLE: Final = _failed(
    ProblemCode.TRANSACTION_INFO, "transactionInfo cannot be read", "transactionInfo"
)
_INFO_GONE: Final = _failed(
    ProblemCode.TRANSACTION_INFO,
    "the block has revisions of documents, but no transactionInfo",
    "transactionInfo",
)
_INFO_ABSENT: Final = _not_checkable(
    ProblemCode.TRANSACTION_INFO, "the block has no transactionInfo"
)
_REDACTION_OK: Final = _verified(
    ProblemCode.REDACTION_INFO, "the hash of redactionInfo is in entriesHashList"
)
_REDACTION_WRONG: Final = _failed(
    ProblemCode.REDACTION_INFO,
    "the hash of redactionInfo is not in entriesHashList",
    "redactionInfo",
)
_REDACTION_UNREADABLE: Final = _failed(
    ProblemCode.REDACTION_INFO, "redactionInfo cannot be read", "redactionInfo"
)
_REDACTION_ABSENT: Final = _not_checkable(
    ProblemCode.REDACTION_INFO, "a statement asks for a redaction, but there is no redactionInfo"
)
_ENTRIES_OK: Final = _verified(
    ProblemCode.ENTRIES_HASH, "the root over entriesHashList is entriesHash"
)
_ENTRIES_WRONG: Final = _failed(
    ProblemCode.ENTRIES_HASH, "the root over entriesHashList is not entriesHash"
)
_ENTRIES_EMPTY: Final = _failed(
    ProblemCode.ENTRIES_HASH, "entriesHashList is empty or holds what is no digest"
)
_BLOCK_OK: Final = _verified(
    ProblemCode.BLOCK_HASH, "entriesHash joined with previousBlockHash is blockHash"
)
_BLOCK_WRONG: Final = _failed(
    ProblemCode.BLOCK_HASH, "entriesHash joined with previousBlockHash is not blockHash"
)


def verify_block(block: Block, *, delete_rule: DeleteRule | None = None) -> BlockVerification:
    """
    Recompute and compare all that a client can of one block.

    Args:
        block: whole, from the assembler or an export.
        delete_rule: the rule for delete revisions that has fitted in this strand before,
            None when none has. With it a delete that fits no rule fails; without it such
            a delete is not checkable (facts 1.4).

    Returns:
        Every check with its outcome: for each revision REVISION_HASH and MISMATCH, a
        MISMATCH for each document that has none, then
        REVISIONS_ROOT, TRANSACTION_INFO, REDACTION_INFO, ENTRIES_HASH and BLOCK_HASH as
        far as they apply. Nothing raises because of the block's contents.
    """
    checks, rule = _check_revisions(block, delete_rule)
    checks.extend(check_leaves(block))
    missing = _missing(block)
    checks.extend(check_missing(missing))
    checks.extend(_check_summary(block, missing))
    return BlockVerification(block.address, tuple(checks), rule)


def _check_revisions(
    block: Block, delete_rule: DeleteRule | None
) -> tuple[list[Check], DeleteRule | None]:
    """Check each revision by itself and against the block that holds it."""
    checks: list[Check] = []
    found: DeleteRule | None = None
    documents = _maybe_documents(block.summary)
    for revision in block.revisions:
        check, rule = check_revision(revision, block.summary, found or delete_rule)
        found = found or rule
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
        return None  # _check_transaction_info says so


def _missing(block: Block) -> Mapping[str, bool]:
    """Give the documents that neither leaves nor revisions have; none when nothing names any."""
    info = block.summary.transaction_info
    if info is None:
        return {}
    present = {leaf.document_id for leaf in block.summary.revision_summaries}
    present.update(revision.document_id for revision in block.revisions)
    try:
        return missing_documents(info, present)
    except DecodeError:
        return {}  # _check_transaction_info says so


def _check_summary(block: Block, missing: Mapping[str, bool]) -> Iterator[Check]:
    summary = block.summary
    members = frozenset(summary.entries_hash_list)
    yield from _check_root(block, members, missing)
    yield _check_transaction_info(block, members)
    yield from _check_redaction_info(summary, members)
    yield _check_entries(summary)
    yield _check_block_hash(summary)
    if summary.unknown_fields:
        yield from check_unknown_fields(summary.unknown_fields)


def _check_root(
    block: Block, members: frozenset[bytes], missing: Mapping[str, bool]
) -> Iterator[Check]:
    """Check the leaves that the summary lists; `check_leaves` ties the revisions to them."""
    summaries = block.summary.revision_summaries
    leaves = [s.hash for s in summaries] or [r.hash for r in block.revisions]
    if leaves:
        root = _maybe_root(leaves)
        yield _ROOT_OK if root is not None and root in members else _ROOT_WRONG
    if not all(missing.values()) and not _has_documents(block):
        yield _ROOT_GONE


def _has_documents(block: Block) -> bool:
    return any(leaf.document_id is not None for leaf in block.summary.revision_summaries) or any(
        revision.metadata is not None for revision in block.revisions
    )


def _check_transaction_info(block: Block, members: frozenset[bytes]) -> Check:
    info = block.summary.transaction_info
    if info is None:
        return _INFO_GONE if _has_documents(block) else _INFO_ABSENT
    try:
        return _INFO_OK if info.ion.hash() in members else _INFO_WRONG
    except DecodeError:
        return _INFO_UNREADABLE


def _check_redaction_info(summary: BlockSummary, members: frozenset[bytes]) -> Iterator[Check]:
    info = summary.redaction_info
    if info is None:
        if _asks_for_redaction(summary):
            yield _REDACTION_ABSENT
        return
    try:
        yield _REDACTION_OK if info.ion.hash() in members else _REDACTION_WRONG
    except DecodeError:
        yield _REDACTION_UNREADABLE


def _asks_for_redaction(summary: BlockSummary) -> bool:
    """Look into the bytes first: statements are decoded for very few blocks."""
    info = summary.transaction_info
    if info is None or _REDACT not in info.ion.buf[info.ion.start : info.ion.end].lower():
        return False
    try:
        return any(_REDACT in s.statement.lower().encode() for s in info.statements)
    except DecodeError:
        return False


def _check_entries(summary: BlockSummary) -> Check:
    root = _maybe_root(summary.entries_hash_list)
    if not root:
        return _ENTRIES_EMPTY
    return _ENTRIES_OK if root == summary.entries_hash else _ENTRIES_WRONG


def _check_block_hash(summary: BlockSummary) -> Check:
    # An empty entriesHash would let blockHash be the predecessor's: dot's neutral element.
    if len(summary.entries_hash) != DIGEST_BYTES:
        return _BLOCK_WRONG
    try:
        joined = dot(summary.entries_hash, summary.previous_block_hash)
    except UsageError:
        return _BLOCK_WRONG
    return _BLOCK_OK if joined == summary.block_hash else _BLOCK_WRONG


def _maybe_root(leaves: Sequence[bytes]) -> bytes | None:
    try:
        return merkle_root(leaves)
    except UsageError:
        return None
