"""
Files that are sound, and no stream records: what they are, and what reads them.

People point commands at whatever they have of a ledger. What a file is, its bytes say.
A database begins with its own sixteen bytes, which no record does, and so do archives of other
programs, pages and text in UTF-16. Everything else is
looked at only when the first thing in a file is no record: sound sources cost nothing
more. It must be whole then, and have the fields of its kind at the top and none of a
stream record's, so that no damaged record is taken for something else.
"""

from __future__ import annotations

from typing import Final

from qldb_stream.errors import DecodeError, ForeignFileError
from qldb_stream.ion import IVM, IonSlice, iter_slices, iter_text
from qldb_stream.parsers.kinds import Kind
from qldb_stream.parsers.parts import struct_fields

__all__ = ["HEAD_BYTES", "ITEM_BYTES", "describe_head", "describe_item"]

HEAD_BYTES: Final = 72
"""How much of a file `describe_head` wants to see."""

ITEM_BYTES: Final = 1 << 23
"""How much of an item is enough: twice what one transaction may have written (facts 5.8)."""

# https://www.sqlite.org/fileformat.html, section 1.3: the magic, and where an id of the
# application stands; ours is that of `qldb_stream.ledger` (a test holds the two together).
_SQLITE_MAGIC: Final = b"SQLite format 3\0"
_LEDGER_ID: Final = b"QLDB"

_ZIP: Final = (
    "a zip file; unpack it, and where it is evidence that `qldb-stream prove` made, keep it "
    "elsewhere: its verify.py checks it"
)
_PACKED: Final = "a file that is packed in another way than gzip; unpack it"
_PAGE: Final = "a page in HTML, such as a report with --html; keep it elsewhere"
_UTF_16: Final = "text in UTF-16; write it again in UTF-8"

# What people keep beside an archive, or pack one into; each begins with bytes that no carrier has.
_MAGICS: Final = (
    (b"PK\x03\x04", _ZIP),
    (b"BZh91AY&SY", _PACKED),
    (b"\xfd7zXZ\0", _PACKED),
    (b"\x28\xb5\x2f\xfd", _PACKED),  # zstd
    (b"7z\xbc\xaf\x27\x1c", _PACKED),
    (b"<!doctype html", _PAGE),
    (b"%PDF-", "a PDF; keep it elsewhere"),
    (b"\xff\xfe{\0", _UTF_16),
    (b"\xfe\xff\0{", _UTF_16),
)
_BOM: Final = b"\xef\xbb\xbf"

_RECORD: Final = frozenset({"qldbStreamArn", "recordType", "payload"})  # facts 1.1
_BLOCK: Final = frozenset({"blockAddress", "transactionId", "blockHash", "previousBlockHash"})
_SUMMARY_ALONE: Final = "revisionSummaries"  # a record's payload has it, a whole block has not
_STARTED: Final = frozenset({"ledgerName", "exportId"})  # facts 3.2
_ANSWER: Final = frozenset({"Revision"})  # GetRevision's, in JSON
_DIGESTS: Final = frozenset({"digestTipAddress", "DigestTipAddress"})  # the console's, GetDigest's
_COMPLETED: Final = frozenset({"keys"})
_JSONL_HEADER: Final = frozenset({"recordType", "format", "version"})
_JSONL_RECORD: Final = _RECORD | {"ion"}

_LEDGER: Final = (
    "a ledger; `qldb-stream compare` and `qldb-stream ids` read ledgers, "
    "`qldb-stream ledger check` verifies one, `qldb-stream ledger export` makes an archive of it"
)
_DIGEST: Final = "a digest that was saved; name it with --digest, and keep it elsewhere"
_DATABASE: Final = "a SQLite database that is no ledger of this package; name other files"
_JSONL: Final = (
    "a file that the sink jsonl: wrote, without its first line; put back the line "
    '{"recordType":"HEADER","format":"qldb-stream jsonl","version":1}, or decode the `ion` of each '
    "line (base64): those are the records"
)
_REVISION: Final = (
    "what GetRevision answers: a revision without its block; `qldb-stream prove --answer FILE "
    "--digest DIGEST` proves it"
)


def describe_head(head: bytes) -> ForeignFileError | None:
    """
    Say what a file is by its first HEAD_BYTES bytes; None where these do not tell.

    Returns:
        The error to report for the whole file: what it is, and what reads it.
    """
    if not head.startswith(_SQLITE_MAGIC):
        start = head.lower() if head.startswith(b"<") else head
        found = next((what for magic, what in _MAGICS if start.startswith(magic)), None)
        return None if found is None else ForeignFileError(found)
    return ForeignFileError(_LEDGER if head[68:72] == _LEDGER_ID else _DATABASE)


def describe_item(data: bytes) -> ForeignFileError | Kind | None:
    """
    Say what a file is by the first item in it, which is no record; None if nobody knows.

    Args:
        data: the item's bytes, with more after it or not.

    Returns:
        The error to report for the whole file: what it is, and what reads it; or the kind that
        it is after all, though its first bytes did not tell.
    """
    data = data.removeprefix(_BOM)
    try:
        value = next(iter_slices(data) if data.startswith(IVM) else iter_text(data), None)
        names = frozenset() if value is None else _names(value)
    except DecodeError:
        return None
    if names >= _BLOCK and not names & _RECORD and _SUMMARY_ALONE not in names:
        return Kind.EXPORT
    if names >= _JSONL_RECORD or names == _JSONL_HEADER:
        return ForeignFileError(_JSONL)
    if names >= _ANSWER and not names & (_RECORD | _BLOCK):
        return ForeignFileError(_REVISION)
    if names & _DIGESTS:
        return ForeignFileError(_DIGEST)
    if names == _COMPLETED or names >= _STARTED:
        return Kind.MANIFEST
    return None


def _names(value: IonSlice) -> frozenset[str]:
    span = (value.start, value.end)
    return frozenset(struct_fields(value.buf, span, value.symbols, "file"))
