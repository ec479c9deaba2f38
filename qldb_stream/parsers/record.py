"""
The record envelope: one user record of a QLDB stream becomes one typed event.

Strategy: a record is one binary Ion value (facts 1.1), or the same as Ion text where a
transform has rewritten it (facts 4). The envelope names the type, the type the payload.
Nothing is decoded that is not a fixed part, and what many revisions share is compared
with the last of them before it is read (`templates`).

Rules: optional parts are optional exactly where the facts say so; fields that the facts
do not know are named in the event's `unknown_fields`: a payload's own by their names,
others with the struct's name in front (`record.x` for the envelope's, `payload.x` for
a revision's payload). What came from an export and was stored as records has no stream's name
(`records`). This module must not know carriers, KPL or other records.
"""

from __future__ import annotations

from typing import Final

import attrs

from qldb_stream.errors import EnvelopeError, IonDecodeError
from qldb_stream.events import BlockSummary, ControlRecord, Event, RevisionDetails
from qldb_stream.ion import IVM, IonSlice, SymbolTable, iter_text, load_slice, read_value
from qldb_stream.parsers.parts import (
    Fields,
    need_span,
    need_string,
    need_struct,
    struct_fields,
    unknown_names,
)
from qldb_stream.parsers.revision import parse_revision, parse_table
from qldb_stream.parsers.summary import (
    BLOCK_FIELDS,
    parse_revision_summaries,
    parse_summary,
    parse_transaction_info,
)
from qldb_stream.parsers.templates import Template, keep_template, maybe_template
from qldb_stream.records import JSON_EXPORT, marked_json

__all__ = ["parse_record"]

_ENVELOPE: Final = frozenset(("qldbStreamArn", "recordType", "payload"))
_SUMMARY: Final = BLOCK_FIELDS | {"revisionSummaries"}
_DETAILS: Final = frozenset(("tableInfo", "revision"))
_TEXT_STARTS: Final = (b"{", b"$", b"/")  # a struct, $ion_1_0, a comment
_TYPES: Final = "CONTROL, BLOCK_SUMMARY or REVISION_DETAILS"
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


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
    found = maybe_template(data)
    if found is not None:
        return _read_fitting(data, *found)
    value = _load_binary(data) if data[:4] == IVM else _load_text(data)
    buf = value.buf
    table = value.symbols
    fields = struct_fields(buf, (value.start, value.end), table, "record")
    stream_arn = need_string(buf, fields, "qldbStreamArn", "")
    record_type = need_string(buf, fields, "recordType", "")
    payload = need_struct(buf, fields, "payload", table, "")
    unknown: tuple[str, ...] = ()
    if len(fields) > len(_ENVELOPE):
        unknown = unknown_names(fields, _ENVELOPE, "record.")
    if record_type == "REVISION_DETAILS":
        event = _read_details(buf, payload, table, stream_arn, unknown)
        if buf is data and not event.revision.unknown_fields and not event.revision.from_json:
            start = value.start
            keep_template(data, start, fields["payload"][0], payload["revision"][0], table, event)
        return event
    if record_type == "BLOCK_SUMMARY":
        return _read_summary(buf, payload, table, stream_arn or None, unknown)
    if record_type == "CONTROL":
        return ControlRecord(stream_arn, need_string(buf, payload, "controlRecordType", "payload"))
    raise EnvelopeError("recordType", _TYPES, f"another text of {len(record_type)}")


def _read_summary(
    buf: bytes,
    payload: Fields,
    table: SymbolTable,
    stream_arn: str | None,
    unknown: tuple[str, ...],
) -> BlockSummary:
    summaries, more = parse_revision_summaries(buf, payload, table, "payload")
    if not _SUMMARY.issuperset(payload):
        more = unknown_names(payload, _SUMMARY, "") + more
    info = parse_transaction_info(buf, payload, table, "payload")
    if stream_arn != JSON_EXPORT:
        return parse_summary(buf, payload, table, stream_arn, info, summaries, more + unknown)
    found = parse_summary(buf, payload, table, None, info, summaries, more + unknown)
    return marked_json(found)


def _read_details(
    buf: bytes, payload: Fields, table: SymbolTable, stream_arn: str, unknown: tuple[str, ...]
) -> RevisionDetails:
    of_table, more = parse_table(buf, payload, table, "payload")
    if not _DETAILS.issuperset(payload):
        more += unknown_names(payload, _DETAILS, "payload.")
    path = "payload.revision"
    fields = struct_fields(buf, need_span(payload, "revision", "payload"), table, path)
    revision = parse_revision(buf, fields, table, path, of_table, more + unknown)
    if stream_arn == JSON_EXPORT:
        return RevisionDetails(None, attrs.evolve(revision, from_json=True))
    return RevisionDetails(stream_arn or None, revision)


def _read_fitting(data: bytes, template: Template, start: int) -> RevisionDetails:
    """Read a record whose envelope and table are known."""
    path = "payload.revision"
    table = template.symbols
    fields = struct_fields(data, (start, len(data)), table, path)
    return RevisionDetails(
        template.stream_arn, parse_revision(data, fields, table, path, template.table)
    )


def _load_binary(data: bytes) -> IonSlice:
    """Read the one value of binary Ion."""
    value, end = read_value(data, 0)
    return value if end == len(data) else load_slice(data)  # padding, or one value too many


def _load_text(data: bytes) -> IonSlice:
    """Read the one value of Ion text; amazon.ion reads it, so this is slow."""
    text = data.removeprefix(_BYTE_ORDER_MARK).lstrip()
    if not text.startswith(_TEXT_STARTS):
        raise IonDecodeError(0, "neither binary Ion, which starts with its marker, nor Ion text")
    values = list(iter_text(text))
    if len(values) != 1:
        raise IonDecodeError(0, f"{len(values)} values in Ion text where one is expected")
    return values[0]
