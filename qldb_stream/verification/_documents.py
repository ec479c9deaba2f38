"""
Check the documents of a transaction that left no revision in their block.

No hash covers the document ids of revisionSummaries: a leaf without its id looks like one
that only the system knows, and two leaves can be joined into one. But transactionInfo is
hashed, and names every document that changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qldb_stream.report import Check, Outcome, ProblemCode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["check_missing"]

_GONE: Final = "transactionInfo names a document of which the block has no revision"
_PASSED: Final = "a document without a revision, created and deleted in one transaction"


def check_missing(missing: Mapping[str, bool]) -> Iterator[Check]:
    """
    Check what `statements.missing_documents` found.

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
