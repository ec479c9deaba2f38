"""
What a client of the service would have been told (facts 6.4).

Parser and semantic errors have the wording already: the service passed on what the
reference implementation said. Here is what differs: the service located no unresolved
path, named evaluation errors as that implementation does [INF], knew no state of a
transaction but expired, and never said a word about its storage.
"""

from __future__ import annotations

from typing import Final

from qldb_stream.errors import (
    LedgerError,
    LedgerFileError,
    PartiqlEvaluationError,
    TransactionClosedError,
)

__all__ = ["service_message"]

_UNRESOLVED: Final = "Document path cannot be resolved: "
_NO_TRANSACTION: Final = "No open transaction"
_EXPIRED: Final = "has expired"  # the official drivers match on it
_STORAGE: Final = "Internal failure: the ledger's storage cannot be used"


def service_message(error: LedgerError) -> str:
    """
    Give an error's message in the service's words.

    Args:
        error: anything that a statement, a commit or a ledger raised.

    Returns:
        What goes into `Message` of the answer; never a path of this machine. Where the
        service said less (`Unsupported PartiQL Statement, Errors at:` and a place), what we
        add follows behind its words.
    """
    if isinstance(error, PartiqlEvaluationError):
        if error.problem.startswith(_UNRESOLVED):
            return error.problem
        place = f"at line {error.line}, column {error.column}"
        return f"Evaluator Error: {place}: {error.problem}"
    if isinstance(error, TransactionClosedError) and error.reason != _EXPIRED:
        return _NO_TRANSACTION
    return _STORAGE if isinstance(error, LedgerFileError) else str(error)
