"""
`transactionInfo` of a block: encoded and hashed in one go (facts 2.3).

Strategy: both are joined from pieces. A piece that depends on little (a text, a time, a
table with the indexes of the statements) is made once and cached; per statement only its
digest is new, per document only its id.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Final

from qldb_stream.ledger._hashes import (
    blob_part,
    field_digest,
    int_part,
    list_part,
    name_part,
    string_part,
    struct_part,
    timestamp_part,
)
from qldb_stream.ledger._ion import (
    FIRST_DOCUMENT_SID,
    LIST,
    STRUCT,
    field_id,
    ion_digest,
    ion_id,
    ion_int,
    ion_string,
    ion_timestamp,
    var_uint,
    wrap,
)
from qldb_stream.ledger._pending import ExecutedStatement, PendingDocument

__all__ = ["write_transaction_info"]

_STATEMENTS: Final = field_id("statements")
_START_TIME: Final = field_id("startTime")
_STATEMENT_DIGEST: Final = field_id("statementDigest")
_DOCUMENTS: Final = field_id("documents")
_TABLE_NAME: Final = field_id("tableName")
_TABLE_ID: Final = field_id("tableId")

# The same names for Ion Hash.
_N: Final = {
    name: name_part(name)
    for name in (
        "statements",
        "startTime",
        "statementDigest",
        "documents",
        "tableName",
        "tableId",
    )
}


def write_transaction_info(
    statements: Sequence[ExecutedStatement], documents: Sequence[PendingDocument]
) -> tuple[bytes, bytes]:
    """
    Write the struct that says what ran and what it changed.

    Args:
        statements: all that ran, in order.
        documents: all that changed; the symbol table holds their ids in this order.

    Returns:
        The struct in binary Ion, and its Ion Hash, 32 bytes. `documents` is left out when
        none changed.
    """
    written = [_statement(statement) for statement in statements]
    body = _STATEMENTS + wrap(LIST, b"".join([ion for ion, _ in written]))
    digests = [field_digest(_N["statements"], list_part([part for _, part in written]))]
    if documents:
        ion, digest = _documents(documents)
        body += ion
        digests.append(digest)
    return wrap(STRUCT, body), sha256(struct_part(digests)).digest()


def _statement(statement: ExecutedStatement) -> tuple[bytes, bytes]:
    start_ion, start_digest = _start_time(statement.start_ms)
    prepared = statement.prepared
    digest = field_digest(_DIGEST_NAME, blob_part(statement.digest))
    ion = prepared.ion_field + start_ion + _STATEMENT_DIGEST + ion_digest(statement.digest)
    return wrap(STRUCT, ion), struct_part([prepared.digest_of_field, start_digest, digest])


_DIGEST_NAME: Final = _N["statementDigest"]


@lru_cache(maxsize=256)
def _start_time(unix_ms: int) -> tuple[bytes, bytes]:
    ion = _START_TIME + ion_timestamp(unix_ms)
    return ion, field_digest(_N["startTime"], timestamp_part(unix_ms))


def _documents(documents: Sequence[PendingDocument]) -> tuple[bytes, bytes]:
    fields: list[bytes] = []
    digests: list[bytes] = []
    for sid, document in enumerate(documents, FIRST_DOCUMENT_SID):
        table = document.table
        ion, part = _document(table.name, table.id, tuple(document.statements))
        fields += (var_uint(sid), ion)
        digests.append(field_digest(name_part(document.id), part))
    ion = _DOCUMENTS + wrap(STRUCT, b"".join(fields))
    return ion, field_digest(_N["documents"], struct_part(digests))


@lru_cache(maxsize=512)
def _document(name: str, table_id: str, indexes: tuple[int, ...]) -> tuple[bytes, bytes]:
    ion = _TABLE_NAME + ion_string(name) + _TABLE_ID + ion_id(table_id)
    ion += _STATEMENTS + wrap(LIST, b"".join(map(ion_int, indexes)))
    digests = [
        field_digest(_N["tableName"], string_part(name)),
        field_digest(_N["tableId"], string_part(table_id)),
        field_digest(_N["statements"], list_part([int_part(index) for index in indexes])),
    ]
    return wrap(STRUCT, ion), struct_part(digests)
