"""One message, and the messages of a block."""

from __future__ import annotations

import enum
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any, Final, TypeAlias

import attrs

from qldb_stream.errors import DecodeError, SinkRefusedError
from qldb_stream.events import Block, RedactedRevision, Revision, RevisionKind
from qldb_stream.formulas import hash_data
from qldb_stream.ion import IonSlice, to_ascii_json
from qldb_stream.sinks._ddl import iter_drops

__all__ = ["Fields", "Message", "MessageType", "messages_of"]

Fields: TypeAlias = Mapping[str, Any]
"""What a message says beside the document, by QLDB's names; values are JSON's."""

_REVISION: Final = "revision."
_EMPTY: Final = frozenset({RevisionKind.REDACTED, RevisionKind.WITHHELD})


class MessageType(enum.Enum):
    """What a message is about."""

    INSERT = "revision.insert"
    UPDATE = "revision.update"
    DELETE = "revision.delete"
    REDACTED = "revision.redacted"
    WITHHELD = "revision.withheld"
    REDACTION = "redaction"
    TABLE_DROPPED = "table.dropped"
    TABLE_RESTORED = "table.restored"


@attrs.frozen
class Message:
    """
    One thing that a block says.

    `key` tells it from all others, and is the same whenever it is made: up to 90 characters of
    ``0-9a-z.``. `group` is the document's id, or, for what is about a table, the strand's.
    `time` is the block's. `fields` have the block's proof and, of a revision, its own (hashes
    in hex). `data` is the document, None where there is none.
    """

    type: MessageType
    key: str
    group: str
    time: datetime
    fields: Fields = attrs.field(repr=False)
    data: IonSlice | None = attrs.field(default=None, repr=False)

    @property
    def is_revision(self) -> bool:
        """Say whether it is about a revision."""
        return self.type.value.startswith(_REVISION)

    @cached_property
    def data_json(self) -> str:
        """Write the document as JSON, in ASCII; ``null`` where there is none."""
        return "null" if self.data is None else to_ascii_json(self.data)

    def as_json(self, extra: Fields | None = None, *, with_data: bool = True) -> str:
        """
        Write the message as one JSON object, in ASCII: `fields`, then `data` for a revision.

        Args:
            extra: more fields, before them.
            with_data: whether the document is in it.
        """
        text = json.dumps({**(extra or {}), **self.fields}, separators=(",", ":"))
        if not with_data or not self.is_revision:
            return text
        return f'{text[:-1]},"data":{self.data_json}}}'


def messages_of(sink: str, block: Block) -> list[Message]:
    """
    Give the messages of a block: its revisions in order, then redactions, then tables.

    Revisions of which only the hash left QLDB have none.

    Raises:
        SinkRefusedError: documents, statements or redactions cannot be read.
    """
    address = block.address
    try:
        found = [_of_revision(block, r) for r in block.revisions if r.metadata is not None]
        for message in found:
            message.data_json  # noqa: B018 - what cannot be shown is refused before anything is sent
        return [*found, *_redactions(block), *_tables(block)]
    except DecodeError as exc:
        raise SinkRefusedError(sink, address.strand_id, address.sequence_no, str(exc)) from exc


def _of_revision(block: Block, revision: Revision) -> Message:
    metadata, table, kind = revision.metadata, revision.table, revision.kind
    assert metadata is not None
    data_hash = hash_data(revision)
    fields = _block_fields(block) | {
        "table": None if table is None else table.table_name,
        "tableId": None if table is None else table.table_id,
        "documentId": metadata.id,
        "version": metadata.version,
        "kind": kind.value,
        "hash": revision.hash.hex(),
        "dataHash": None if data_hash is None else data_hash.hex(),
    }
    if revision.masked:
        fields["masked"] = list(revision.masked)
    # A redacted copy that comes later must not be taken for a repeat of the full one.
    key = revision.hash.hex() + (f".{kind.value}" if kind in _EMPTY else "")
    return Message(
        MessageType(f"{_REVISION}{kind.value}"),
        key,
        metadata.id,
        block.summary.block_timestamp,
        fields,
        revision.data_ion,
    )


def _redactions(block: Block) -> Iterator[Message]:
    info = block.summary.redaction_info
    for i, asked in enumerate(() if info is None else info.revisions):
        yield _message(block, MessageType.REDACTION, f"redaction.{i}", _redaction_fields(asked))


def _redaction_fields(asked: RedactedRevision) -> Fields:
    return {
        "tableId": asked.table_id,
        "documentId": asked.document_id,
        "version": asked.version,
        "redactedSequenceNo": asked.block_address.sequence_no,
    }


def _tables(block: Block) -> Iterator[Message]:
    for i, (is_back, name) in enumerate(iter_drops(block)):
        if is_back:
            fields = {"tableId": name}
            yield _message(block, MessageType.TABLE_RESTORED, f"table.{i}", fields)
        else:
            yield _message(block, MessageType.TABLE_DROPPED, f"table.{i}", {"table": name})


def _message(block: Block, kind: MessageType, key: str, fields: Fields) -> Message:
    group = fields.get("documentId", block.address.strand_id)
    return Message(
        kind,
        f"{block.block_hash.hex()}.{key}",
        group,
        block.summary.block_timestamp,
        {**_block_fields(block), **fields},
    )


def _block_fields(block: Block) -> dict[str, Any]:
    summary = block.summary
    return {
        "strandId": summary.address.strand_id,
        "sequenceNo": summary.address.sequence_no,
        "blockHash": summary.block_hash.hex(),
        "txId": summary.transaction_id,
        "txTime": summary.block_timestamp.isoformat(timespec="milliseconds"),
    }
