"""
Find the documents of a transaction that left no revision in their block.

No hash covers the document ids of revisionSummaries: a leaf without its id looks like one
that only the system knows, and two leaves can be joined into one. But transactionInfo is
hashed, and names every document that changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qldb_stream.errors import DecodeError
from qldb_stream.report import Check, Outcome, ProblemCode
from qldb_stream.verification._statements import deletes_documents, first_keyword

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from qldb_stream.events import TransactionInfo

__all__ = ["check_missing", "missing_documents"]

_GONE: Final = "transactionInfo names a document of which the block has no revision"
_PASSED: Final = "a document without a revision, created and deleted in one transaction"


def missing_documents(info: TransactionInfo, present: Collection[str | None]) -> Mapping[str, bool]:
    """
    Find the documents that transactionInfo names and that are not present.

    Args:
        info: of the block.
        present: ids of the documents that have revisions.

    Returns:
        By document id, whether it can do without a revision: its first statement inserts
        and its last deletes. Whether such documents are named at all is open (facts 2.3).

    Raises:
        DecodeError: the documents of transactionInfo cannot be read.
    """
    missing = {
        document_id: document.statements
        for document_id, document in info.documents.items()
        if document_id not in present
    }
    if not missing:
        return {}
    inserts, deletes = _by_kind(info)
    return {
        document_id: min(indexes, default=0) in inserts and max(indexes, default=0) in deletes
        for document_id, indexes in missing.items()
    }


def check_missing(missing: Mapping[str, bool]) -> Iterator[Check]:
    """
    Check what `missing_documents` found.

    Yields:
        A MISMATCH for each document: failed, or not checkable when it may have been
        created and deleted.
    """
    for document_id, may_have_passed in missing.items():
        if may_have_passed:
            yield Check(ProblemCode.MISMATCH, Outcome.NOT_CHECKABLE, _PASSED, document_id)
        else:
            yield Check(
                ProblemCode.MISMATCH, Outcome.FAILED, _GONE, document_id, "revisionSummaries"
            )


def _by_kind(info: TransactionInfo) -> tuple[frozenset[int], frozenset[int]]:
    """Give the indexes of statements that insert, and of those that delete; each read once."""
    try:
        texts = [statement.statement for statement in info.statements]
    except DecodeError:
        return frozenset(), frozenset()  # then nothing excuses a document
    inserts = (index for index, text in enumerate(texts) if first_keyword(text) == "INSERT")
    deletes = (index for index, text in enumerate(texts) if deletes_documents(text))
    return frozenset(inserts), frozenset(deletes)
