"""
The pieces of binary Ion that the journal's fixed shapes are put together from.

Strategy: what a block says has a fixed shape (facts 1.3), so it is written by joining
bytes, not by encoding Python values. All block summaries share the beginning of their
symbol table; only the document ids that `transactionInfo.documents` has as field names
come after it. `recordType` and its like are in the table although a stored block does
not use them: a stream record is then made around the stored bytes without rewriting
them.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from qldb_stream.ion import IVM, timestamp_ms, to_slice

__all__ = [
    "BLOB",
    "FIRST_DOCUMENT_SID",
    "LIST",
    "STRUCT",
    "field_id",
    "ion_blob",
    "ion_int",
    "ion_string",
    "ion_timestamp",
    "symbol_table",
    "var_uint",
    "wrap",
]

BLOB: Final = 0xA0
LIST: Final = 0xB0
STRUCT: Final = 0xD0
_STRING: Final = 0x80
_POSITIVE_INT: Final = 0x20

# A length of 14 or more does not fit into the type byte (Ion 1.0 binary, "Typed Value Formats").
_LONG: Final = 14
_FIRST_LOCAL_SID: Final = 10

_NAMES: Final = (
    "qldbStreamArn",
    "recordType",
    "payload",
    "blockAddress",
    "strandId",
    "sequenceNo",
    "transactionId",
    "blockTimestamp",
    "blockHash",
    "entriesHash",
    "previousBlockHash",
    "entriesHashList",
    "transactionInfo",
    "statements",
    "statement",
    "startTime",
    "statementDigest",
    "documents",
    "tableName",
    "tableId",
    "redactionInfo",
    "revisions",
    "documentId",
    "version",
    "revisionSummaries",
    "hash",
)

FIRST_DOCUMENT_SID: Final = _FIRST_LOCAL_SID + len(_NAMES)


def var_uint(number: int) -> bytes:
    """Write a VarUInt: seven bits a byte, the last one marked."""
    if number < 0x80:  # noqa: PLR2004 - seven bits
        return bytes((number | 0x80,))
    body = [number & 0x7F | 0x80]
    while number := number >> 7:
        body.append(number & 0x7F)
    body.reverse()
    return bytes(body)


def wrap(kind: int, body: bytes) -> bytes:
    """Put type byte and length before a body."""
    length = len(body)
    if length < _LONG:
        return bytes((kind | length,)) + body
    return bytes((kind | _LONG,)) + var_uint(length) + body


def ion_string(text: str) -> bytes:
    """Write a string."""
    return wrap(_STRING, text.encode())


def ion_blob(data: bytes) -> bytes:
    """Write a blob."""
    return wrap(BLOB, data)


def ion_int(number: int) -> bytes:
    """Write an int that is not negative."""
    return wrap(_POSITIVE_INT, number.to_bytes((number.bit_length() + 7) // 8, "big"))


@lru_cache(maxsize=256)
def ion_timestamp(unix_ms: int) -> bytes:
    """Write a time as QLDB does: UTC, millisecond precision."""
    value = to_slice(timestamp_ms(unix_ms))
    return value.buf[value.start : value.end]


def field_id(name: str) -> bytes:
    """Give the symbol id of one of the fixed names, as it stands before a field."""
    return var_uint(_FIRST_LOCAL_SID + _NAMES.index(name))


_NAME_BYTES: Final = b"".join(map(ion_string, _NAMES))


def symbol_table(document_ids: Iterable[str]) -> bytes:
    """
    Write version marker and symbol table of a block that changed these documents.

    The first document id has the symbol id FIRST_DOCUMENT_SID.
    """
    names = _NAME_BYTES + b"".join(map(ion_string, document_ids))
    struct = wrap(STRUCT, b"\x87" + wrap(LIST, names))  # $7 = symbols
    return IVM + wrap(0xE0, b"\x81\x83" + struct)  # annotated by one symbol, $ion_symbol_table
