"""
Verify one revision by its own hash, and say which part is to blame where that shows.

A delete's hash comes about by one of three candidate rules (facts 1.4): no genuine
delete with its block has been seen. So a misfit of something that merely looks like a
delete is a failure only when something else speaks against the delete, or when a rule
has fitted another delete of the strand.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

from qldb_stream.errors import DecodeError
from qldb_stream.hashing import DIGEST_BYTES, dot
from qldb_stream.ion import dumps, ion_hash
from qldb_stream.report import Check, DeleteRule, Outcome, ProblemCode
from qldb_stream.verification._statements import deletes_documents

if TYPE_CHECKING:
    from qldb_stream.events import BlockSummary, Revision, Statement

__all__ = ["check_revision"]

_SYSTEM: Final = Check(
    ProblemCode.REVISION_HASH,
    Outcome.NOT_CHECKABLE,
    "a hash-only system revision: what it hashes is not in the journal",
)
_PARTLY: Final = Check(
    ProblemCode.REVISION_HASH,
    Outcome.FAILED,
    "the revision has no metadata, but is more than a hash",
    field="metadata",
)

# SHA-256 of the Ion Hash forms of null and of null.struct (facts 2.4).
_DELETED_DATA: Final = {
    DeleteRule.NULL_DATA: sha256(b"\x0b\x0f\x0e").digest(),
    DeleteRule.NULL_STRUCT_DATA: sha256(b"\x0b\xdf\x0e").digest(),
}


_DELETE_FITS: Final = {rule: f"the delete's hash is {rule.value}" for rule in DeleteRule}


def check_revision(
    revision: Revision, summary: BlockSummary, rule: DeleteRule | None
) -> tuple[Check, DeleteRule | None]:
    """
    Recompute a revision's hash.

    Args:
        revision: of any kind.
        summary: of its block; tells which part is to blame.
        rule: the delete rule that has fitted in the strand before, None for none.

    Returns:
        A check named REVISION_HASH; and the rule that fitted, None when the revision is
        no delete or none did.
    """
    if revision.metadata is None:
        bare = revision.data_ion is None and revision.data_hash is None
        return (_SYSTEM if bare else _PARTLY), None
    try:
        metadata_hash = revision.metadata.ion.hash()
    except DecodeError:
        return _failed(revision, "the metadata cannot be read", "metadata"), None
    if revision.data_ion is None and revision.data_hash is None:
        return _check_delete(revision, summary, metadata_hash, rule)
    return _check_content(revision, summary, metadata_hash), None


def _check_content(revision: Revision, summary: BlockSummary, metadata_hash: bytes) -> Check:
    """Check a revision that has its data, or the hash of its redacted data, or both."""
    data_hash = revision.data_hash
    if revision.data_ion is not None:
        try:
            data_hash = revision.data_ion.hash()
        except DecodeError:
            return _failed(revision, "the data cannot be read", "data")
        if revision.data_hash is not None and revision.data_hash != data_hash:
            return _failed(revision, "dataHash is not the hash of the data", "dataHash")
    if data_hash is None or len(data_hash) != DIGEST_BYTES:
        return _failed(revision, "dataHash is no digest", "dataHash")
    computed = dot(metadata_hash, data_hash)
    if computed == revision.hash:
        return _verified(revision, "the hash of metadata and data is the revision's")
    field = _blame(revision, summary, computed, data_hash)
    return _failed(revision, "the hash of metadata and data is not the revision's", field)


def _check_delete(
    revision: Revision, summary: BlockSummary, metadata_hash: bytes, rule: DeleteRule | None
) -> tuple[Check, DeleteRule | None]:
    for candidate in DeleteRule:
        data_hash = _DELETED_DATA.get(candidate, b"")
        if dot(metadata_hash, data_hash) == revision.hash:
            return _verified(revision, _DELETE_FITS[candidate]), candidate
    against = _maybe_objection(revision, summary, rule)
    if against is not None:
        return _failed(revision, against), None
    return _unknown_delete(revision), None


def _maybe_objection(
    revision: Revision, summary: BlockSummary, rule: DeleteRule | None
) -> str | None:
    """Say why a misfit cannot be a delete by a rule that we do not know; None: it can."""
    if revision.metadata is not None and revision.metadata.version == 0:
        return "the revision has no data, and is no delete: its version is 0"
    if revision.unknown_fields:
        return "the revision has no data, but fields that are not known"
    if rule is not None:
        return "a delete that does not fit the rule that has fitted in this strand"
    statements = _statements_of(revision, summary)
    if statements and not any(deletes_documents(s.statement) for s in statements):
        return "the revision has no data, and none of its statements deletes"
    return None


# --- whose fault it is ----------------------------------------------------------------------


def _blame(
    revision: Revision, summary: BlockSummary, computed: bytes, data_hash: bytes
) -> str | None:
    """Name the field that is altered, where another hash tells; None where none does."""
    if any(
        leaf.document_id == revision.document_id and leaf.hash == computed
        for leaf in summary.revision_summaries
    ):
        return "hash"
    statements = _statements_of(revision, summary)
    for statement in statements:
        if _proves_data(statement, revision, data_hash):
            return "metadata"
    if len(statements) == 1 and _inserts_one_parameter(statements[0]):
        return "data" if _sole_document(summary) else None  # its digest would have proven the data
    return None


def _proves_data(statement: Statement, revision: Revision, data_hash: bytes) -> bool:
    """Guess that the document, or the list of it, was the only parameter (facts 2.3)."""
    text_hash = ion_hash(dumps(statement.statement))
    guesses = [data_hash]
    if revision.data_ion is not None:
        guesses.append(ion_hash(dumps([revision.data_ion])))
    return any(dot(text_hash, guess) == statement.statement_digest for guess in guesses)


def _inserts_one_parameter(statement: Statement) -> bool:
    words = statement.statement.upper().split()
    return words[:2] == ["INSERT", "INTO"] and words[3:] == ["?"]


def _sole_document(summary: BlockSummary) -> bool:
    """Tell whether one document changed, so that no statement was shared with another."""
    return len(summary.revision_summaries) == 1


def _statements_of(revision: Revision, summary: BlockSummary) -> list[Statement]:
    """Give the statements that changed this document; empty when that is unknown."""
    if summary.transaction_info is None or revision.document_id is None:
        return []
    try:
        own = summary.transaction_info.documents.get(revision.document_id)
        statements = summary.transaction_info.statements
    except DecodeError:
        return []
    indexes = () if own is None else dict.fromkeys(own.statements)  # repeated by assignments
    return [statements[i] for i in indexes if 0 <= i < len(statements)]


# --- checks of one revision -----------------------------------------------------------------


def _verified(revision: Revision, detail: str) -> Check:
    return Check(ProblemCode.REVISION_HASH, Outcome.VERIFIED, detail, revision.document_id)


def _failed(revision: Revision, detail: str, field: str | None = None) -> Check:
    return Check(ProblemCode.REVISION_HASH, Outcome.FAILED, detail, revision.document_id, field)


def _unknown_delete(revision: Revision) -> Check:
    detail = "a delete that fits no known rule, in a strand where none has fitted yet"
    return Check(ProblemCode.REVISION_HASH, Outcome.NOT_CHECKABLE, detail, revision.document_id)
