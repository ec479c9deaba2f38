"""
What records of one table have in common, remembered from the last one of them.

Strategy: two revisions of a table carry the same symbol table, stream name and table,
byte for byte; only lengths and the revision itself differ (facts 1.1, 1.4). Once a
record was read with care, the bytes around its revision are kept as a template, and
the next record is compared with it instead of being taken apart. Equal bytes under an
equal symbol table mean the same, so a fit leaves only the lengths to check: envelope,
payload and revision all have to end where the record ends.

Rules: a template is never trusted beyond its own bytes; whatever does not fit goes the
careful way and may become the next template. Templates are found by the length bytes of
the symbol table, one for each, and are bounded in number and size.
"""

from __future__ import annotations

from typing import Final

import attrs

from qldb_stream.events import RevisionDetails, TableInfo
from qldb_stream.ion import SymbolTable

__all__ = ["Template", "keep_template", "maybe_template"]

_MAX_TEMPLATES: Final = 256  # a ledger has at most 20 active tables (facts 5.8)
_MAX_BYTES: Final = 1 << 14  # of symbol table and stream name; longer ones are rare, not worth it
_KEY: Final = slice(4, 9)  # after the version marker: type and lengths of the symbol table

_LONG_STRUCT: Final = 0xDE
_ENDS: Final = 0x80  # the bit that ends a VarUInt


@attrs.frozen
class Template:
    """
    The bytes around the revision of a record, and what they say.

    `start` is version marker and symbol table; `head` is what the envelope's struct has
    before its payload, `middle` what the payload has before the revision.
    """

    start: bytes
    head: bytes
    middle: bytes
    symbols: SymbolTable
    stream_arn: str | None
    table: TableInfo | None


_templates: Final[dict[bytes, Template]] = {}


def maybe_template(data: bytes) -> tuple[Template, int] | None:
    """
    Find the template that a record fits.

    Returns:
        The template, and where in `data` the struct of the revision starts; it ends
        where `data` ends.
    """
    template = _templates.get(data[_KEY])
    if template is None or not data.startswith(template.start):
        return None
    try:
        pos = _open_last(data, len(template.start))
        if not data.startswith(template.head, pos):
            return None
        pos = _open_last(data, pos + len(template.head))
        if not data.startswith(template.middle, pos):
            return None
        pos += len(template.middle)
        _open_last(data, pos)
    except LookupError:
        return None
    return template, pos


def keep_template(
    data: bytes,
    value_start: int,
    payload_start: int,
    revision_start: int,
    symbols: SymbolTable,
    event: RevisionDetails,
) -> None:
    """
    Remember the bytes around the revision of a record that was read with care.

    Args:
        data: the record; nothing in it was unknown.
        value_start: where the envelope's struct starts.
        payload_start: where the payload's struct starts.
        revision_start: where the revision's struct starts.
        symbols: the record's symbol table.
        event: what it was read as.
    """
    if revision_start > _MAX_BYTES:
        return
    try:
        head = _open_last(data, value_start)
        middle = _open_last(data, payload_start)
        _open_last(data, revision_start)
    except LookupError:
        return
    if len(_templates) >= _MAX_TEMPLATES:
        _templates.clear()
    _templates[data[_KEY]] = Template(
        data[:value_start],
        data[head:payload_start],
        data[middle:revision_start],
        symbols,
        event.stream_arn,
        event.revision.table,
    )


def _open_last(data: bytes, pos: int) -> int:
    """Find the body of a struct that ends where `data` ends; LookupError if it does not."""
    if data[pos] != _LONG_STRUCT:
        raise LookupError
    length = data[pos + 1]
    pos += 2
    if length >= _ENDS:
        length -= _ENDS
    else:
        length = (length << 7) + data[pos] - _ENDS
        if data[pos] < _ENDS:
            raise LookupError
        pos += 1
    if pos + length != len(data):
        raise LookupError
    return pos
