"""
Copies of a revision that came from JSON exports, compared with others as JSON (facts 3.3).

A JSON copy lost types, so its hash proves nothing and its value differs from the original.
What it still says is what the original says when that is written as JSON: such copies are
the same, and the one that kept its types is the better.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, TypeAlias

import attrs

from qldb_stream.errors import DecodeError, IonEncodeError
from qldb_stream.events import BlockSummary, RedactionInfo, Revision, RevisionKind, TransactionInfo
from qldb_stream.ion import IonSlice, to_json
from qldb_stream.records import is_from_json

__all__ = ["redacted_json", "same_as_json", "same_summary_as_json"]

_Struct: TypeAlias = dict[str, list[Any]]


def same_as_json(a: Revision, b: Revision) -> bool:
    """
    Say whether two copies are one revision, as far as JSON can tell.

    Only where one of them is from JSON; documents are compared as JSON values, numbers as
    numbers, everything else as it is.
    """
    if not (a.from_json or b.from_json) or a.data_ion is None or b.data_ion is None:
        return False
    bare = [attrs.evolve(one, data_ion=None, table=a.table or b.table) for one in (a, b)]
    tables = a.table == b.table or a.table is None or b.table is None
    try:
        return tables and bare[0] == bare[1] and _value(a.data_ion) == _value(b.data_ion)
    except (DecodeError, IonEncodeError):
        return False


def same_summary_as_json(a: BlockSummary, b: BlockSummary) -> bool:
    """
    Say whether two summaries are one, as far as JSON can tell.

    Only where one of them is from JSON: what has no fixed schema in its transactionInfo or
    redactionInfo lost its type.
    """
    if not (is_from_json(a) or is_from_json(b)):
        return False
    bare = [
        attrs.evolve(one, stream_arn=None, transaction_info=None, redaction_info=None)
        for one in (a, b)
    ]
    try:
        return (
            bare[0] == bare[1]
            and _info(a.transaction_info) == _info(b.transaction_info)
            and _info(a.redaction_info) == _info(b.redaction_info)
        )
    except (DecodeError, IonEncodeError):
        return False


def _info(info: TransactionInfo | RedactionInfo | None) -> Any:
    return None if info is None else _value(info.ion)


def redacted_json(a: Revision, b: Revision) -> Revision | None:
    """Give the redacted one of two copies of which the other is a document from JSON, or None."""
    redacted, full = (a, b) if a.data_ion is None else (b, a)
    if redacted.kind is not RevisionKind.REDACTED or full.data_ion is None or not full.from_json:
        return None
    try:
        bare = attrs.evolve(full, data_ion=None, data_hash=redacted.data_hash)
        return redacted if bare == redacted else None
    except DecodeError:
        return None


def _value(document: IonSlice) -> Any:
    """Give a document as a JSON value that can be compared: numbers exact, no name lost."""
    text = to_json(document)
    return json.loads(text, object_pairs_hook=_struct, parse_float=_number, parse_int=_number)


def _number(text: str) -> tuple[Decimal]:
    """Keep a number apart from true and false, which Python takes for 1 and 0."""
    return (Decimal(text),)


def _struct(pairs: list[tuple[str, Any]]) -> _Struct:
    found: _Struct = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found
