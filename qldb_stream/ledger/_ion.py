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
from datetime import date, timedelta
from functools import lru_cache
from typing import Final

from qldb_stream.hashing import DIGEST_BYTES
from qldb_stream.ion import IVM
from qldb_stream.ledger._ids import ID_CHARACTERS

__all__ = [
    "BLOB",
    "FIRST_DOCUMENT_SID",
    "LIST",
    "STRUCT",
    "field_id",
    "ion_digest",
    "ion_id",
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
_TIMESTAMP: Final = 0x60

_EPOCH: Final = date(1970, 1, 1)
_DAY_MS: Final = 86_400_000

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

_BYTES: Final = tuple([bytes((byte,)) for byte in range(256)])
_UNMARKED: Final = _BYTES[:0x80]
_MARKED: Final = _BYTES[0x80:]

FIRST_DOCUMENT_SID: Final = _FIRST_LOCAL_SID + len(_NAMES)


def var_uint(number: int) -> bytes:
    """Write a VarUInt: seven bits a byte, the highest first, the last one marked."""
    if number < 0x80:  # noqa: PLR2004 - seven bits
        return _MARKED[number]
    body = _MARKED[number & 0x7F]
    while number := number >> 7:
        body = _UNMARKED[number & 0x7F] + body
    return body


def wrap(kind: int, body: bytes) -> bytes:
    """Put type byte and length before a body."""
    length = len(body)
    if length < _LONG:
        return _BYTES[kind | length] + body
    return _BYTES[kind | _LONG] + var_uint(length) + body


def ion_string(text: str) -> bytes:
    """Write a string."""
    return wrap(_STRING, text.encode())


def ion_id(text: str) -> bytes:
    """Write an id, a string of 22 characters."""
    assert len(text) == ID_CHARACTERS, "an id source gives 22 characters"
    return _ID + text.encode()


def ion_digest(digest: bytes) -> bytes:
    """Write a digest, a blob of 32 bytes, or an empty one."""
    return _DIGEST + digest if digest else _BYTES[BLOB]


def ion_int(number: int) -> bytes:
    """Write an int that is not negative."""
    return wrap(_POSITIVE_INT, number.to_bytes((number.bit_length() + 7) // 8, "big"))


_ID: Final = wrap(_STRING, bytes(ID_CHARACTERS))[:-ID_CHARACTERS]
_DIGEST: Final = wrap(BLOB, bytes(DIGEST_BYTES))[:-DIGEST_BYTES]


@lru_cache(maxsize=256)
def ion_timestamp(unix_ms: int) -> bytes:
    """Write a time as QLDB does: UTC, millisecond precision."""
    days, ms = divmod(unix_ms, _DAY_MS)
    minutes, ms = divmod(ms, 60_000)
    seconds, ms = divmod(ms, 1000)
    # Each part up to 59 is a VarUInt of one byte; the exponent is -3, and the coefficient a
    # positive Int, so its first bit is clear (and zero has no byte at all).
    time = bytes((minutes // 60 | 0x80, minutes % 60 | 0x80, seconds | 0x80, 0xC3))
    return wrap(
        _TIMESTAMP, _date(days) + time + ms.to_bytes((ms.bit_length() + 8) // 8 if ms else 0)
    )


@lru_cache(maxsize=8)
def _date(days: int) -> bytes:
    """Write the offset (zero, so UTC), year, month and day of a timestamp."""
    day = _EPOCH + timedelta(days)
    return b"\x80" + b"".join(map(var_uint, (day.year, day.month, day.day)))


def field_id(name: str) -> bytes:
    """Give the symbol id of one of the fixed names, as it stands before a field."""
    return var_uint(_FIRST_LOCAL_SID + _NAMES.index(name))


_NAME_BYTES: Final = b"".join(map(ion_string, _NAMES))


def symbol_table(document_ids: Iterable[str]) -> bytes:
    """
    Write version marker and symbol table of a block that changed these documents.

    The first document id has the symbol id FIRST_DOCUMENT_SID.
    """
    names = _NAME_BYTES + b"".join(map(ion_id, document_ids))
    struct = wrap(STRUCT, b"\x87" + wrap(LIST, names))  # $7 = symbols
    return IVM + wrap(0xE0, b"\x81\x83" + struct)  # annotated by one symbol, $ion_symbol_table
