"""
Redactions, carried out where the revision was replayed to.

The source names a revision by its table, document and version; the destination's block address
is found in its history. QLDB redacts one revision in a transaction, and never the newest one of
a document (facts 2.6): the source has written a later one before it could redact, so that the
destination has one too. What is redacted already, or is only a placeholder, is left as it is:
so a redaction may be carried out again.
"""

from __future__ import annotations

from typing import Any, Final

from qldb_stream.events import RedactedRevision
from qldb_stream.replay._protocols import Transaction
from qldb_stream.replay._records import IdRecord

REDACTED_FIELD: Final = "qldb_stream_redacted"
"""The field by which a document of ours stands for a redacted one."""

# By the table's id, since it may have been dropped (facts 5.4); ids are letters and digits.
_HISTORY: Final = (
    "SELECT h.metadata.version AS version, h.blockAddress AS address, "  # noqa: S608 - as above
    f"h.data.{REDACTED_FIELD} IS MISSING AND h.data IS NOT NULL AS holds "
    "FROM history('{}') AS h WHERE h.metadata.id = ?"
)
_REDACT: Final = "EXEC REDACT_REVISION ?, ?, ?"


def redact(txn: Transaction, asked: RedactedRevision, record: IdRecord) -> bool:
    """
    Redact what stands for a revision, in an open transaction that redacts no other.

    Args:
        txn: the transaction.
        asked: the revision, by the source's ids.
        record: what stands for its document.

    Returns:
        Whether nothing of the revision is left when the transaction is committed; False when
        the destination has no such revision, or still has it as the newest.
    """
    version = asked.version - record.version_offset
    newest, address = -1, None
    history = _HISTORY.format(record.table_id)
    holds = False
    for row in txn.execute_statement(history, record.destination_id):
        found = int(row["version"])
        newest = max(newest, found)
        if found == version:
            address, holds = row["address"], bool(row["holds"])
    if address is None or version == newest:
        return False
    if holds:
        _run(txn, _REDACT, address, record.table_id, record.destination_id)
    return True


def _run(txn: Transaction, statement: str, *parameters: Any) -> None:
    for _ in txn.execute_statement(statement, *parameters):
        pass  # one row, which says what was asked
