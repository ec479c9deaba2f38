"""
EXEC REDACT_REVISION: what may be redacted (facts 2.6, 5.1).

One revision in a transaction, by its block's address, its table's id and its document's:
one that has data and is not the document's newest. What the service said to anything else
is not known, so the wording is ours. The data goes when the transaction commits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from qldb_stream.errors import PartiqlSemanticError, StatementError, UnsupportedPartiqlError
from qldb_stream.ledger._catalog import Table
from qldb_stream.ledger._pending import PendingRedaction
from qldb_stream.ledger._store import StoredRevision
from qldb_stream.ledger._view import View
from qldb_stream.partiql import (
    Context,
    ParsedStatement,
    TableKind,
    TableRef,
    ast,
    evaluate_arguments,
    locate,
)

__all__ = ["plan_redaction"]

_PROCEDURE: Final = "redact_revision"
_ARGUMENTS: Final = "REDACT_REVISION takes a block address, a table id and a document id"


def plan_redaction(view: View, parsed: ParsedStatement, context: Context) -> PendingRedaction:
    """
    Find the revision that an EXEC statement redacts, and note in the view that it does.

    Raises:
        UnsupportedPartiqlError: another procedure.
        PartiqlSemanticError: other arguments, or no such table.
        StatementError: no such revision, one that may not be redacted, or a second one.
    """
    assert isinstance(parsed.statement, ast.Exec)
    line, column = locate(parsed.text, parsed.statement.pos)
    if parsed.statement.procedure != _PROCEDURE:
        name = f"EXEC {parsed.statement.procedure.upper()}"
        raise UnsupportedPartiqlError(line, column, name)
    match evaluate_arguments(parsed, context):
        case [Mapping() as address, str() as table_id, str() as document_id]:
            sequence_no = _block_of(address, view.strand_id)
        case _:
            raise PartiqlSemanticError(line, column, _ARGUMENTS)
    if view.redaction is not None:
        raise StatementError("a transaction redacts one revision; commit, then redact the next")
    table = view.table(TableRef(TableKind.USER, table_id, True, line, column))  # noqa: FBT003 - is_id
    revision = view.revision_at(table, sequence_no, document_id)
    _check_revision(view, table, revision)
    view.redaction = PendingRedaction(revision, table.id, view.strand_id)
    return view.redaction


def _block_of(address: Mapping[Any, Any], strand_id: str) -> int:
    match address:
        case {"strandId": str() as given, "sequenceNo": int() as sequence_no}:
            if given != strand_id:
                raise StatementError(f"the journal's strand is {strand_id}, not the address's")
            return sequence_no
        case _:
            raise StatementError("a block address is {strandId: string, sequenceNo: int}")


def _check_revision(view: View, table: Table, revision: StoredRevision) -> None:
    """
    Refuse what may not be redacted.

    Raises:
        StatementError: it is the newest, a delete, or redacted already.
    """
    what = f"revision {revision.version} of document {revision.document_id}"
    if revision.data_hash is not None:
        raise StatementError(f"{what} is redacted already")
    if revision.data is None:
        raise StatementError(f"{what} is a delete; it has no data to redact")
    if view.is_newest(table, revision):
        raise StatementError(f"{what} is the document's newest; only older ones can be redacted")
