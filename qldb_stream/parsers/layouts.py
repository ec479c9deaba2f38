"""
The service's own layout of the small structs, read in one go.

Strategy: nearly every record holds a block address, metadata and a table, laid out
byte for byte in one way (facts 1.3, 1.4: order of fields, ids of 22 characters,
millisecond times). These readers go straight through that layout and answer None as
soon as anything is not as expected; the careful readers of `parts` then read the same
bytes in any order and spelling, and say what is wrong. So nothing is refused here, and
what is accepted here reads the same there.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from qldb_stream.events import BlockAddress, Metadata, RevisionSummary, TableInfo
from qldb_stream.ion import IonSlice, SymbolTable

__all__ = ["maybe_address", "maybe_leaf", "maybe_metadata", "maybe_table", "maybe_time"]

_STRUCT_OF_14: Final = 0xDE  # a struct whose length is a VarUInt: 14 bytes and more
_ENDS: Final = 0x80  # the bit that ends a VarUInt
_ID: Final = b"\x8e\x96"  # a string of 22 bytes
_ID_BYTES: Final = 22
_DIGEST: Final = b"\xae\xa0"  # a blob of 32 bytes
_LEAF: Final = b"\xde\xbc"  # a struct of 60 bytes: a digest, an id, a byte for each name
_LEAF_BYTES: Final = 62
_NUMBERS: Final = range(0x20, 0x28)  # ints of up to seven bytes, none negative
_STRING: Final = 0x80
_LONG_STRING: Final = 0x8E
_TIMES_MS: Final = {0x69: 1, 0x6A: 0x80, 0x6B: 1000}  # first fraction that is none, or minus
_MILLIS: Final = 0xC3  # the exponent -3, as a VarInt


def maybe_address(buf: bytes, pos: int, end: int, table: SymbolTable) -> BlockAddress | None:
    """Read a block address: strand id, then number."""
    texts = table.texts
    try:
        if buf[pos] != _STRUCT_OF_14 or buf[pos + 1] < _ENDS or buf[pos + 3 : pos + 5] != _ID:
            return None
        number = pos + 5 + _ID_BYTES
        if (
            number + 2 + buf[number + 1] - _NUMBERS.start != end
            or buf[number + 1] not in _NUMBERS
            or texts[buf[pos + 2] ^ _ENDS] != "strandId"
            or texts[buf[number] ^ _ENDS] != "sequenceNo"
            or not buf[pos + 2] & buf[number] & _ENDS
        ):
            return None
        return BlockAddress(
            buf[pos + 5 : number].decode(), int.from_bytes(buf[number + 2 : end], "big")
        )
    except (IndexError, UnicodeDecodeError):
        return None


def maybe_metadata(buf: bytes, pos: int, end: int, table: SymbolTable) -> Metadata | None:
    """Read metadata: document id, version, transaction's time and id."""
    texts = table.texts
    try:
        if buf[pos] != _STRUCT_OF_14 or buf[pos + 1] < _ENDS or buf[pos + 3 : pos + 5] != _ID:
            return None
        version = pos + 5 + _ID_BYTES
        time = version + 2 + buf[version + 1] - _NUMBERS.start
        tx = end - 3 - _ID_BYTES
        if (
            buf[version + 1] not in _NUMBERS
            or buf[tx + 1 : tx + 3] != _ID
            or texts[buf[pos + 2] ^ _ENDS] != "id"
            or texts[buf[version] ^ _ENDS] != "version"
            or texts[buf[time] ^ _ENDS] != "txTime"
            or texts[buf[tx] ^ _ENDS] != "txId"
            or not buf[pos + 2] & buf[version] & buf[time] & buf[tx] & _ENDS
        ):
            return None
        tx_time = maybe_time(buf, time + 1, tx)
        if tx_time is None:
            return None
        return Metadata(
            buf[pos + 5 : version].decode(),
            int.from_bytes(buf[version + 2 : time], "big"),
            tx_time,
            buf[tx + 3 : end].decode(),
            IonSlice(buf, pos, end, table),
        )
    except (IndexError, UnicodeDecodeError):
        return None


def maybe_table(buf: bytes, pos: int, end: int, table: SymbolTable) -> TableInfo | None:
    """Read a table: name, then id."""
    texts = table.texts
    try:
        if buf[pos] != _STRUCT_OF_14 or buf[pos + 1] < _ENDS:
            return None
        name = pos + 4
        length = buf[pos + 3] - _STRING
        if buf[pos + 3] == _LONG_STRING:
            length = buf[name] - _ENDS
            name += 1
        elif length >= _LONG_STRING - _STRING:
            return None
        table_id = end - 3 - _ID_BYTES
        if (
            length < 0
            or name + length != table_id
            or buf[table_id + 1 : table_id + 3] != _ID
            or texts[buf[pos + 2] ^ _ENDS] != "tableName"
            or texts[buf[table_id] ^ _ENDS] != "tableId"
            or not buf[pos + 2] & buf[table_id] & _ENDS
        ):
            return None
        return TableInfo(buf[name:table_id].decode(), buf[table_id + 3 : end].decode())
    except (IndexError, UnicodeDecodeError):
        return None


def maybe_leaf(buf: bytes, pos: int, end: int, table: SymbolTable) -> RevisionSummary | None:
    """Read a revision summary: hash, then document id."""
    texts = table.texts
    document = end - 3 - _ID_BYTES
    try:
        if (
            end - pos != _LEAF_BYTES
            or buf[pos : pos + 2] != _LEAF
            or buf[pos + 3 : pos + 5] != _DIGEST
            or buf[document + 1 : document + 3] != _ID
            or texts[buf[pos + 2] ^ _ENDS] != "hash"
            or texts[buf[document] ^ _ENDS] != "documentId"
            or not buf[pos + 2] & buf[document] & _ENDS
        ):
            return None
        return RevisionSummary(buf[pos + 5 : document], buf[document + 3 : end].decode())
    except (IndexError, UnicodeDecodeError):
        return None


def maybe_time(buf: bytes, pos: int, end: int) -> datetime | None:
    """
    Read a timestamp of milliseconds in UTC that fills the bytes up to `end`.

    Offset of no minutes, two bytes of year, then one byte for each part down to the
    second, the exponent -3, up to two bytes of milliseconds. A part without the bit that
    ends it is out of range for datetime, which refuses it.
    """
    limit = _TIMES_MS.get(buf[pos])
    if limit is None or pos + 1 + buf[pos] - 0x60 != end:
        return None
    if (
        buf[pos + 1] != _ENDS
        or buf[pos + 2] >= _ENDS
        or buf[pos + 3] < _ENDS
        or buf[pos + 9] != _MILLIS
    ):
        return None
    millis = int.from_bytes(buf[pos + 10 : end], "big")
    if millis >= limit:
        return None
    try:
        return datetime(
            (buf[pos + 2] << 7) + buf[pos + 3] - _ENDS,
            buf[pos + 4] - _ENDS,
            buf[pos + 5] - _ENDS,
            buf[pos + 6] - _ENDS,
            buf[pos + 7] - _ENDS,
            buf[pos + 8] - _ENDS,
            millis * 1000,
            UTC,
        )
    except ValueError:
        return None
