"""
The record envelope: one user record of a QLDB stream becomes one typed event.

Strategy: a record is one binary Ion value (facts 1.1), or the same as Ion text where a
transform has rewritten it (facts 4). The envelope names the type; a table says who
reads the payload. Nothing is decoded that is not a fixed part.

Rules: optional parts are optional exactly where the facts say so; fields that the facts
do not know are named in the event's `unknown_fields`: a payload's own by their names,
others with the struct's name in front (`record.x` for the envelope's, `payload.x` for
a revision's payload). This module must not know carriers, KPL or other records.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from qldb_stream.errors import EnvelopeError, IonDecodeError
from qldb_stream.events import BlockSummary, ControlRecord, Event, RevisionDetails
from qldb_stream.ion import IVM, IonSlice, SymbolTable, iter_text, load_slice
from qldb_stream.parsers.parts import (
    Fields,
    need_span,
    need_string,
    need_struct,
    struct_fields,
    unknown_names,
)
from qldb_stream.parsers.revision import parse_revision, parse_table
from qldb_stream.parsers.summary import BLOCK_FIELDS, parse_revision_summaries, parse_summary

__all__ = ["parse_record"]

_ENVELOPE: Final = frozenset(("qldbStreamArn", "recordType", "payload"))
_SUMMARY: Final = BLOCK_FIELDS | {"revisionSummaries"}
_DETAILS: Final = frozenset(("tableInfo", "revision"))
_TEXT_STARTS: Final = (b"{", b"$", b"/")  # a struct, $ion_1_0, a comment
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

_Reader: TypeAlias = Callable[[bytes, Fields, SymbolTable, str, tuple[str, ...]], Event]


def parse_record(data: bytes) -> Event:
    """
    Read one user record.

    Args:
        data: binary Ion with its version marker, or Ion text; exactly one value.

    Returns:
        ControlRecord, BlockSummary or RevisionDetails. `Revision.data` and
        `BlockSummary.transaction_info` are still in their bytes and decode on first use.

    Raises:
        EnvelopeError: sound Ion, but not a record: a mandatory part is missing, of
            another type, out of range or given twice (facts 1.1 to 1.4).
        IonDecodeError: not sound Ion, or not exactly one value.
    """
    value = load_slice(data) if data[:4] == IVM else _load_text(data)
    buf = value.buf
    table = value.symbols
    fields = struct_fields(buf, (value.start, value.end), table, "record")
    stream_arn = need_string(buf, fields, "qldbStreamArn", "")
    record_type = need_string(buf, fields, "recordType", "")
    payload = need_struct(buf, fields, "payload", table, "")
    read = _READERS.get(record_type)
    if read is None:
        expected = ", ".join(_READERS)
        raise EnvelopeError("recordType", expected, f"another text of {len(record_type)}")
    unknown: tuple[str, ...] = ()
    if len(fields) > len(_ENVELOPE):
        unknown = unknown_names(fields, _ENVELOPE, "record.")
    return read(buf, payload, table, stream_arn, unknown)


def _read_control(
    buf: bytes, payload: Fields, _table: SymbolTable, stream_arn: str, _unknown: tuple[str, ...]
) -> ControlRecord:
    return ControlRecord(stream_arn, need_string(buf, payload, "controlRecordType", "payload"))


def _read_summary(
    buf: bytes, payload: Fields, table: SymbolTable, stream_arn: str, unknown: tuple[str, ...]
) -> BlockSummary:
    summaries, more = parse_revision_summaries(buf, payload, table, "payload")
    if not _SUMMARY.issuperset(payload):
        more = unknown_names(payload, _SUMMARY, "") + more
    return parse_summary(buf, payload, table, "payload", stream_arn, summaries, more + unknown)


def _read_details(
    buf: bytes, payload: Fields, table: SymbolTable, stream_arn: str, unknown: tuple[str, ...]
) -> RevisionDetails:
    of_table, more = parse_table(buf, payload, table, "payload")
    if not _DETAILS.issuperset(payload):
        more += unknown_names(payload, _DETAILS, "payload.")
    path = "payload.revision"
    fields = struct_fields(buf, need_span(payload, "revision", "payload"), table, path)
    return RevisionDetails(
        stream_arn, parse_revision(buf, fields, table, path, of_table, more + unknown)
    )


_READERS: Final[dict[str, _Reader]] = {
    "CONTROL": _read_control,
    "BLOCK_SUMMARY": _read_summary,
    "REVISION_DETAILS": _read_details,
}


def _load_text(data: bytes) -> IonSlice:
    """Read the one value of Ion text; amazon.ion reads it, so this is slow."""
    text = data.removeprefix(_BYTE_ORDER_MARK).lstrip()
    if not text.startswith(_TEXT_STARTS):
        raise IonDecodeError(0, "neither binary Ion, which starts with its marker, nor Ion text")
    values = list(iter_text(text))
    if len(values) != 1:
        raise IonDecodeError(0, f"{len(values)} values in Ion text where one is expected")
    return values[0]
