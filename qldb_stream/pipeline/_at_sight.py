"""
Verify a block of an export straight over its bytes, where it is as nearly all are.

Strategy: `parse_block` makes a value of each part and `verify_block` a check of each rule; that is
what reports are made of, and most of their time. Here the same hashes are computed and the same
comparisons made in one walk that makes neither. Whatever is not as the service writes it, or not
as it should be, is left to those two. So nothing is refused here and no problem is told; and what
is accepted here is what they would find sound, which tests hold over millions of altered blocks.

Left to them, besides: blocks that redact, have no transactionInfo, or a revision that is redacted
or a hash alone; the first block, whose predecessor has no hash; numbers of more than seven bytes.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, TypeAlias

from qldb_stream.errors import QldbStreamError
from qldb_stream.hashing import DIGEST_BYTES, dot, merkle_root
from qldb_stream.ion import IonSlice, SymbolTable, hash_span, parse_string
from qldb_stream.parsers.export_places import Sighted
from qldb_stream.parsers.layouts import maybe_address, maybe_time
from qldb_stream.parsers.parts import element_spans, struct_fields
from qldb_stream.pipeline._sound import SoundBlock
from qldb_stream.report import DeleteRule
from qldb_stream.statements import deletes_documents

__all__ = ["maybe_sound_at_sight"]

_Span: TypeAlias = tuple[int, int]

_BLOCK: Final = frozenset(
    (
        *("blockAddress", "transactionId", "blockTimestamp", "blockHash", "entriesHash"),
        *("previousBlockHash", "entriesHashList", "transactionInfo"),
    )
)
_REVISION: Final = frozenset(("blockAddress", "hash", "data", "metadata"))
_DELETE: Final = frozenset(("blockAddress", "hash", "metadata"))
_METADATA: Final = frozenset(("id", "version", "txTime", "txId"))
_STATEMENT: Final = frozenset(("statement", "startTime", "statementDigest"))
_DOCUMENT: Final = frozenset(("tableName", "tableId", "statements"))

# Type bytes of the Ion 1.0 binary specification, "Typed Value Formats".
_DIGEST: Final = b"\xae\xa0"  # a blob of 32 bytes
_ID: Final = b"\x8e\x96"  # a string of 22 bytes
_ID_SPAN: Final = 24
_NUMBERS: Final = range(0x20, 0x28)
_STRINGS: Final = range(0x80, 0x8F)
_STRUCTS: Final = range(0xD0, 0xDF)

_REDACT: Final = b"redact_revision"
_LATE: Final = timedelta(hours=1)  # as `check_times` has it


class _OtherError(Exception):
    """A block is not as nearly all are."""


def maybe_sound_at_sight(value: IonSlice) -> Sighted | None:
    """
    Say of a block that it is sound, as `maybe_sound` says it when the block is read.

    Returns:
        With a `SoundBlock` as its answer; None where the block is to be read and asked about.
    """
    try:
        return _sighted(value.buf, (value.start, value.end), value.symbols)
    except (_OtherError, QldbStreamError):
        return None


def _sighted(buf: bytes, span: _Span, table: SymbolTable) -> Sighted:
    fields = struct_fields(buf, span, table, "")
    of_revisions = fields.pop("revisions", None)
    if fields.keys() != _BLOCK:
        raise _OtherError
    start, end = fields["blockAddress"]
    address = maybe_address(buf, start, end, table)
    timestamp = maybe_time(buf, *fields["blockTimestamp"])
    if address is None or timestamp is None:
        raise _OtherError
    block_hash = _digest(buf, fields["blockHash"])
    previous = _digest(buf, fields["previousBlockHash"])
    members = _members(buf, fields["entriesHashList"], table)
    entries_hash = _digest(buf, fields["entriesHash"])
    if merkle_root(members) != entries_hash or dot(entries_hash, previous) != block_hash:
        raise _OtherError
    info = _Transaction(buf, fields["transactionInfo"], table)
    found = _Revisions(buf[start:end], _id(buf, fields["transactionId"]))
    if of_revisions is not None:
        for one in element_spans(buf, of_revisions, table, ""):
            found.add(buf, one, table, info)
    _check(found, info, members, timestamp)
    sound = SoundBlock(
        address.strand_id,
        address.sequence_no,
        timestamp,
        block_hash,
        previous,
        len(found.leaves),
        (),
        found.delete_rule,
    )
    return Sighted(address, block_hash, b"".join(found.leaves), len(found.leaves), sound)


class _Transaction:
    """
    What transactionInfo says.

    Attributes:
        hash: its own.
        documents: the documents that changed; of each where the list of its statements stands.
        texts: where each statement's text stands.
        started: when the last of them began.
    """

    def __init__(self, buf: bytes, span: _Span, table: SymbolTable) -> None:
        start, end = span
        self.hash: Final = hash_span(buf, start, end, table)  # whatever is no sound Ion is found
        if _REDACT in buf[start:end].lower():
            raise _OtherError
        fields = struct_fields(buf, span, table, "")
        statements = fields.pop("statements", None)
        documents = fields.pop("documents", None)
        if fields or statements is None:
            raise _OtherError
        self.texts: list[_Span] = []
        self.documents: dict[bytes, _Span] = {}
        self._starts: list[datetime] = []
        for one in element_spans(buf, statements, table, ""):
            self._add_statement(buf, one, table)
        if not self.texts:
            raise _OtherError
        if documents is not None:
            for name, one in struct_fields(buf, documents, table, "").items():
                self.documents[name.encode()] = _statements_of(buf, one, table)

    @property
    def started(self) -> datetime:
        """Say when its last statement began."""
        return max(self._starts)

    def _add_statement(self, buf: bytes, span: _Span, table: SymbolTable) -> None:
        fields = struct_fields(buf, span, table, "")
        time = maybe_time(buf, *fields["startTime"]) if fields.keys() == _STATEMENT else None
        if time is None or buf[fields["statement"][0]] not in _STRINGS:
            raise _OtherError
        _digest(buf, fields["statementDigest"])
        self.texts.append(fields["statement"])
        self._starts.append(time)

    def deletes(self, buf: bytes, document_id: bytes, table: SymbolTable) -> bool:
        """Say whether a statement that changed a document deletes it."""
        span = self.documents.get(document_id)
        if span is None:
            return False
        for start, end in element_spans(buf, span, table, ""):
            index = int.from_bytes(buf[start + 1 : end], "big")
            if index < len(self.texts) and deletes_documents(parse_string(buf, *self.texts[index])):
                return True
        return False


class _Revisions:
    """
    What a block's revisions say, while they are walked.

    Attributes:
        leaves: their hashes.
        ids: their documents.
        latest: the last of their times; None without any.
        delete_rule: by which deletes have their hashes; None where there is none.
    """

    def __init__(self, address: bytes, tx_id: bytes) -> None:
        self.leaves: list[bytes] = []
        self.ids: set[bytes] = set()
        self.latest: datetime | None = None
        self.delete_rule: DeleteRule | None = None
        self._address: Final = address
        self._tx_id: Final = tx_id

    def add(self, buf: bytes, span: _Span, table: SymbolTable, info: _Transaction) -> None:
        """Check one against itself, and against the block that holds it."""
        fields = struct_fields(buf, span, table, "")
        start, end = fields.get("blockAddress", (0, 0))
        if buf[start:end] != self._address:
            raise _OtherError
        leaf = _digest(buf, fields.get("hash", (0, 0)))
        document_id, metadata_hash = self._read_metadata(buf, fields.get("metadata", (0, 0)), table)
        if fields.keys() == _REVISION:
            start, end = fields["data"]
            if buf[start] not in _STRUCTS:
                raise _OtherError
            if dot(metadata_hash, hash_span(buf, start, end, table)) != leaf:
                raise _OtherError
        elif fields.keys() == _DELETE:
            if metadata_hash != leaf or not info.deletes(buf, document_id, table):
                raise _OtherError
            self.delete_rule = DeleteRule.METADATA_ONLY
        else:
            raise _OtherError
        self.leaves.append(leaf)
        self.ids.add(document_id)

    def _read_metadata(self, buf: bytes, span: _Span, table: SymbolTable) -> tuple[bytes, bytes]:
        """Give the document's id, and the hash of all of it."""
        fields = struct_fields(buf, span, table, "")
        if fields.keys() != _METADATA or _id(buf, fields["txId"]) != self._tx_id:
            raise _OtherError
        time = maybe_time(buf, *fields["txTime"])
        if time is None or buf[fields["version"][0]] not in _NUMBERS:
            raise _OtherError
        if self.latest is None or self.latest < time:
            self.latest = time
        return _id(buf, fields["id"]), hash_span(buf, span[0], span[1], table)


