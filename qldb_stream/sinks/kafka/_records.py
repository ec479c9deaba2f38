"""
Records of Kafka: key, value, headers and partition of each message.

By `key=document` a record's key is the document's id, so that a compacted topic ends as the
current documents; by `key=revision` it is ``ID/VERSION``, so that it ends as the history. Both
go to the partition of the document's id, chosen as librdkafka's `consistent` partitioner does,
so that a document's revisions stay in order. A redaction is a record without a value: by
`key=revision` under the redacted revision's key, whose place it takes when the broker
compacts; by `key=document` under ``redaction/ID/VERSION``, because the document's own key
belongs to its newer revisions.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any, Final

import attrs

from qldb_stream.ion import IonSlice
from qldb_stream.sinks._messages import Message, MessageType

__all__ = ["HEADERS", "Record", "RecordForm"]

_ION_NULL: Final = b"\xe0\x01\x00\xea\x0f"
_JSON_NULL: Final = b"null"
_GONE: Final = frozenset({MessageType.DELETE, MessageType.WITHHELD})

HEADERS: Final = {
    "strandId": "qldb-strand-id",
    "sequenceNo": "qldb-sequence-no",
    "blockHash": "qldb-block-hash",
    "txId": "qldb-tx-id",
    "txTime": "qldb-tx-time",
    "table": "qldb-table",
    "tableId": "qldb-table-id",
    "documentId": "qldb-document-id",
    "version": "qldb-version",
    "kind": "qldb-kind",
    "hash": "qldb-hash",
    "dataHash": "qldb-data-hash",
    "redactedSequenceNo": "qldb-redacted-sequence-no",
}
"""The header of each field of a message."""


@attrs.frozen
class Record:
    """What is handed to a producer; `value` is None for a tombstone."""

    key: bytes
    value: bytes | None = attrs.field(repr=False)
    headers: list[tuple[str, bytes]] = attrs.field(repr=False)
    partition: int


@attrs.frozen
class RecordForm:
    """How messages become records; see `Settings`."""

    value: str
    key: str
    deletes: str
    partitions: int

    def record(self, message: Message) -> Record:
        """Make the record of a message."""
        return Record(
            self._key(message).encode(),
            self._value(message),
            _headers(message),
            zlib.crc32(message.group.encode()) % self.partitions,
        )

    def _key(self, message: Message) -> str:
        fields = message.fields
        if message.type in {MessageType.TABLE_DROPPED, MessageType.TABLE_RESTORED}:
            return f"table/{fields.get('table', fields.get('tableId'))}"
        if self.key == "revision":
            return f"{fields['documentId']}/{fields['version']}"
        if message.type is MessageType.REDACTION:
            return f"redaction/{fields['documentId']}/{fields['version']}"
        return str(fields["documentId"])

    def _value(self, message: Message) -> bytes | None:
        if message.data is not None:
            return self._document(message, message.data)
        if message.type in _GONE and self.key == "document" and self.deletes == "tombstone":
            return None
        return _JSON_NULL if self.value == "json" else _ION_NULL

    def _document(self, message: Message, data: IonSlice) -> bytes:
        return message.data_json.encode() if self.value == "json" else data.to_bytes()


def _headers(message: Message) -> list[tuple[str, bytes]]:
    """Give the proof, as text: hashes in hex, times in ISO 8601."""
    found = [("qldb-type", message.type.value.encode()), ("qldb-message", message.key.encode())]
    return [*found, *_texts(message.fields)]


def _texts(fields: Mapping[str, Any]) -> list[tuple[str, bytes]]:
    told = [(HEADERS[name], fields[name]) for name in fields if name in HEADERS]
    texts = [(name, str(value).encode()) for name, value in told if value is not None]
    masked = fields.get("masked")
    return [*texts, ("qldb-masked", ",".join(masked).encode())] if masked else texts
