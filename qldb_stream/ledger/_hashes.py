"""
Ion Hash of the journal's fixed shapes, without encoding them first.

Strategy: what is hashed is what facts 2.4 say: a scalar is `0B TQ representation 0E`,
a struct sorts the digests of its fields (name, then value). Digests of fields that come
again (a table's name, a time, a statement's text) are made once. Tests hold each
function to `ion.ion_hash` of the same value.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from typing import Final

from qldb_stream.hashing import dot
from qldb_stream.ledger._ion import ion_timestamp

__all__ = [
    "blob_hash",
    "blob_part",
    "field_digest",
    "int_hash",
    "int_part",
    "list_part",
    "metadata_hash",
    "name_part",
    "revision_hash",
    "string_hash",
    "string_part",
    "struct_part",
    "timestamp_part",
]

_END: Final = b"\x0e"
# An Ion timestamp of this shape is shorter than 14 bytes: its type byte holds the length.
_TYPE_BYTE: Final = 1


def _escape(data: bytes) -> bytes:
    return (
        data.replace(b"\x0c", b"\x0c\x0c")
        .replace(b"\x0b", b"\x0c\x0b")
        .replace(b"\x0e", b"\x0c\x0e")
    )


def string_part(text: str) -> bytes:
    """Serialise a string for hashing."""
    return b"\x0b\x80" + _escape(text.encode()) + _END


def blob_part(data: bytes) -> bytes:
    """Serialise a blob for hashing."""
    return b"\x0b\xa0" + _escape(data) + _END


def int_part(number: int) -> bytes:
    """Serialise an int that is not negative for hashing."""
    magnitude = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return b"\x0b\x20" + _escape(magnitude) + _END


def timestamp_part(unix_ms: int) -> bytes:
    """Serialise a UTC time of millisecond precision for hashing."""
    return b"\x0b\x60" + _escape(ion_timestamp(unix_ms)[_TYPE_BYTE:]) + _END


def list_part(parts: list[bytes]) -> bytes:
    """Serialise a list for hashing from its serialised elements."""
    return b"\x0b\xb0" + b"".join(parts) + _END


def struct_part(digests: list[bytes]) -> bytes:
    """Serialise a struct for hashing from its fields' digests, in any order."""
    return b"\x0b\xd0" + _escape(b"".join(sorted(digests))) + _END


def name_part(name: str) -> bytes:
    """Serialise a field's name for hashing."""
    return b"\x0b\x70" + _escape(name.encode()) + _END


def field_digest(name: bytes, part: bytes) -> bytes:
    """Hash a field from its name and its value, both serialised, 32 bytes."""
    return sha256(name + part).digest()


def string_hash(text: str) -> bytes:
    """Compute H(text) of an Ion string, 32 bytes."""
    return sha256(string_part(text)).digest()


def int_hash(number: int) -> bytes:
    """Compute H(number) of an int that is not negative, 32 bytes."""
    return sha256(int_part(number)).digest()


def blob_hash(data: bytes) -> bytes:
    """Compute H(data) of an Ion blob, 32 bytes."""
    return sha256(blob_part(data)).digest()


_ID: Final = name_part("id") + b"\x0b\x80"
_TX_ID: Final = name_part("txId") + b"\x0b\x80"
_TX_TIME: Final = name_part("txTime")
_VERSION: Final = name_part("version")


@lru_cache(maxsize=1024)
def _version_digest(version: int) -> bytes:
    return field_digest(_VERSION, int_part(version))


@lru_cache(maxsize=64)
def _transaction_digests(tx_time_ms: int, transaction_id: str) -> tuple[bytes, bytes]:
    tx_time = field_digest(_TX_TIME, timestamp_part(tx_time_ms))
    return tx_time, sha256(_TX_ID + transaction_id.encode() + _END).digest()


def metadata_hash(document_id: str, version: int, tx_time_ms: int, transaction_id: str) -> bytes:
    """
    Compute H({id, version, txTime, txId}), 32 bytes (facts 2.5).

    Ids are base62, so nothing in them needs Ion Hash's escapes.
    """
    tx_time, tx_id = _transaction_digests(tx_time_ms, transaction_id)
    document = sha256(_ID + document_id.encode() + _END).digest()
    return sha256(struct_part([document, _version_digest(version), tx_time, tx_id])).digest()


def revision_hash(metadata: bytes, data: bytes) -> bytes:
    """
    Compute a revision's hash from H(metadata) and H(data), 32 bytes.

    A delete has no data: H(data) is empty, and dot's rule for an empty operand makes the
    hash H(metadata), the likeliest of the rules in facts 1.4.
    """
    return dot(metadata, data)
