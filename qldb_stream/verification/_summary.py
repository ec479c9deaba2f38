"""
Check the parts of a block's summary: their hashes, and that each is what it stands for.

That a hash is a member of entriesHashList tells that the block hashes the part, not which
part it is. So what has its hash is read as well: whatever else a block hashes (its
redactions, metadata, what a ledger of ours puts in besides) does not read as the part that
it stands in for, or has no part of its own to be a member for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qldb_stream.errors import DecodeError
from qldb_stream.formulas import Fit, fit_summary
from qldb_stream.ion import read_struct
from qldb_stream.report import Check, Outcome, ProblemCode
from qldb_stream.verification._unknown import KNOWN_NAMES
from qldb_stream.verification._untyped import REDACTION_INFO, TRANSACTION_INFO, untyped_paths

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from qldb_stream.events import Block, BlockSummary, RedactionInfo, TransactionInfo

__all__ = ["REDACT", "check_summary"]

REDACT: Final = b"redact_revision"
"""What a statement that asks for a redaction says, in small letters (facts 2.6)."""
_OF_TRANSACTION_INFO: Final = frozenset(("statements", "documents"))


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


def _info(detail: str) -> Check:
    return _failed(ProblemCode.TRANSACTION_INFO, detail, "transactionInfo")


_INFO: Final = {
    Fit.FITS: _verified(
        ProblemCode.TRANSACTION_INFO, "the hash of transactionInfo is in entriesHashList"
    ),
    Fit.WRONG: _info("the hash of transactionInfo is not in entriesHashList"),
    Fit.SHARED: _info("transactionInfo has the hash of another part of the block"),
    Fit.UNREADABLE: _info("transactionInfo cannot be read"),
}
_INFO_OTHER: Final = _info("what stands for transactionInfo is another part of the block")
_INFO_GONE: Final = _info("the block has revisions of documents, but no transactionInfo")
_INFO_GONE_TOO: Final = _info("the block redacts, but has no transactionInfo")
_INFO_ABSENT: Final = _not_checkable(
    ProblemCode.TRANSACTION_INFO, "the block has no transactionInfo"
)
_INFO_EMPTY: Final = _not_checkable(
    ProblemCode.TRANSACTION_INFO, "transactionInfo has no statements"
)


_INFO_UNTYPED: Final = _not_checkable(
    ProblemCode.TRANSACTION_INFO,
    "transactionInfo comes from a JSON export, and has what lost Ion's types",
)


def _redaction(detail: str, field: str = "redactionInfo") -> Check:
    return _failed(ProblemCode.REDACTION_INFO, detail, field)


_REDACTION: Final = {
    Fit.FITS: _verified(
        ProblemCode.REDACTION_INFO, "the hash of redactionInfo is in entriesHashList"
    ),
    Fit.WRONG: _redaction("the hash of redactionInfo is not in entriesHashList"),
    Fit.SHARED: _redaction("redactionInfo has the hash of another part of the block"),
    Fit.UNREADABLE: _redaction("redactionInfo cannot be read"),
}
_REDACTION_EMPTY: Final = _redaction("redactionInfo names no revision")
_REDACTION_ABROAD: Final = _redaction(
    "redactionInfo names another strand than its block", "blockAddress.strandId"
)
_REDACTION_AHEAD: Final = _redaction(
    "redactionInfo names a block that is not before its own", "blockAddress.sequenceNo"
)
_REDACTION_ABSENT: Final = _not_checkable(
    ProblemCode.REDACTION_INFO, "a statement asks for a redaction, but there is no redactionInfo"
)

_REDACTION_UNTYPED: Final = _not_checkable(
    ProblemCode.REDACTION_INFO,
    "redactionInfo comes from a JSON export, and has what lost Ion's types",
)

_ENTRIES_WRONG: Final = _failed(
    ProblemCode.ENTRIES_HASH, "the root over entriesHashList is not entriesHash"
)
_ENTRIES: Final = {
    Fit.FITS: _verified(ProblemCode.ENTRIES_HASH, "the root over entriesHashList is entriesHash"),
    Fit.WRONG: _ENTRIES_WRONG,
    Fit.UNREADABLE: _failed(
        ProblemCode.ENTRIES_HASH, "entriesHashList is empty or holds what is no digest"
    ),
}
_BLOCK: Final = {
    Fit.FITS: _verified(
        ProblemCode.BLOCK_HASH, "entriesHash joined with previousBlockHash is blockHash"
    ),
    Fit.WRONG: _failed(
        ProblemCode.BLOCK_HASH, "entriesHash joined with previousBlockHash is not blockHash"
    ),
}


def check_summary(block: Block, missing: Mapping[str, bool]) -> Iterator[Check]:
    """
    Check the hashes of a block's parts, and what the parts are.

    Args:
        block: whole. When its summary has no leaves, its revisions are taken for them.
        missing: documents without revision, as `missing_documents` gives them.

    Yields:
        REVISIONS_ROOT, TRANSACTION_INFO, REDACTION_INFO, ENTRIES_HASH and BLOCK_HASH, as far
        as they apply.
    """
    summary = block.summary
    leaves = [leaf.hash for leaf in summary.revision_summaries]
    fits = fit_summary(summary, leaves or [revision.hash for revision in block.revisions])
    if fits.revisions_root is not None:
        yield _ROOT_OK if fits.revisions_root is Fit.FITS else _ROOT_WRONG
    has_documents = _has_documents(block)
    if not has_documents and not all(missing.values()):
        yield _ROOT_GONE
    yield _check_transaction_info(summary, fits.transaction_info, has_documents=has_documents)
    yield from _check_redaction_info(summary, fits.redaction_info)
    yield _ENTRIES[fits.entries_hash]
    yield _BLOCK[fits.block_hash]


def _has_documents(block: Block) -> bool:
    return any(leaf.document_id is not None for leaf in block.summary.revision_summaries) or any(
        revision.metadata is not None for revision in block.revisions
    )


# --- transactionInfo -----------------------------------------------------------------------


def _check_transaction_info(
    summary: BlockSummary, fit: Fit | None, *, has_documents: bool
) -> Check:
    info = summary.transaction_info
    if info is None or fit is None:
        if has_documents:
            return _INFO_GONE
        # A redaction is a statement's, and a transaction of a user's has its info (facts 2.6, 1.3).
        return _INFO_ABSENT if summary.redaction_info is None else _INFO_GONE_TOO
    if fit is Fit.WRONG and info.from_json and untyped_paths(info.ion, TRANSACTION_INFO):
        return _INFO_UNTYPED
    return _read_transaction_info(info) if fit is Fit.FITS else _INFO[fit]


def _read_transaction_info(info: TransactionInfo) -> Check:
    """Say what it is that has a hash which fits; every reader of facts 2.3 must take it."""
    try:
        statements, documents = info.statements, info.documents
        if statements or documents:
            return _INFO[Fit.FITS]
        names = read_struct(info.ion).keys()
    except DecodeError:
        return _INFO[Fit.UNREADABLE]
    if names & KNOWN_NAMES - _OF_TRANSACTION_INFO:
        return _INFO_OTHER
    return _INFO[Fit.FITS] if "statements" in names else _INFO_EMPTY


# --- redactionInfo -------------------------------------------------------------------------


def _check_redaction_info(summary: BlockSummary, fit: Fit | None) -> Iterator[Check]:
    info = summary.redaction_info
    if info is None or fit is None:
        if _asks_for_redaction(summary):
            yield _REDACTION_ABSENT
    elif fit is Fit.FITS:
        yield _read_redaction_info(info, summary)
    elif fit is Fit.WRONG and info.from_json and untyped_paths(info.ion, REDACTION_INFO):
        found = _read_redaction_info(info, summary)
        yield _REDACTION_UNTYPED if found.outcome is Outcome.VERIFIED else found
    else:
        yield _REDACTION[fit]


def _read_redaction_info(info: RedactionInfo, summary: BlockSummary) -> Check:
    """Say what is wrong with what is redacted; a ledger has one strand, and redacts its past."""
    try:
        addresses = [revision.block_address for revision in info.revisions]
    except DecodeError:
        return _REDACTION[Fit.UNREADABLE]
    if not addresses:
        return _REDACTION_EMPTY
    own = summary.address
    if any(address.strand_id != own.strand_id for address in addresses):
        return _REDACTION_ABROAD
    if any(not 0 <= address.sequence_no < own.sequence_no for address in addresses):
        return _REDACTION_AHEAD
    return _REDACTION[Fit.FITS]


def _asks_for_redaction(summary: BlockSummary) -> bool:
    """Look into the bytes first: statements are searched in very few blocks."""
    info = summary.transaction_info
    if info is None or REDACT not in info.ion.buf[info.ion.start : info.ion.end].lower():
        return False
    try:
        return any(REDACT in s.statement.lower().encode() for s in info.statements)
    except DecodeError:
        return False
