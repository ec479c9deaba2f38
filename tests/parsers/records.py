"""Records of one journal, altered, and what they are read as."""

from __future__ import annotations

from typing import Any, Final

import pytest

from qldb_stream.errors import DecodeError, EnvelopeError
from qldb_stream.events import (
    BlockSummary,
    Event,
    RevisionDetails,
)
from qldb_stream.ion import dumps, loads
from qldb_stream.parsers.record import parse_record
from qldb_stream.testing import (
    JournalShape,
    make_journal,
)

BUSY: Final = JournalShape(redactions=0.5, system=0.5, deletes=0.3, empty=0.3)
RECORDS: Final = list(make_journal(11, blocks=40, shape=BUSY).iter_records())


def first(text: bytes) -> bytes:
    """Find the first of the journal's records that mentions something."""
    return next(record for record in RECORDS if text in record)


CONTROL: Final = first(b"CONTROL")
SUMMARY: Final = first(b"revisionSummaries")
DETAILS: Final = next(r for r in RECORDS if b"\x84data" in r and b"REVISION_DETAILS" in r)
REDACTING: Final = first(b"redactionInfo")


def refused(data: bytes) -> EnvelopeError:
    """Let a record be refused for its shape."""
    with pytest.raises(EnvelopeError) as caught:
        parse_record(data)
    return caught.value


def outcome(data: bytes) -> Event | type[DecodeError]:
    """Give what a record is read as, or how it is refused."""
    try:
        return parse_record(data)
    except DecodeError as exc:
        return type(exc)


def summary_of(data: bytes) -> BlockSummary:
    """Read a block summary."""
    event = parse_record(data)
    assert isinstance(event, BlockSummary)
    return event


def details_of(data: bytes) -> RevisionDetails:
    """Read revision details."""
    event = parse_record(data)
    assert isinstance(event, RevisionDetails)
    return event


def with_element(record: bytes, name: str, index: int, value: Any) -> bytes:
    """Replace an element of a list in a payload."""
    whole = loads(record)
    whole["payload"][name][index] = value
    return dumps(whole)


def with_leaf(record: bytes, **fields: Any) -> bytes:
    """Alter the first revision summary; a field becomes absent when it is ``...``."""
    leaf = loads(record)["payload"]["revisionSummaries"][0] | fields
    kept = {name: value for name, value in leaf.items() if value is not ...}
    return with_element(record, "revisionSummaries", 0, kept)
