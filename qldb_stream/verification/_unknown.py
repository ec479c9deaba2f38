"""
Tell fields that are new from fields that are damaged.

Fields that the facts do not know break nothing: the service may have added some. But no
hash covers them, so each is told as not checkable: anybody may have added it. And
an optional part whose name is damaged would vanish without any hash noticing. Damage
leaves one of five traces, and each of them is a failure: a name that is a known one
but for one bit (in the symbol table's text); a name without text (in the symbol's type);
a name that is cut off or runs on (in the symbol's length);
a known name, or an id, where it does not belong (a damaged symbol id leads to another of
the record's own names); an unknown name beside an optional part that is gone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from qldb_stream.report import Check, Outcome, ProblemCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["KNOWN_NAMES", "check_unknown_fields", "is_damaged_name"]

# The parts that a record, a summary or a revision may lack (facts 1.3, 1.4, 2.1).
_OPTIONAL: Final = (
    b"transactionInfo",
    b"redactionInfo",
    b"revisionSummaries",
    b"revisions",
    b"data",
    b"dataHash",
    b"metadata",
    b"tableInfo",
    b"documentId",
)
_OPTIONAL_TEXTS: Final = tuple(name.decode() for name in _OPTIONAL)
KNOWN_NAMES: Final = frozenset(
    (
        *_OPTIONAL_TEXTS,
        *("qldbStreamArn", "recordType", "payload", "controlRecordType", "revision"),
        *("blockAddress", "strandId", "sequenceNo", "transactionId", "blockTimestamp"),
        *("blockHash", "entriesHash", "previousBlockHash", "entriesHashList", "hash"),
        *("statements", "statement", "startTime", "statementDigest", "documents"),
        *("tableName", "tableId", "id", "version", "txTime", "txId"),
        # What the local symbol table itself brings along (Ion 1.0 specification).
        *("$ion", "$ion_1_0", "$ion_symbol_table", "name", "imports", "symbols", "max_id"),
        "$ion_shared_symbol_table",
    )
)
"""Every name that the service, or Ion itself, gives a field that is not a user's."""
_ID: Final = re.compile(r"[0-9A-Za-z]{22}")

_HASHED: Final = "metadata."  # what is in it is part of the revision's hash
_NO_TEXT: Final = "$0"  # how the parsers name a field whose name has no text

_NAMELESS: Final = "a field's name has no text, which the service never wrote"
_NEIGHBOUR: Final = "the name of an unknown field is one bit away from a known one"
_CUT: Final = "the name of an unknown field begins a known one, or begins with one"
_MISPLACED: Final = "a known name or an id is the name of a field where it does not belong"
_INSTEAD: Final = "the record has an unknown field where tableInfo should be"
_NEW: Final = "a field that is not known, and that no hash covers"


def check_unknown_fields(
    names: Iterable[str], document_id: str | None = None, *, lacks_table: bool = False
) -> Iterator[Check]:
    """
    Check the names of fields that no reader knew.

    Args:
        names: of a summary's or a revision's unknown fields; those of a struct inside come
            with its path and a dot in front.
        document_id: the revision's, None for a summary.
        lacks_table: a stream's revision that came without tableInfo.

    Yields:
        A MISMATCH for each name: failed for one that damage may have made; else not
        checkable, unless a hash covers the field.
    """
    for name in names:
        neighbour = _maybe_neighbour(name.encode())
        own = name.rpartition(".")[2]
        if neighbour is not None:
            yield _failed(_NEIGHBOUR, document_id, neighbour)
        elif own == _NO_TEXT:
            yield _failed(_NAMELESS, document_id, name)
        elif own in KNOWN_NAMES or _ID.fullmatch(own):
            yield _failed(_MISPLACED, document_id, name)
        elif (cut := _maybe_cut(own)) is not None:
            yield _failed(_CUT, document_id, cut)
        elif lacks_table and name.startswith("payload."):
            yield _failed(_INSTEAD, document_id, "tableInfo")
        elif not name.startswith(_HASHED):
            yield Check(ProblemCode.MISMATCH, Outcome.NOT_CHECKABLE, _NEW, document_id, name)


def is_damaged_name(name: str, beside: Iterable[str]) -> bool:
    """
    Say whether damage may have made the name of a field in a part that is hashed.

    Args:
        name: a name that is not known there.
        beside: those that could be there, and are not.
    """
    if name == _NO_TEXT or name in KNOWN_NAMES or _ID.fullmatch(name):
        return True
    return any(
        known.startswith(name) or name.startswith(known) or _is_one_bit_off(name, known)
        for known in beside
    )


def _is_one_bit_off(name: str, known: str) -> bool:
    own, other = name.encode(), known.encode()
    different = int.from_bytes(own, "big") ^ int.from_bytes(other, "big")
    return len(own) == len(other) and different.bit_count() == 1


def _maybe_cut(name: str) -> str | None:
    for known in _OPTIONAL_TEXTS:
        if known.startswith(name) or name.startswith(known):
            return known
    return None


def _failed(detail: str, document_id: str | None, field: str) -> Check:
    return Check(ProblemCode.MISMATCH, Outcome.FAILED, detail, document_id, field)


def _maybe_neighbour(name: bytes) -> str | None:
    for known in _OPTIONAL:
        path, own = name[: -len(known)], name[-len(known) :]
        if len(own) == len(known) and (not path or path.endswith(b".")):
            different = int.from_bytes(own, "big") ^ int.from_bytes(known, "big")
            if different.bit_count() == 1:
                return known.decode()
    return None
