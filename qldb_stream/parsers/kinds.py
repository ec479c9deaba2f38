"""
What a file of a journal is, by how it begins: records, an export's blocks, a manifest.

Strategy: what tells the kinds apart are names of fields, and they stand at the start of all
three: a record's envelope begins with `qldbStreamArn`, a block with `blockAddress`, a manifest
with `keys` or `ledgerName` (facts 1.1, 2.1, 3.2). Text says the name of its first field; binary
Ion, and text that another tool gave a symbol table, has all names there, in the order in which
they were first used.

Rules: a doubt is decided towards records, whose walk is the most patient. A name that says
"record" wins over all others, so that no record is taken for something else. One damaged byte
hides none of the names that are left: of a block's, a few are enough.
"""

from __future__ import annotations

import enum
import re
from typing import Final

from qldb_stream.ion import IVM
from qldb_stream.parsers.answer import is_answer
from qldb_stream.parsers.kpl import MAGIC

__all__ = ["SNIFF_BYTES", "Kind", "kind_of"]

SNIFF_BYTES: Final = 1 << 14
"""How much of a file `kind_of` wants to see; a block's fixed part ends long before."""

_RECORD: Final = (b"qldbStreamArn", b"recordType")
_BLOCK: Final = (
    b"blockAddress",
    b"transactionId",
    b"blockTimestamp",
    b"blockHash",
    b"entriesHash",
    b"previousBlockHash",
    b"entriesHashList",
)
_ENOUGH: Final = 5  # of a block's names, where the first one cannot be told
_MANIFEST: Final = (b"keys", b"ledgerName", b"exportId", b"inclusiveStartTime")

_BEFORE: Final = rb"(?:\xef\xbb\xbf)?(?:\s|\$ion_1_0\b|//[^\n]*+\n|/\*(?:[^*]|\*(?!/))*+\*/)*+"
_FIRST_NAME: Final = re.compile(_BEFORE + rb"\{\s*+[\"']?([A-Za-z]+)[\"']?\s*:")
_TEXT_TABLE: Final = re.compile(_BEFORE + rb"(?:'?\$ion_symbol_table'?|\$0*+3)\s*+::")


_REVISION_ANSWER: Final = re.compile(rb"\"Revision\"\s*+:\s*+\{\s*+\"IonText\"")


class Kind(enum.Enum):
    """What a file holds."""

    RECORDS = "records"
    EXPORT = "export"
    MANIFEST = "manifest"


def kind_of(head: bytes) -> Kind:
    """
    Say what a file is by its first SNIFF_BYTES bytes, gzip undone.

    Returns:
        RECORDS for all that is nothing else, whatever it is.
    """
    if head.startswith(MAGIC):
        return Kind.RECORDS
    first = _FIRST_NAME.match(head)
    if first is not None:
        return _kind_of_name(first[1], head)
    if any(name in head for name in _RECORD):
        return Kind.RECORDS
    if sum(name in head for name in _BLOCK) >= _ENOUGH:
        return Kind.EXPORT
    has_table = head.startswith(IVM) or _TEXT_TABLE.match(head) is not None
    if has_table and any(name in head for name in _MANIFEST):
        return Kind.MANIFEST
    return Kind.RECORDS


def _kind_of_name(name: bytes, head: bytes) -> Kind:
    """Judge by the first field of text, and where that is none of ours, by all names."""
    if name in _BLOCK:
        # A payload that lost its envelope begins so as well.
        return Kind.RECORDS if b"revisionSummaries" in head else Kind.EXPORT
    if name in _MANIFEST:
        return Kind.MANIFEST
    if is_answer(head):
        return Kind.RECORDS if _REVISION_ANSWER.search(head) else Kind.EXPORT
    is_block = sum(found in head for found in _BLOCK) >= _ENOUGH
    is_record = name in (b"payload", *_RECORD) or any(found in head for found in _RECORD)
    return Kind.EXPORT if is_block and not is_record else Kind.RECORDS
