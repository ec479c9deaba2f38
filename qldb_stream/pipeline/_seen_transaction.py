"""transactionInfo as it is seen: its hash, its documents, and what is asked of its statements."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import Final, TypeAlias

from qldb_stream.hashing import DIGEST_BYTES
from qldb_stream.ion import (
    SYSTEM_TABLE,
    SymbolTable,
    name_form,
    parse_string,
    span_form,
    struct_form,
)
from qldb_stream.parsers.layouts import maybe_time
from qldb_stream.parsers.parts import element_spans, struct_fields
from qldb_stream.statements import deletes_documents
from qldb_stream.verification import REDACT

__all__ = [
    "NUMBERS",
    "STRUCTS",
    "NotSeenError",
    "SeenTransaction",
    "Span",
    "digest_at",
    "id_at",
    "kept_of",
]

Span: TypeAlias = tuple[int, int]

# Type bytes of the Ion 1.0 binary specification, "Typed Value Formats"; no nulls.
NUMBERS: Final = range(0x20, 0x28)
STRUCTS: Final = range(0xD0, 0xDF)
_STRINGS: Final = range(0x80, 0x8F)
_MS_TIMES: Final = range(0x69, 0x6C)
_UTC: Final = 0x80
_DIGEST: Final = b"\xae\xa0"  # a blob of 32 bytes
_ID: Final = b"\x8e\x96"  # a string of 22 bytes
_ID_SPAN: Final = 24


_STATEMENTS_NAME: Final = name_form("statements")
_DOCUMENTS_NAME: Final = name_form("documents")

_MOST_KEPT: Final = 1024
_KEPT_BYTES: Final = 256  # what the service writes of a document has some 80

_Document: TypeAlias = tuple[bytes, tuple[int, ...]]
"""What Ion Hash makes of what is said of a document, and the indexes of the statements."""

# Of the symbol table that was the last: a block may bring its own, as long as the block may be, and
# none is to be held for this. Exchanged as one, for threads.
_kept: list[tuple[SymbolTable, dict[bytes, _Document]]] = [(SYSTEM_TABLE, {})]


class NotSeenError(Exception):
    """A block, or a part of it, is not as nearly all are."""


class SeenTransaction:
    """
    What transactionInfo says.

    Attributes:
        hash: its own.
        documents: the documents that changed; of each, the indexes of the statements that did it.

    Raises:
        NotSeenError, KeyError: it is not as nearly all are.
        IonDecodeError, EnvelopeError: it is no sound Ion.
    """

    def __init__(self, buf: bytes, span: Span, table: SymbolTable) -> None:
        start, end = span
        if REDACT in buf[start:end].lower():
            raise NotSeenError
        fields = struct_fields(buf, span, table, "")
        statements = fields.pop("statements", None)
        documents = fields.pop("documents", None)
        if fields or statements is None:
            raise NotSeenError
        self._buf: Final = buf
        self._texts: list[Span] = []
        self._starts: list[Span] = []
        for one in element_spans(buf, statements, table, ""):
            self._add_statement(one, table)
        if not self._texts:
            raise NotSeenError
        # Whatever is no sound Ion in a statement is found here.
        form = span_form(buf, statements[0], statements[1], table)
        digests = [sha256(_STATEMENTS_NAME + form).digest()]
        self.documents: Final[dict[bytes, tuple[int, ...]]] = {}
        if documents is not None:
            form = self._read_documents(documents, table)
            digests.append(sha256(_DOCUMENTS_NAME + form).digest())
        self.hash: Final = sha256(struct_form(digests)).digest()

    def _add_statement(self, span: Span, table: SymbolTable) -> None:
        buf = self._buf
        fields = struct_fields(buf, span, table, "")
        text, time = fields["statement"], fields["startTime"]
        if buf[text[0]] not in _STRINGS:
            raise NotSeenError
        if buf[time[0]] not in _MS_TIMES or buf[time[0] + 1] != _UTC:
            raise NotSeenError
        digest_at(buf, fields["statementDigest"])
        self._texts.append(text)
        self._starts.append(time)

    def _read_documents(self, span: Span, table: SymbolTable) -> bytes:
        digests: list[bytes] = []
        kept = kept_of(table)
        for name, (start, end) in struct_fields(self._buf, span, table, "").items():
            data = self._buf[start:end]
            form, indexes = kept.get(data) or _read_document(data, table, kept)
            digests.append(sha256(name_form(name) + form).digest())
            self.documents[name.encode()] = indexes
        return struct_form(digests)

    def started(self) -> datetime:
        """Say when its last statement began."""
        times = [maybe_time(self._buf, start, end) for start, end in self._starts]
        found = [time for time in times if time is not None]
        if len(found) < len(times):
            raise NotSeenError
        return max(found)

    def deletes(self, document_id: bytes) -> bool:
        """Say whether a statement that changed a document deletes it."""
        for index in self.documents.get(document_id, ()):
            if index < len(self._texts):
                start, end = self._texts[index]
                if deletes_documents(parse_string(self._buf, start, end)):
                    return True
        return False


def kept_of(table: SymbolTable) -> dict[bytes, _Document]:
    """Give what was read of documents with these symbols."""
    last, kept = _kept[0]
    if last is not table:
        kept = {}
        _kept[0] = (table, kept)
    return kept


def _read_document(data: bytes, table: SymbolTable, kept: dict[bytes, _Document]) -> _Document:
    """Read what is said of a document, the same of nearly all in a table, and keep it."""
    span = (0, len(data))
    fields = struct_fields(data, span, table, "")
    if data[fields["tableName"][0]] not in _STRINGS or data[fields["tableId"][0]] not in _STRINGS:
        raise NotSeenError
    found = element_spans(data, fields["statements"], table, "")
    if any(data[start] not in NUMBERS for start, _ in found):
        raise NotSeenError
    indexes = tuple([int.from_bytes(data[start + 1 : end], "big") for start, end in found])
    document = span_form(data, 0, len(data), table), indexes
    if len(data) <= _KEPT_BYTES:
        if len(kept) >= _MOST_KEPT:
            kept.clear()
        kept[data] = document
    return document


def digest_at(buf: bytes, span: Span) -> bytes:
    """
    Give the digest that fills a span, 32 bytes.

    Raises:
        NotSeenError: something else stands there.
    """
    start, end = span
    if end - start != DIGEST_BYTES + 2 or buf[start : start + 2] != _DIGEST:
        raise NotSeenError
    return buf[start + 2 : end]


def id_at(buf: bytes, span: Span) -> bytes:
    """
    Give the id that fills a span, 22 letters and digits.

    Raises:
        NotSeenError: something else stands there.
    """
    start, end = span
    found = buf[start + 2 : end]
    if end - start != _ID_SPAN or buf[start : start + 2] != _ID or not found.isalnum():
        raise NotSeenError
    return found