def _check(
    found: _Revisions, info: _Transaction, members: list[bytes], timestamp: datetime
) -> None:
    """Compare what a block says in several places."""
    if info.hash not in members or found.ids != info.documents.keys():
        raise _OtherError
    leaves = found.leaves
    if leaves:
        root = merkle_root(leaves)
        if root not in members or root == info.hash or len(set(leaves)) != len(leaves):
            raise _OtherError
    if found.latest is None:
        if timestamp < info.started:
            raise _OtherError
    elif not found.latest <= timestamp <= found.latest + _LATE:
        raise _OtherError


# --- parts ---------------------------------------------------------------------------------


def _members(buf: bytes, span: _Span, table: SymbolTable) -> list[bytes]:
    return [_digest(buf, one) for one in element_spans(buf, span, table, "")]


def _digest(buf: bytes, span: _Span) -> bytes:
    start, end = span
    if end - start != DIGEST_BYTES + 2 or buf[start : start + 2] != _DIGEST:
        raise _OtherError
    return buf[start + 2 : end]


def _id(buf: bytes, span: _Span) -> bytes:
    start, end = span
    found = buf[start + 2 : end]
    if end - start != _ID_SPAN or buf[start : start + 2] != _ID or not found.isalnum():
        raise _OtherError
    return found


def _statements_of(buf: bytes, span: _Span, table: SymbolTable) -> _Span:
    """Give where the list of the statements stands that changed a document."""
    fields = struct_fields(buf, span, table, "")
    if fields.keys() != _DOCUMENT:
        raise _OtherError
    if buf[fields["tableName"][0]] not in _STRINGS or buf[fields["tableId"][0]] not in _STRINGS:
        raise _OtherError
    for start, _ in element_spans(buf, fields["statements"], table, ""):
        if buf[start] not in _NUMBERS:
            raise _OtherError
    return fields["statements"]
