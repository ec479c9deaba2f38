"""
What a plan needs of a transactionInfo, read straight from its bytes.

`TransactionInfo` reads everything, times and digests included; a replay needs the texts
of the rare blocks with DDL, and of each document the last statement that changed it.
Shapes: qldb-facts 2.3.
"""

from __future__ import annotations

from typing import Final

from qldb_stream.errors import EnvelopeError
from qldb_stream.ion import IonSlice, int_of, iter_elements, parse_fields, parse_string

# The two bytes of a list that holds the int 0, and the first two of one that holds a byte.
_LIST_OF_ZERO: Final = b"\xb1\x20"
_LIST_OF_BYTE: Final = b"\xb2\x21"


def may_hold_ddl(info: IonSlice) -> bool:
    """Say whether a statement may be DDL; False is certain, because Ion strings are UTF-8."""
    lower = info.buf[info.start : info.end].lower()
    return b"create" in lower or b"drop" in lower  # and in undrop


def read_texts(info: IonSlice) -> list[str]:
    """
    Read the texts of all statements, in order.

    Raises:
        EnvelopeError: a statement has no text.
        IonDecodeError: a part is of another type than facts 2.3 says, or broken.
    """
    statements = _maybe_field(info, "statements")
    if statements is None:
        return []
    return [_text(statement) for statement in iter_elements(statements)]


def read_last_statements(info: IonSlice) -> dict[str, int]:
    """
    Read by document id the index of the last statement that changed it.

    Returns:
        Empty when no document changed; -1 for a document that names no statement.

    Raises:
        IonDecodeError: a part is of another type than facts 2.3 says, or broken.
    """
    documents = _maybe_field(info, "documents")
    if documents is None:
        return {}
    buf, symbols = info.buf, info.symbols
    found: dict[str, int] = {}
    for document_id, (start, end) in parse_fields(
        buf, documents.value_start(), documents.end, symbols
    ).items():
        place = parse_fields(buf, start, end, symbols).get("statements")
        if place is not None:
            found[document_id] = _largest(IonSlice(buf, *place, symbols))
    return found


def _largest(indexes: IonSlice) -> int:
    """Give the largest int of a list, -1 for an empty one; nearly all hold one small int."""
    written = indexes.buf[indexes.start : indexes.end]
    if written == _LIST_OF_ZERO:
        return 0
    if len(written) == len(_LIST_OF_BYTE) + 1 and written.startswith(_LIST_OF_BYTE):
        return written[-1]
    return max((int_of(index) for index in iter_elements(indexes)), default=-1)


def _maybe_field(struct: IonSlice, name: str) -> IonSlice | None:
    """Give a struct's field, None when it is absent or null."""
    fields = parse_fields(struct.buf, struct.value_start(), struct.end, struct.symbols)
    if name not in fields:
        return None
    field = IonSlice(struct.buf, *fields[name], struct.symbols)
    return None if field.is_null else field


def _text(statement: IonSlice) -> str:
    text = _maybe_field(statement, "statement")
    if text is None:
        raise EnvelopeError("transactionInfo.statements", "a statement's text", "nothing")
    return parse_string(text.buf, text.value_start(), text.end)
