"""
Verify one revision by its own hash, and say which part is to blame where that shows.

A delete's hash comes about by one of three candidate rules (facts 1.4): no genuine
delete with its block has been seen. So a misfit of something that merely looks like a
delete is a failure only when something else speaks against the delete, or when a rule
has fitted another delete of the strand.

H(metadata) alone is half of any revision's hash, too. Whoever writes the two halves of one
as two leaves, a "delete" and the bare hash of the document, leaves every root as it was; so
by that rule a delete fits only where the transaction ran a statement that deletes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from qldb_stream.formulas import (
    RevisionFault,
    hash_revision_parts,
    maybe_delete_rule,
    revision_recomputes,
)
from qldb_stream.hashing import dot
from qldb_stream.ion import ion_hash
from qldb_stream.report import Check, DeleteRule, Outcome, ProblemCode

if TYPE_CHECKING:
    from qldb_stream.events import Revision
    from qldb_stream.verification._evidence import BlockEvidence, StatementEvidence

__all__ = ["HASH_ONLY", "check_revision"]

_FITS: Final = "the hash of metadata and data is the revision's"
_REDACTED: Final = "the hash of metadata and dataHash is the revision's; its document is redacted"
HASH_ONLY: Final = Check(
    ProblemCode.REVISION_HASH,
    Outcome.NOT_CHECKABLE,
    "a hash-only system revision: what it hashes is not in the journal",
)
"""What is said of a revision that is nothing but a hash."""
_JSON: Final = "the document comes from a JSON export, which lost Ion's types"
_PARTLY: Final = Check(
    ProblemCode.REVISION_HASH,
    Outcome.FAILED,
    "the revision has no metadata, but is more than a hash",
    field="metadata",
)

_NOT_DELETED: Final = "the revision has no data, and none of its statements deletes"
_DELETE_FITS: Final = {rule: f"the delete's hash is {rule.value}" for rule in DeleteRule}


_FAULTS: Final = {
    RevisionFault.METADATA_UNREADABLE: ("the metadata cannot be read", "metadata"),
    RevisionFault.DATA_UNREADABLE: ("the data cannot be read", "data"),
    RevisionFault.OTHER_DATA_HASH: ("dataHash is not the hash of the data", "dataHash"),
    RevisionFault.NO_DATA_HASH: ("dataHash is no digest", "dataHash"),
}


def check_revision(
    revision: Revision, evidence: BlockEvidence, rule: DeleteRule | None
) -> tuple[Check, DeleteRule | None]:
    """
    Recompute a revision's hash.

    Args:
        revision: of any kind. Of a redacted one nothing but the hash of its document is
            there; that the hash holds is verified, whether the redaction was asked for is
            `Redactions`' to tell.
        evidence: of its block; tells which part is to blame.
        rule: the delete rule that has fitted in the strand before, None for none.

    Returns:
        A check named REVISION_HASH; and the rule that fitted, None when the revision is
        no delete or none did.
    """
    if revision.metadata is None:
        bare = revision.data_ion is None and revision.data_hash is None
        return (HASH_ONLY if bare else _PARTLY), None
    parts = hash_revision_parts(revision)
    if revision.from_json and not revision_recomputes(revision):
        return _not_checkable(revision, _JSON), None
    if isinstance(parts, RevisionFault):
        return _failed(revision, *_FAULTS[parts]), None
    metadata_hash, data_hash = parts
    if data_hash is None:
        return _check_delete(revision, evidence, metadata_hash, rule)
    computed = dot(metadata_hash, data_hash)
    if computed == revision.hash:
        return _verified(revision, _FITS if revision.data_ion is not None else _REDACTED), None
    field = _blame(revision, evidence, computed, data_hash)
    return _failed(revision, "the hash of metadata and data is not the revision's", field), None


def _check_delete(
    revision: Revision, evidence: BlockEvidence, metadata_hash: bytes, rule: DeleteRule | None
) -> tuple[Check, DeleteRule | None]:
    fitting = maybe_delete_rule(metadata_hash, revision.hash)
    if fitting is DeleteRule.METADATA_ONLY and _is_undeleted(revision, evidence):
        return _failed(revision, _NOT_DELETED), None
    if fitting is not None:
        return _verified(revision, _DELETE_FITS[fitting]), fitting
    against = _maybe_objection(revision, evidence, rule)
    if against is not None:
        return _failed(revision, against), None
    return _unknown_delete(revision), None


def _maybe_objection(
    revision: Revision, evidence: BlockEvidence, rule: DeleteRule | None
) -> str | None:
    """Say why a misfit cannot be a delete by a rule that we do not know; None: it can."""
    if revision.metadata is not None and revision.metadata.version == 0:
        return "the revision has no data, and is no delete: its version is 0"
    if revision.unknown_fields:
        return "the revision has no data, but fields that are not known"
    if rule is not None:
        return "a delete that does not fit the rule that has fitted in this strand"
    return _NOT_DELETED if _is_undeleted(revision, evidence) else None


def _is_undeleted(revision: Revision, evidence: BlockEvidence) -> bool:
    """Say whether statements changed the document, and none of them deletes."""
    statements = evidence.statements_of(revision.document_id)
    return bool(statements) and not any(statement.deletes for statement in statements)


# --- whose fault it is ----------------------------------------------------------------------


def _blame(
    revision: Revision, evidence: BlockEvidence, computed: bytes, data_hash: bytes
) -> str | None:
    """Name the field that is altered, where another hash tells; None where none does."""
    if evidence.lists(revision.document_id, computed):
        return "hash"
    statements = evidence.statements_of(revision.document_id)
    if _prove_data(statements, revision, data_hash):
        return "metadata"
    if len(statements) == 1 and statements[0].inserts_one_parameter and evidence.has_one_document:
        return "data"  # else its digest would have proven the data
    return None


def _prove_data(
    statements: Sequence[StatementEvidence], revision: Revision, data_hash: bytes
) -> bool:
    """Guess that the document, or the list of it, was the only parameter (facts 2.3)."""
    if not statements:
        return False
    guesses = [data_hash]
    if revision.data_ion is not None:
        guesses.append(ion_hash([revision.data_ion]))
    return any(
        dot(statement.text_hash, guess) == statement.digest
        for statement in statements
        for guess in guesses
    )


# --- checks of one revision -----------------------------------------------------------------


def _verified(revision: Revision, detail: str) -> Check:
    return Check(ProblemCode.REVISION_HASH, Outcome.VERIFIED, detail, revision.document_id)


def _failed(revision: Revision, detail: str, field: str | None = None) -> Check:
    return Check(ProblemCode.REVISION_HASH, Outcome.FAILED, detail, revision.document_id, field)


def _not_checkable(revision: Revision, detail: str) -> Check:
    return Check(ProblemCode.REVISION_HASH, Outcome.NOT_CHECKABLE, detail, revision.document_id)


def _unknown_delete(revision: Revision) -> Check:
    detail = "a delete that fits no known rule, in a strand where none has fitted yet"
    return _not_checkable(revision, detail)
