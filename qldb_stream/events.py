"""
What a QLDB journal says, as frozen values with QLDB's own names.

Strategy: everything that is hashed or passed on stays an `IonSlice`, the bytes
as the service wrote them; only the fixed parts that every stage needs (ids,
addresses, hashes, times) become Python values when a record is parsed.
`TransactionInfo`, `RedactionInfo` and `Revision.data` decode on first use, so
they may raise a `DecodeError` then; a stage that only routes never pays.

Digests are 32 bytes, SHA-256. Times are aware, UTC, millisecond precision.
Field lists and their optional parts: qldb-facts 1.1 to 1.4, 2.1 to 2.3, 2.6.
This module must not know carriers, order, verification or sinks.
"""

from __future__ import annotations

import enum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import attrs

from qldb_stream.errors import DecodeError, EnvelopeError
from qldb_stream.ion import (
    IonSlice,
    blob_of,
    int_of,
    iter_elements,
    parse_blob,
    parse_fields,
    parse_string,
    parse_timestamp,
    read_struct,
    text_of,
    timestamp_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

__all__ = [
    "NEED_MORE",
    "Block",
    "BlockAddress",
    "BlockSummary",
    "ControlRecord",
    "DocumentInfo",
    "Event",
    "Filtered",
    "Metadata",
    "Need",
    "RedactedRevision",
    "RedactionInfo",
    "Revision",
    "RevisionDetails",
    "RevisionKind",
    "RevisionSummary",
    "Statement",
    "TableInfo",
    "TransactionInfo",
    "Undecodable",
]


class Need(enum.Enum):
    """What a stage answers when it has no block to give yet."""

    MORE = "more"


NEED_MORE: Final[Literal[Need.MORE]] = Need.MORE


@attrs.frozen(order=True)
class BlockAddress:
    """Where a block stands: its strand and its number there, from 0."""

    strand_id: str
    sequence_no: int


@attrs.frozen
class TableInfo:
    """The table of a document: its name, and its id of 22 characters."""

    table_name: str
    table_id: str


@attrs.frozen
class Metadata:
    """The metadata of a revision, as values and as the bytes that are hashed."""

    id: str
    version: int
    tx_time: datetime
    tx_id: str
    ion: IonSlice = attrs.field(repr=False)


class RevisionKind(enum.Enum):
    """What a revision did to its document (facts 1.4)."""

    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"
    REDACTED = "redacted"
    WITHHELD = "withheld"
    SYSTEM = "system"


@attrs.frozen
class Revision:
    """
    One state of one document, or a bare hash that only the system knows.

    `address` is the revision's own claim; a hash-only SYSTEM revision carries its
    block's. `unknown_fields` names fields that the facts do not know; they are
    neither hashed nor used.

    A filter may have changed what is delivered, and says so here: `masked` names the fields,
    as paths with dots, whose values are no longer the source's, and `is_withheld` says that
    the whole document was taken out (`data_hash` is there then). `hash` stays the source's.

    `from_json` says that it was rebuilt from a JSON export, which lost Ion's types (facts 3.3):
    its document need not have the hash that the original has. `rivals` are the documents of
    other copies, where none of them fits its hash. Neither is part of equality.
    """

    address: BlockAddress
    hash: bytes
    metadata: Metadata | None = None
    data_ion: IonSlice | None = attrs.field(default=None, repr=False)
    data_hash: bytes | None = None
    table: TableInfo | None = None
    unknown_fields: tuple[str, ...] = ()
    masked: tuple[str, ...] = ()
    is_withheld: bool = False
    from_json: bool = attrs.field(default=False, eq=False)
    rivals: tuple[IonSlice, ...] = attrs.field(default=(), eq=False, repr=False)

    @property
    def kind(self) -> RevisionKind:
        """Tell what the revision did; a redaction is never a delete."""
        if self.metadata is None:
            return RevisionKind.SYSTEM
        if self.is_withheld:
            return RevisionKind.WITHHELD
        if self.data_ion is not None:
            return RevisionKind.UPDATE if self.metadata.version else RevisionKind.INSERT
        return RevisionKind.DELETE if self.data_hash is None else RevisionKind.REDACTED

    @property
    def document_id(self) -> str | None:
        """Give the document's id, or None for a SYSTEM revision."""
        return None if self.metadata is None else self.metadata.id

    @cached_property
    def data(self) -> Any:
        """
        Decode the document, once.

        Returns:
            The document, usually a dict; None for DELETE, REDACTED and SYSTEM.

        Raises:
            IonDecodeError: the document's bytes are not sound Ion.
        """
        return None if self.data_ion is None else self.data_ion.decode()


@attrs.frozen
class Statement:
    """A statement as the client sent it; parameters are never journaled."""

    statement: str
    start_time: datetime
    statement_digest: bytes


@attrs.frozen
class DocumentInfo:
    """
    The table of a changed document, and the statements that changed it.

    `statements` are indexes into `TransactionInfo.statements`; an index comes once
    for each field assignment, so it may repeat (facts 2.3).
    """

    table: TableInfo
    statements: tuple[int, ...]


@attrs.frozen
class TransactionInfo:
    """What a transaction ran, as it is hashed; `from_json`: rebuilt, so types may be lost."""

    ion: IonSlice = attrs.field(repr=False)
    from_json: bool = attrs.field(default=False, eq=False)

    @cached_property
    def _parts(self) -> Mapping[str, IonSlice]:
        return _fields(self.ion, "transactionInfo")

    @cached_property
    def statements(self) -> tuple[Statement, ...]:
        """
        Read all statements in order, SELECT and DDL included.

        Raises:
            EnvelopeError: a part is missing or of another type than facts 2.3 says.
        """
        found = self._parts.get("statements")
        if found is None or found.is_null:
            return ()
        return tuple(
            [
                _maybe_statement(s) or _statement(s, f"transactionInfo.statements[{i}]")
                for i, s in enumerate(_elements(found, "transactionInfo.statements"))
            ]
        )

    @cached_property
    def documents(self) -> Mapping[str, DocumentInfo]:
        """
        Read the changed documents by id; empty when none changed.

        Raises:
            EnvelopeError: a part is missing or of another type than facts 2.3 says.
        """
        found = self._parts.get("documents")
        if found is None or found.is_null:
            return {}
        path = "transactionInfo.documents"
        return {
            document_id: _maybe_document(s) or _document(s, f"{path}.{document_id}")
            for document_id, s in _fields(found, path).items()
        }


@attrs.frozen
class RedactedRevision:
    """A revision whose redaction a transaction asked for (facts 2.6)."""

    block_address: BlockAddress
    table_id: str
    document_id: str
    version: int


@attrs.frozen
class RedactionInfo:
    """Which revisions a transaction redacts, as it is hashed; `from_json` as above."""

    ion: IonSlice = attrs.field(repr=False)
    from_json: bool = attrs.field(default=False, eq=False)

    @cached_property
    def revisions(self) -> tuple[RedactedRevision, ...]:
        """
        Read the redacted revisions.

        Raises:
            EnvelopeError: a part is missing or of another type than facts 2.6 says.
        """
        found = _need(_fields(self.ion, "redactionInfo"), "revisions", "redactionInfo")
        return tuple(
            _redacted(s, f"redactionInfo.revisions[{i}]")
            for i, s in enumerate(_elements(found, "redactionInfo.revisions"))
        )


@attrs.frozen
class RevisionSummary:
    """A leaf of the block's revision tree; without document id, the system's."""

    hash: bytes
    document_id: str | None = None


@attrs.frozen
class ControlRecord:
    """The first (CREATED) or last (COMPLETED) record of a stream."""

    stream_arn: str
    kind: str


@attrs.frozen
class BlockSummary:
    """
    A block without its revisions' contents (facts 1.3).

    `previous_block_hash` may be empty in block 0. `revision_summaries` are in
    Merkle-leaf order. `stream_arn` is None for a block that came from an export.
    """

    stream_arn: str | None
    address: BlockAddress
    transaction_id: str
    block_timestamp: datetime
    block_hash: bytes
    entries_hash: bytes
    previous_block_hash: bytes
    entries_hash_list: tuple[bytes, ...]
    transaction_info: TransactionInfo | None = None
    redaction_info: RedactionInfo | None = None
    revision_summaries: tuple[RevisionSummary, ...] = ()
    unknown_fields: tuple[str, ...] = ()


@attrs.frozen
class RevisionDetails:
    """
    A record that carries one revision (facts 1.4).

    `stream_arn` is None for a revision of a block that came from an export.
    """

    stream_arn: str | None
    revision: Revision

    @property
    def address(self) -> BlockAddress:
        """Give the address of the revision's block, as the revision says it."""
        return self.revision.address


Event: TypeAlias = ControlRecord | BlockSummary | RevisionDetails


@attrs.frozen
class Undecodable:
    """
    Bytes that no parser could read: where they are, and why; never dropped.

    `offset` counts bytes of `source` (after gzip, where there was any). `length` is how
    many bytes were given up; `data` are these bytes, None when they are not held.
    """

    source: str
    offset: int
    length: int
    error: DecodeError
    data: bytes | None = attrs.field(default=None, repr=False)


@attrs.frozen
class Filtered:
    """
    What a filter did to the tables of a block.

    `names` gives for each of the source's table names that the block touches, by documents
    or by DDL, the name under which it is delivered, or None for a table that is left out.
    """

    names: Mapping[str, str | None]


@attrs.frozen
class Block:
    """
    All that one transaction wrote: its summary and its revisions.

    `revisions` are in Merkle-leaf order, hash-only system entries included, one for
    each of `summary.revision_summaries`. Where a filter was at work, `filtered` says so and
    revisions of tables that are left out are not there; `summary` stays the source's, but that
    a filter which hides anything takes contents out of `transaction_info`: the texts of
    statements, DDL of delivered tables apart, and documents of tables that are left out.
    """

    summary: BlockSummary
    revisions: tuple[Revision, ...] = ()
    filtered: Filtered | None = None

    @property
    def address(self) -> BlockAddress:
        """Give the block's address."""
        return self.summary.address

    @property
    def block_hash(self) -> bytes:
        """Give the block's hash, 32 bytes."""
        return self.summary.block_hash

    def delivered_name(self, table_name: str) -> str | None:
        """Give the name under which a table is delivered; None for one that is left out."""
        return table_name if self.filtered is None else self.filtered.names.get(table_name)


# Lists that hold one int of a byte, as the service writes them: a list's type and length, an
# int's, and for all but 0 the int.
_LISTS_OF_ONE: Final = {b"\xb1\x20": (0,)} | {
    bytes((0xB2, 0x21, index)): (index,) for index in range(1, 0x100)
}


# --- readers of the parts that decode late -------------------------------------------------


def _fields(value: IonSlice, path: str) -> dict[str, IonSlice]:
    try:
        return read_struct(value)
    except DecodeError as exc:
        raise EnvelopeError(path, "a struct with distinct fields", str(exc)) from exc


def _elements(value: IonSlice, path: str) -> Iterator[IonSlice]:
    try:
        yield from iter_elements(value)
    except DecodeError as exc:
        raise EnvelopeError(path, "a list", str(exc)) from exc


def _need(fields: Mapping[str, IonSlice], name: str, path: str) -> IonSlice:
    found = fields.get(name)
    if found is None:
        raise EnvelopeError(f"{path}.{name}", "a value", "nothing")
    return found


def _maybe_statement(value: IonSlice) -> Statement | None:
    """Read a statement as the service writes it; None for any other, which `_statement` reads."""
    buf = value.buf
    try:
        spans = parse_fields(buf, value.start, value.end, value.symbols)
        return Statement(
            parse_string(buf, *spans["statement"]),
            parse_timestamp(buf, *spans["startTime"]),
            parse_blob(buf, *spans["statementDigest"]),
        )
    except (DecodeError, KeyError):  # annotated, or damaged
        return None


def _statement(value: IonSlice, path: str) -> Statement:
    fields = _fields(value, path)
    try:
        return Statement(
            text_of(_need(fields, "statement", path)),
            timestamp_of(_need(fields, "startTime", path)),
            blob_of(_need(fields, "statementDigest", path)),
        )
    except EnvelopeError:
        raise
    except DecodeError as exc:
        raise EnvelopeError(path, "statement, startTime, statementDigest", str(exc)) from exc


def _maybe_document(value: IonSlice) -> DocumentInfo | None:
    """Read a document as the service writes it; None for any other, which `_document` reads."""
    buf, symbols = value.buf, value.symbols
    try:
        spans = parse_fields(buf, value.start, value.end, symbols)
        table = TableInfo(
            parse_string(buf, *spans["tableName"]), parse_string(buf, *spans["tableId"])
        )
        start, end = spans["statements"]
    except (DecodeError, KeyError):
        return None
    index = _LISTS_OF_ONE.get(buf[start:end])  # nearly all documents have one statement
    return None if index is None else DocumentInfo(table, index)


def _document(value: IonSlice, path: str) -> DocumentInfo:
    fields = _fields(value, path)
    try:
        table = TableInfo(
            text_of(_need(fields, "tableName", path)), text_of(_need(fields, "tableId", path))
        )
        indexes = tuple(int_of(s) for s in _elements(_need(fields, "statements", path), path))
    except EnvelopeError:
        raise
    except DecodeError as exc:
        raise EnvelopeError(path, "tableName, tableId, statements", str(exc)) from exc
    return DocumentInfo(table, indexes)


def _redacted(value: IonSlice, path: str) -> RedactedRevision:
    fields = _fields(value, path)
    address = _fields(_need(fields, "blockAddress", path), f"{path}.blockAddress")
    try:
        return RedactedRevision(
            BlockAddress(
                text_of(_need(address, "strandId", path)),
                int_of(_need(address, "sequenceNo", path)),
            ),
            text_of(_need(fields, "tableId", path)),
            text_of(_need(fields, "documentId", path)),
            int_of(_need(fields, "version", path)),
        )
    except EnvelopeError:
        raise
    except DecodeError as exc:
        raise EnvelopeError(path, "blockAddress, tableId, documentId, version", str(exc)) from exc
