"""`redactionInfo` of a block: encoded and hashed (facts 2.6)."""

from __future__ import annotations

from typing import Final

from qldb_stream.ion import ion_hash
from qldb_stream.ledger._ion import LIST, STRUCT, field_id, ion_id, ion_int, wrap
from qldb_stream.ledger._pending import PendingRedaction

__all__ = ["write_redaction_info"]

_F: Final = {
    name: field_id(name)
    for name in (
        "redactionInfo",
        "revisions",
        "blockAddress",
        "strandId",
        "sequenceNo",
        "tableId",
        "documentId",
        "version",
    )
}


def write_redaction_info(redaction: PendingRedaction | None) -> tuple[bytes, list[bytes]]:
    """
    Write the field that says what a transaction redacts.

    Returns:
        The field in binary Ion, and its member of entriesHashList, 32 bytes; nothing of
        both when nothing is redacted.
    """
    if redaction is None:
        return b"", []
    revision = redaction.revision
    address = _F["strandId"] + ion_id(redaction.strand_id)
    address += _F["sequenceNo"] + ion_int(revision.sequence_no)
    named = (
        _F["blockAddress"]
        + wrap(STRUCT, address)
        + _F["tableId"]
        + ion_id(redaction.table_id)
        + _F["documentId"]
        + ion_id(revision.document_id)
        + _F["version"]
        + ion_int(revision.version)
    )
    field = _F["redactionInfo"] + wrap(STRUCT, _F["revisions"] + wrap(LIST, wrap(STRUCT, named)))
    return field, [ion_hash({"revisions": [redaction.as_struct()]})]
