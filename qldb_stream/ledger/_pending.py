"""What a transaction wrote and has not committed; all of it together is a draft of its block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from qldb_stream.ion import IonSlice
from qldb_stream.ledger._catalog import Table
from qldb_stream.ledger._damage import damaged
from qldb_stream.ledger._ids import ID_CHARACTERS
from qldb_stream.ledger._keys import Keys
from qldb_stream.ledger._prepared import PreparedStatement
from qldb_stream.ledger._state import State
from qldb_stream.ledger._store import StoredRevision

__all__ = ["Draft", "ExecutedStatement", "PendingDocument", "PendingRedaction", "check_sealable"]


@attrs.frozen(eq=False)
class ExecutedStatement:
    """A statement that ran: its text, when it began, H(text) folded with H(parameters)."""

    prepared: PreparedStatement
    start_ms: int
    digest: bytes


@attrs.define(eq=False)
class PendingDocument:
    """
    A document's state at the end of a transaction, which becomes one revision.

    Attributes:
        table: its table.
        id: its id.
        base: its newest revision in the snapshot; None when this transaction inserted it.
        data: the document; None when deleted.
        data_hash: H(data) where it is known already, 32 bytes.
        statements: indexes of the statements that wrote it, once for each assignment.
        keys: its key in each of its table's indexes; empty until it is worked out.
    """

    table: Table
    id: str
    base: StoredRevision | None
    data: IonSlice | None
    data_hash: bytes | None = None
    statements: list[int] = attrs.field(factory=list)
    keys: Keys = attrs.field(factory=dict)

    @property
    def version(self) -> int:
        """Give the number of the revision that this becomes."""
        return 0 if self.base is None else self.base.version + 1

    @property
    def vanished(self) -> bool:
        """Tell whether it was inserted and deleted again, and so leaves nothing behind."""
        return self.base is None and self.data is None


@attrs.frozen(eq=False)
class PendingRedaction:
    """
    A revision whose data the commit removes (facts 2.6).

    Attributes:
        revision: as it is stored, with its data.
        table_id: its table's.
        strand_id: the journal's.
    """

    revision: StoredRevision
    table_id: str
    strand_id: str

    def as_struct(self) -> dict[str, Any]:
        """Give what names it: the statement's row, and the entry in redactionInfo."""
        address = {"strandId": self.strand_id, "sequenceNo": self.revision.sequence_no}
        return {
            "blockAddress": address,
            "tableId": self.table_id,
            "documentId": self.revision.document_id,
            "version": self.revision.version,
        }


@attrs.frozen(eq=False)
class Draft:
    """A transaction that is about to become a block."""

    transaction_id: str
    statements: Sequence[ExecutedStatement]
    documents: Sequence[PendingDocument]
    tables: Sequence[Table]
    redaction: PendingRedaction | None = None


def check_sealable(path: str, state: State, documents: Sequence[PendingDocument]) -> None:
    """
    Make sure that what a new block repeats of the file has the length that it is given.

    Raises:
        LedgerFileError: an id is no id, or a version is none; the place is named.
    """
    if len(state.strand_id) != ID_CHARACTERS:
        raise damaged(path, "the strand's id")
    for table in state.catalog.tables:
        if len(table.id) != ID_CHARACTERS:
            raise damaged(path, f"table {table.no}")
    for document in documents:
        if len(document.id) != ID_CHARACTERS or not document.version >= 0:
            raise damaged(path, f"document {document.id}")
