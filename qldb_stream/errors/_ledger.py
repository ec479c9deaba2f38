"""What the embedded ledger refused."""

from __future__ import annotations

from typing import Final

import attrs

from qldb_stream.errors._root import Disposition, QldbStreamError

__all__ = [
    "EndpointError",
    "ExportError",
    "LambdaAbortedError",
    "LedgerAddressError",
    "LedgerError",
    "LedgerFileError",
    "LedgerHeldError",
    "OccConflictError",
    "PartiqlEvaluationError",
    "PartiqlParseError",
    "PartiqlSemanticError",
    "ReadOnlyTransactionError",
    "StatementError",
    "TransactionClosedError",
    "UnsupportedPartiqlError",
]


# Behind the service's two lines, which stay as they were.
_ALLOW_EXTENSIONS: Final = (
    '\nQLDB did not have it; a ledger opened with extensions="on" '
    "(command line and server: --extensions on) runs it"
)


class LedgerError(QldbStreamError):
    """The embedded ledger refused something."""


@attrs.frozen
class LedgerFileError(LedgerError):
    """A ledger file that cannot be opened, read or written."""

    path: str
    problem: str

    def __str__(self) -> str:
        return f"ledger {self.path}: {self.problem}"


@attrs.frozen
class LedgerHeldError(LedgerFileError):
    """A ledger file that another writer has open, and may let go of later."""

    disposition = Disposition.RETRY

    path: str
    problem: str


@attrs.frozen
class LedgerAddressError(LedgerError):
    """An address at which the ledger has no block, no such document, or an earlier tip."""

    sequence_no: int
    problem: str

    def __str__(self) -> str:
        return f"block {self.sequence_no}: {self.problem}"


@attrs.frozen
class ExportError(LedgerError):
    """An object of an export that could not be stored; the export has no final manifest."""

    disposition = Disposition.RETRY

    key: str
    problem: str

    def __str__(self) -> str:
        return f"export: {self.key} cannot be written: {self.problem}"


@attrs.frozen
class EndpointError(LedgerError):
    """A ledger's server that cannot be reached, or refuses to work now."""

    disposition = Disposition.RETRY

    endpoint: str
    problem: str

    def __str__(self) -> str:
        return f"{self.endpoint}: {self.problem}"


@attrs.frozen
class OccConflictError(LedgerError):
    """A transaction that read what another one has changed since (facts 5.9)."""

    disposition = Disposition.RETRY

    transaction_id: str

    def __str__(self) -> str:
        # The service's own wording, which applications match on (facts 6.4).
        return (
            "Optimistic concurrency control (OCC) failure encountered while committing "
            "the transaction"
        )


@attrs.frozen
class TransactionClosedError(LedgerError):
    """A statement or commit on a transaction that is no longer open."""

    transaction_id: str
    reason: str

    def __str__(self) -> str:
        return f"Transaction {self.transaction_id} {self.reason}"


@attrs.frozen
class ReadOnlyTransactionError(LedgerError):
    """A statement that would write, in a transaction that was begun to read only."""

    transaction_id: str

    def __str__(self) -> str:
        return (
            f"transaction {self.transaction_id} may only read, and the statement is no SELECT; "
            "run it in a transaction that may write"
        )


@attrs.frozen
class LambdaAbortedError(LedgerError):
    """A transaction that the function which ran in it aborted on purpose."""

    transaction_id: str

    def __str__(self) -> str:
        return f"transaction {self.transaction_id} was aborted by its own function"


@attrs.frozen
class StatementError(LedgerError):
    """A statement that parses but cannot be carried out (facts 6.4, BadRequest)."""

    problem: str

    def __str__(self) -> str:
        return self.problem


@attrs.frozen
class PartiqlParseError(LedgerError):
    """A statement text that is not PartiQL; line and column count from 1."""

    line: int
    column: int
    problem: str

    def __str__(self) -> str:
        return f"Parser Error: at line {self.line}, column {self.column}: {self.problem}"


@attrs.frozen
class PartiqlSemanticError(LedgerError):
    """PartiQL that names what does not exist or makes no sense there."""

    line: int
    column: int
    problem: str

    def __str__(self) -> str:
        return f"Semantic Error: at line {self.line}, column {self.column}: {self.problem}"


@attrs.frozen
class UnsupportedPartiqlError(LedgerError):
    """
    PartiQL that QLDB did not support, or that this ledger does not yet.

    `is_extension` says that a ledger opened with `extensions="on"` would run it.
    """

    line: int
    column: int
    feature: str
    is_extension: bool = False

    def __str__(self) -> str:
        return (
            "Unsupported PartiQL Statement, Errors at:\n"
            f"line {self.line}, column {self.column}: {self.feature} is not supported"
        ) + (_ALLOW_EXTENSIONS if self.is_extension else "")


@attrs.frozen
class PartiqlEvaluationError(LedgerError):
    """PartiQL that fails on the values it met: a cast, a division, a path."""

    line: int
    column: int
    problem: str

    def __str__(self) -> str:
        return f"{self.problem} (at line {self.line}, column {self.column})"
